namespace Branching.Storage;

/// <summary>Says whether an answer may be given now. Asked on every read and write, so it is cheap.</summary>
internal interface IAnswerGuard
{
    /// <summary>Throws when the node may not answer for the database: it may have another owner already.</summary>
    void ThrowIfInvalid();
}
