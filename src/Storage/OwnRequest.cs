namespace Branching.Storage;

/// <summary>How a node takes a database.</summary>
/// <param name="WaitForLease">
/// <see langword="true"/>: only when its owner released it or no longer renews its lease. <see langword="false"/>:
/// also from a living owner, which is fenced and loses what it had not snapshotted.
/// </param>
/// <param name="AcceptOlderSnapshots">
/// Whether an earlier snapshot is restored where the newest one is damaged: more is lost then.
/// </param>
/// <param name="AcceptUnknown">
/// Whether a local database that was shared before, but that this shared storage does not know, is put there. Only
/// after making sure that the right directory is mounted.
/// </param>
public sealed record OwnRequest(
    bool WaitForLease = true, bool AcceptOlderSnapshots = false, bool AcceptUnknown = false);

/// <summary>What taking a database is at.</summary>
public enum TakeoverStep
{
    /// <summary>Shared storage is asked who owns it.</summary>
    Looking = 0,

    /// <summary>The next epoch is claimed, after the former owner's lease.</summary>
    Claiming = 1,

    /// <summary>Snapshots are fetched and put together.</summary>
    Restoring = 2,

    /// <summary>The former local database, if any, is set aside and the restored one takes its place.</summary>
    Publishing = 3,

    /// <summary>It serves.</summary>
    Serving = 4,
}

/// <summary>How far taking a database is.</summary>
/// <param name="Step">What it is at.</param>
/// <param name="Epoch">The epoch claimed; 0 before.</param>
/// <param name="StoresDone">Stores restored.</param>
/// <param name="Stores">Stores to restore.</param>
/// <param name="BytesDone">Bytes fetched.</param>
public sealed record TakeoverProgress(
    TakeoverStep Step, Epoch Epoch, int StoresDone = 0, int Stores = 0, long BytesDone = 0);

/// <summary>How a database came to be served by this node.</summary>
public enum OwnedBy
{
    /// <summary>No shared storage is configured: it is only here.</summary>
    OneNode = 0,

    /// <summary>It was created here.</summary>
    Creation = 1,

    /// <summary>It was only here until now and was put on shared storage.</summary>
    Adoption = 2,

    /// <summary>The local stores belong to the newest epoch and went on.</summary>
    Return = 3,

    /// <summary>It was restored from its newest snapshots.</summary>
    Restore = 4,

    /// <summary>The damaged local stores were set aside and an empty database began in their place, as asked.</summary>
    FreshStart = 5,
}
