namespace Branching.Storage.Ownership;

/// <summary>An epoch that is claimed, but does not serve yet. Its lease is renewed from now on.</summary>
/// <remarks>Call <see cref="ServeAsync"/> before anything that takes long, as a restore: it decides whether this
/// process is the owner. Dispose a claim that will not serve.</remarks>
public sealed class Claim : IAsyncDisposable
{
    private readonly Tenure _tenure;
    private readonly Func<CancellationToken, Task> _awaitFormerOwner;
    private bool _serves;

    internal Claim(Tenure tenure, OwnershipStatus before, Func<CancellationToken, Task> awaitFormerOwner)
    {
        _tenure = tenure;
        _awaitFormerOwner = awaitFormerOwner;
        Before = before;
    }

    /// <summary>The claimed epoch.</summary>
    public Epoch Epoch => Heads.Epoch;

    /// <summary>What the epoch starts from.</summary>
    public HeadsRecord Heads => _tenure.Heads;

    /// <summary>Who claimed it.</summary>
    public OwnerIdentity Owner => _tenure.Owner;

    /// <summary>What was true of the database when the claim was made. No former owner enters after it: it would see
    /// the claim.</summary>
    public OwnershipStatus Before { get; }

    /// <summary>Records the heads, checks that the claim is still the newest, and waits until no former owner can
    /// answer any more. Before anything is changed or answered comes <see cref="Tenure.EnterAsync"/>.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: a later claim exists.</exception>
    public async Task<Tenure> ServeAsync(CancellationToken cancellationToken)
    {
        await _tenure.PutHeadsAsync(cancellationToken).ConfigureAwait(false);
        await _tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        await _awaitFormerOwner(cancellationToken).ConfigureAwait(false);
        await _tenure.BeginServingAsync(cancellationToken).ConfigureAwait(false);
        _serves = true;
        return _tenure;
    }

    /// <summary>Gives up a claim that does not serve; one that does is its tenure's.</summary>
    public ValueTask DisposeAsync() => _serves ? ValueTask.CompletedTask : _tenure.DisposeAsync();
}
