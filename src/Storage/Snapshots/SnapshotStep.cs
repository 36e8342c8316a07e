namespace Branching.Storage.Snapshots;

/// <summary>
/// Every point of taking a snapshot and of staging a restored store at which a killed process leaves something behind.
/// Tests kill a process at each; a new step gets a new member and is tested by that alone. What happens inside the
/// shared storage is enumerated by its primitives instead.
/// </summary>
internal enum SnapshotStep
{
    TakeStarted,
    TakeFlushed,
    TakeCheckpointed,
    TakeMarked,
    TakeDigested,
    TakeObjectSending,
    TakeObjectSent,
    TakeObjectsConfirmed,
    TakePublishing,
    TakePublished,
    TakeCheckpointRemoved,
    TakeDigestsSaved,
    RestoreStarted,
    RestoreObjectFetching,
    RestoreObjectFetched,
    RestoreObjectKept,
    RestoreFetched,
    RestoreFileStaged,
    RestoreMarked,
    RestoreChecked,
    RestoreStaged,
}
