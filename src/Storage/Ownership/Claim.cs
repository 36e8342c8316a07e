namespace Branching.Storage.Ownership;

/// <summary>An epoch that is claimed, but does not serve yet.</summary>
/// <remarks>
/// Call <see cref="ServeAsync"/> at once, before anything that takes long (a restore): until then nobody renews a
/// lease, and another node may take the next epoch.
/// </remarks>
public sealed class Claim
{
    internal Claim(HeadsRecord heads, OwnerIdentity owner, OwnerIdentity? formerOwner)
    {
        Heads = heads;
        Owner = owner;
        FormerOwner = formerOwner;
    }

    /// <summary>The claimed epoch.</summary>
    public Epoch Epoch => Heads.Epoch;

    /// <summary>What the epoch starts from.</summary>
    public HeadsRecord Heads { get; }

    /// <summary>Who claimed it.</summary>
    public OwnerIdentity Owner { get; }

    /// <summary>Who had the epoch before; <see langword="null"/> for the first.</summary>
    public OwnerIdentity? FormerOwner { get; }

    /// <summary>Records the heads, checks that the claim is still the newest, waits until no former owner can answer
    /// any more, and begins to renew the lease.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: a later claim exists.</exception>
    public Task<Tenure> ServeAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
