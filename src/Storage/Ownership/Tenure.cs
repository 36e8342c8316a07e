namespace Branching.Storage.Ownership;

/// <summary>The time in which this process owns a database.</summary>
/// <remarks>
/// Nothing may be answered unless <see cref="IsValid"/> is true after the work was done; nothing counts as published
/// unless <see cref="ConfirmAsync"/> succeeded after it was put. Thread-safe.
/// </remarks>
public sealed partial class Tenure : IAsyncDisposable
{
    internal Tenure(DatabaseName name, DatabaseId database, OwnerIdentity owner, HeadsRecord heads)
    {
        Name = name;
        Database = database;
        Owner = owner;
        Heads = heads;
    }

    /// <summary>The epoch.</summary>
    public Epoch Epoch => Heads.Epoch;

    /// <summary>The database's name.</summary>
    public DatabaseName Name { get; }

    /// <summary>The database's identity.</summary>
    public DatabaseId Database { get; }

    /// <summary>This process.</summary>
    public OwnerIdentity Owner { get; }

    /// <summary>What the epoch started from.</summary>
    public HeadsRecord Heads { get; }

    /// <summary>Whether an answer may be given now. Costs two readings of clocks.</summary>
    public bool IsValid => throw new NotSupportedException();

    /// <summary>Refuses to answer when <see cref="IsValid"/> is false.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.LeaseExpired"/>: it may become valid again;
    /// <see cref="FailureKind.Fenced"/> or <see cref="FailureKind.Closed"/>: it never will.</exception>
    public void ThrowIfInvalid() => throw new NotSupportedException();

    /// <summary>Cancelled when the tenure is over: fenced, released or disposed.</summary>
    public CancellationToken Ended => throw new NotSupportedException();

    /// <summary>Why it is over; <see langword="null"/> while it is not.</summary>
    public StorageException? EndCause => throw new NotSupportedException();

    /// <summary>Asks shared storage whether this is still the newest epoch; a later one ends the tenure.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: it is not. Any other kind: it is unknown,
    /// and what was put before is neither acknowledged nor withdrawn.</exception>
    public Task ConfirmAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>The next number for the name of an object: never given twice in an epoch.</summary>
    public ulong NextObjectNumber() => throw new NotSupportedException();

    /// <summary>Gives the database up: answers nothing from now on, then lets the next owner in at once.</summary>
    public Task ReleaseAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Stops renewing without a release: the next owner waits for the lease to end.</summary>
    public ValueTask DisposeAsync() => throw new NotSupportedException();
}
