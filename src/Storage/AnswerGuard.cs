namespace Branching.Storage;

/// <summary>Says whether an answer may be given now. Asked on every read and write, so it is cheap.</summary>
internal interface IAnswerGuard
{
    /// <summary>Whether an answer may be given now.</summary>
    bool MayAnswer { get; }

    /// <summary>Throws when the node may not answer for the database: it may have another owner already.</summary>
    void ThrowIfInvalid();

    /// <summary>Holds an answer back until it may be given, for as long as answers are held back at most.</summary>
    /// <exception cref="StorageException">As <see cref="ThrowIfInvalid"/>, when that time is over or the answer may
    /// never be given.</exception>
    Task WaitAsync(CancellationToken cancellationToken);
}
