namespace Branching.Storage;

/// <summary>
/// Every point of a protocol of this project at which a killed process leaves something to reconcile. Tests kill a
/// process at each; a new step gets a new member and is tested by that alone.
/// </summary>
internal enum CrashPoint
{
    RootCreated,
    DatabaseBuildingStarted,
    DatabaseMainStoreMade,
    DatabaseBuilt,
    DatabasePublished,
    DatabasePublishedDurably,
    DropStarted,
    DropRenamed,
    DropRenamedDurably,
    DropDeleted,
    CreationStarted,
    CreationCheckpointed,
    CreationMarked,
    CreationMarkedDurably,
    CreationRenamed,
    CreationRenamedDurably,
    CreationRecorded,
    DeletionStarted,
    DeletionClosed,
    DeletionRenamed,
    DeletionRenamedDurably,
    DeletionRecorded,
    DeletionDeleted,
    CatalogAppending,
    CatalogAppended,
    CatalogFlushed,
    CatalogRewriting,
    CatalogRewritten,
    CatalogReplaced,
    CatalogCleaned,
    ReconcileBuildingSwept,
    ReconcileTrashRecorded,
    ReconcileTrashSwept,
    ReconcileAdopted,
    ReconcileQuarantined,
    ReconcileDone,
    IdentityWritten,
    IdentityReplaced,
    ShutdownMarked,
}
