using Branching.Storage.Shared;

namespace Branching.Storage.Backups;

/// <summary>
/// Every point of an operation on backups at which a killed process leaves something behind. Tests kill a process at
/// each; a new step gets a new member and is tested by that alone.
/// </summary>
internal enum BackupStep
{
    CreateStarted,
    CreateFlushed,
    CreateCheckpointed,
    CreateDigested,
    CreateObjectSending,
    CreateObjectSent,
    CreatePublishing,
    CreatePublished,
    CreateCheckpointRemoved,
    DeleteStarted,
    DeleteNumberKept,
    DeleteManifestGone,
    DeleteObjectGone,
    DeleteDone,
    RestoreStaging,
    RestoreMarked,
    RestoreFileFetched,
    RestoreFileKept,
    RestoreStaged,
    RestoreChecked,
    RestoreReady,
    RestoreSwapped,
    RestoreSwappedDurably,
    RestoreOldRenamed,
    RestoreOldDeleted,
    RestoreDone,
    ImportObjectPut,
    ImportPublishing,
    ImportPublished,
}

/// <summary>What tests replace, to fail and kill where disks and machines do.</summary>
internal sealed record BackupSeams
{
    public static BackupSeams Real { get; } = new();

    /// <summary>The steps on the local file system.</summary>
    public Disk Disk { get; init; } = new();

    /// <summary>Stands before the directory's own objects.</summary>
    public Func<ISharedStorage, ISharedStorage> Wrap { get; init; } = static storage => storage;

    /// <summary>Free bytes of the file system of a path; <see langword="null"/>: unknown.</summary>
    public Func<string, long?> FreeBytes { get; init; } = BackupSpace.FreeBytesAt;

    /// <summary>Exchanges two directories in one step.</summary>
    public Func<string, string, bool> TryExchange { get; init; } = RocksDb.Files.LocalFiles.TryExchange;

    public Action<BackupStep>? AtStep { get; init; }

    public void Reach(BackupStep step) => AtStep?.Invoke(step);
}
