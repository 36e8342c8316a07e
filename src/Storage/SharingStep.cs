namespace Branching.Storage;

/// <summary>
/// Every point of the protocols between a data root and shared storage at which a killed process leaves something to
/// the next owner. Tests kill a process at each; a new step gets a new member and is tested by that alone.
/// </summary>
internal enum SharingStep
{
    DatabaseQuarantining,
    DatabaseQuarantined,
    LifeReserved,
    ClaimIntended,
    ClaimMade,
    TenureServing,
    EpochEntered,
    TenureRecorded,
    TenureAttached,
    TakeoverStarted,
    TakeoverStoreStaged,
    TakeoverStaged,
    TakeoverPublished,
    TakeoverPublishedDurably,
    LineageSharing,
    LineageShared,
    DropShared,
    DropCleaned,
    RestoreIntended,
    RestoreStaged,
    RestoreReady,
    RestoreSetAside,
    RestoreSwapped,
    RestoreSwappedDurably,
    RestoreRecorded,
    RestoreRetired,
    RestoreDone,
    BranchRestoreStaged,
    BranchRestorePublished,
    BranchRestorePublishedDurably,
    RecoveryCounted,
    RecoverySwapped,
    ReleaseNoted,
}
