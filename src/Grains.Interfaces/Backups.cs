namespace Branching.Grains;

/// <summary>How thoroughly a backup is verified.</summary>
public enum BackupVerificationKind
{
    /// <summary>Every file is there and has its length.</summary>
    Sizes = 0,

    /// <summary>Every file is read and compared with its SHA-256.</summary>
    Checksums = 1,

    /// <summary>It is also restored into scratch, opened and read.</summary>
    Opened = 2,
}

/// <summary>Asks for a backup.</summary>
/// <param name="Branch">The branch; null: the main store.</param>
/// <param name="Label">A name for people; at most 256 characters.</param>
/// <param name="Metadata">The caller's own entries: at most 64, names to 128 and values to 1,024 characters.</param>
/// <param name="FlushFirst">Writes memtables to tables first; otherwise the log is part of the backup.</param>
/// <param name="NoSync">Does without fsyncs: a loss of power may damage the backup.</param>
/// <param name="CheckReused">Reads files that are there already, and puts damaged ones anew.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.create-backup-request")]
public sealed record CreateBackupRequest(
    [property: Id(0)] string? Branch = null,
    [property: Id(1)] string Label = "",
    [property: Id(2)] IReadOnlyDictionary<string, string>? Metadata = null,
    [property: Id(3)] bool FlushFirst = false,
    [property: Id(4)] bool NoSync = false,
    [property: Id(5)] bool CheckReused = false);

/// <summary>A backup, or what lies in its place.</summary>
/// <param name="Number">Its number; 0 when its name has none.</param>
/// <param name="Source">What it is of, for people.</param>
/// <param name="Label">Its label.</param>
/// <param name="Metadata">The entries of whoever made it.</param>
/// <param name="TakenAt">UTC; null when it cannot be read.</param>
/// <param name="Sequence">It holds everything up to it.</param>
/// <param name="Files">Its files.</param>
/// <param name="TotalBytes">Their length.</param>
/// <param name="NewBytes">Bytes that no earlier backup held.</param>
/// <param name="Problem">What is wrong with it; null: nothing that names and lengths tell.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.backup-description")]
public sealed record BackupDescription(
    [property: Id(0)] ulong Number,
    [property: Id(1)] string Source,
    [property: Id(2)] string Label,
    [property: Id(3)] IReadOnlyDictionary<string, string> Metadata,
    [property: Id(4)] DateTimeOffset? TakenAt,
    [property: Id(5)] ulong Sequence,
    [property: Id(6)] int Files,
    [property: Id(7)] long TotalBytes,
    [property: Id(8)] long NewBytes,
    [property: Id(9)] string? Problem = null);

/// <summary>Everything that a backup's manifest says.</summary>
/// <param name="Backup">The backup.</param>
/// <param name="Program">Version of the program that made it.</param>
/// <param name="RocksDbVersion">Version of RocksDB that wrote its files.</param>
/// <param name="IsFlushed">Whether the store was flushed before.</param>
/// <param name="IsDurable">Whether it was fsynced.</param>
/// <param name="ImportedFrom">Where a stream that it was imported from came from.</param>
/// <param name="FileList">Its files; the role is empty for those of a change log.</param>
/// <param name="ManifestSha256">Digest of the manifest.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.backup-details")]
public sealed record BackupDetails(
    [property: Id(0)] BackupDescription Backup,
    [property: Id(1)] string Program,
    [property: Id(2)] string RocksDbVersion,
    [property: Id(3)] bool IsFlushed,
    [property: Id(4)] bool IsDurable,
    [property: Id(5)] string? ImportedFrom,
    [property: Id(6)] IReadOnlyList<SnapshotFileDescription> FileList,
    [property: Id(7)] string ManifestSha256);

/// <summary>Asks for a restore: into a branch, or to a directory.</summary>
/// <param name="Number">The backup; null: the newest whole one.</param>
/// <param name="IntoBranch">The branch that it becomes, of this database. Excludes
/// <paramref name="Directory"/>.</param>
/// <param name="Directory">The directory that it becomes: a name, which is then under the node's directory of backups;
/// a path only where <c>Branching:Backups:AllowAnyTarget</c> says so.</param>
/// <param name="Replace">Replaces what stands there: a branch goes to quarantine.</param>
/// <param name="KeepFiles">Takes over files of the directory that is replaced, where they are the same.</param>
/// <param name="KeepReplaced">Keeps the directory that was replaced beside the new one.</param>
/// <param name="VerifyOnly">Only compares the directory with the backup.</param>
/// <param name="DryRun">Changes nothing and says what would happen.</param>
/// <param name="RequestedBy">Who asks, for the lineage. At most 256 characters.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.restore-backup-request")]
public sealed record RestoreBackupRequest(
    [property: Id(0)] ulong? Number,
    [property: Id(1)] string? IntoBranch,
    [property: Id(2)] string? Directory,
    [property: Id(3)] bool Replace = false,
    [property: Id(4)] bool KeepFiles = false,
    [property: Id(5)] bool KeepReplaced = false,
    [property: Id(6)] bool VerifyOnly = false,
    [property: Id(7)] bool DryRun = false,
    [property: Id(8)] string RequestedBy = "");

/// <summary>What an operation on a backup came to.</summary>
/// <param name="Backup">The backup.</param>
/// <param name="MovedFiles">Files that were copied or compared.</param>
/// <param name="MovedBytes">Their length.</param>
/// <param name="KeptFiles">Files that were there already.</param>
/// <param name="Findings">What is wrong, or keeps a dry run from working; each a sentence.</param>
/// <param name="Place">Where it was restored to.</param>
/// <param name="Replaced">Where what stood there is now.</param>
/// <param name="Done">Whether anything was changed.</param>
/// <param name="BytesNeeded">Room that a restore needs.</param>
/// <param name="BytesAvailable">Room there was; null: unknown.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.backup-outcome")]
public sealed record BackupOutcome(
    [property: Id(0)] BackupDescription Backup,
    [property: Id(1)] int MovedFiles,
    [property: Id(2)] long MovedBytes,
    [property: Id(3)] int KeptFiles,
    [property: Id(4)] IReadOnlyList<string> Findings,
    [property: Id(5)] string? Place = null,
    [property: Id(6)] string? Replaced = null,
    [property: Id(7)] bool Done = true,
    [property: Id(8)] long BytesNeeded = 0,
    [property: Id(9)] long? BytesAvailable = null);

/// <summary>What was deleted.</summary>
/// <param name="Numbers">The backups.</param>
/// <param name="Files">Files that no backup needs any more.</param>
/// <param name="Bytes">Their length.</param>
/// <param name="KeptBecause">Why no file was deleted; null: all that are needless were.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.backup-purge")]
public sealed record BackupPurge(
    [property: Id(0)] IReadOnlyList<ulong> Numbers,
    [property: Id(1)] int Files,
    [property: Id(2)] long Bytes,
    [property: Id(3)] string? KeptBecause);
