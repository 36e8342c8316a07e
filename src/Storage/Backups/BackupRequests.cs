using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <summary>How a backup directory is used.</summary>
public sealed record BackupOptions
{
    /// <summary>Files read, copied or compared at the same time. 1 to 64, default 4.</summary>
    public int Parallelism { get; init; } = 4;

    /// <summary>Most bytes per second that one operation reads, and as many that it writes; 0: no limit.
    /// Default: 0.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>Bytes that stay free on a disk beyond what an operation needs. Default: 64 MiB.</summary>
    public long FreeBytesReserve { get; init; } = 64L << 20;

    /// <summary>Digests of files that are remembered between backups. Default: 200,000.</summary>
    public int RememberedDigests { get; init; } = 200_000;

    /// <summary>
    /// Where the user's merge operators are, for the stores that need them; <see langword="null"/>: there are none.
    /// </summary>
    public StorageOptions? Storage { get; init; }

    /// <summary>How long one small step may take. Default: 30 s.</summary>
    public TimeSpan StepTimeout { get; init; } = TimeSpan.FromSeconds(30);

    internal void Check()
    {
        if (Parallelism is < 1 or > 64 || BytesPerSecond < 0 || FreeBytesReserve < 0 || RememberedDigests < 0
            || StepTimeout <= TimeSpan.Zero)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"The options of the backup directory are refused: Parallelism {Parallelism} must be 1 to 64, " +
                $"BytesPerSecond {BytesPerSecond}, FreeBytesReserve {FreeBytesReserve} and RememberedDigests " +
                $"{RememberedDigests} at least 0, StepTimeout {StepTimeout} more than 0.");
        }
    }
}

/// <summary>Asks for a backup.</summary>
public sealed record CreateBackup
{
    private const int MostLabel = 256;

    /// <summary>A name for people; at most 256 characters.</summary>
    public string Label { get; init; } = "";

    /// <summary>The caller's own entries: at most 64, with keys of 1 to 128 and values of at most 1,024
    /// characters.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>
    /// Whether memtables are written to tables first. If not, the write-ahead log is part of the backup; it holds as
    /// much either way. Default: no.
    /// </summary>
    public bool FlushFirst { get; init; }

    /// <summary>
    /// Whether the backup is fsynced before it is answered. If not, a loss of power may damage it. Default: yes.
    /// </summary>
    public bool Sync { get; init; } = true;

    /// <summary>
    /// Whether files that the directory holds already are read and compared; a damaged one is put anew, which mends
    /// every backup that needs it. Default: no.
    /// </summary>
    public bool CheckReused { get; init; }

    /// <summary>The directory of the store's change log; <see langword="null"/>: there is none.</summary>
    public string? ChangeLogDirectory { get; init; }

    /// <summary>
    /// Where the checkpoint is made, on the store's file system; <see langword="null"/>: beside the store.
    /// </summary>
    public string? WorkDirectory { get; init; }

    internal string? Checkpoint { get; init; }

    internal void Check()
    {
        if (Label is null or { Length: > MostLabel })
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"The label of the backup is refused: it has more than {MostLabel} characters.");
        }

        SnapshotLabels.Check(Metadata);
    }
}

/// <summary>A backup that was made.</summary>
/// <param name="Manifest">The backup.</param>
/// <param name="NewFiles">Files that the directory did not hold.</param>
/// <param name="NewBytes">Bytes of those files.</param>
/// <param name="ReusedFiles">Files that it held.</param>
/// <param name="MendedFiles">Files that it held damaged.</param>
/// <param name="DigestedBytes">Bytes that were read to know their digest.</param>
/// <param name="BytesAvailable">Free bytes on its disk before; <see langword="null"/>: unknown.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record BackupResult(
    BackupManifest Manifest, int NewFiles, long NewBytes, int ReusedFiles, int MendedFiles, long DigestedBytes,
    long? BytesAvailable, TimeSpan Elapsed)
{
    /// <summary>The backup's number.</summary>
    public BackupId Id => Manifest.Id;
}

/// <summary>What was deleted.</summary>
/// <param name="Deleted">The backups.</param>
/// <param name="Objects">Files that no backup needs any more.</param>
/// <param name="Bytes">Bytes of those files.</param>
/// <param name="KeptBecause">Why no file was deleted; <see langword="null"/>: all that are needless were.</param>
public sealed record PurgeReport(IReadOnlyList<BackupId> Deleted, int Objects, long Bytes, string? KeptBecause);

/// <summary>How thoroughly a backup is verified. The numbers travel.</summary>
public enum BackupVerification
{
    /// <summary>Every file is there and has its length.</summary>
    Sizes = 0,

    /// <summary>Every file is read and compared with its digest.</summary>
    Checksums = 1,

    /// <summary>The store is also put together in a scratch directory, opened, and read whole.</summary>
    Opened = 2,
}

/// <summary>What a verification found.</summary>
/// <param name="Id">The backup.</param>
/// <param name="Level">How thorough it was.</param>
/// <param name="Files">Files looked at.</param>
/// <param name="Bytes">Bytes read and compared.</param>
/// <param name="Findings">Everything that is wrong; empty when nothing is.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record BackupReport(
    BackupId Id, BackupVerification Level, int Files, long Bytes, IReadOnlyList<SnapshotFinding> Findings,
    TimeSpan Elapsed)
{
    /// <summary>Whether the backup can be relied on.</summary>
    public bool Passed => Findings.Count == 0;
}

/// <summary>What is done with a store that stands where a backup is restored to. The numbers travel.</summary>
public enum BackupRestoreMode
{
    /// <summary>Nothing: a directory that holds anything is refused.</summary>
    IntoEmpty = 0,

    /// <summary>It is replaced by one made of the backup alone.</summary>
    Replace = 1,

    /// <summary>It is replaced; those of its files that the backup has, too, are read and taken over.</summary>
    Keep = 2,

    /// <summary>It is only compared with the backup.</summary>
    VerifyOnly = 3,
}

/// <summary>Asks for a restore.</summary>
public sealed record RestoreBackup
{
    /// <summary>What is done with what stands at the target.</summary>
    public BackupRestoreMode Mode { get; init; }

    /// <summary>
    /// Whether what stood at the target stays beside it, as <c>&lt;target&gt;.replaced-&lt;number&gt;</c>.
    /// </summary>
    public bool KeepReplaced { get; init; }

    /// <summary>Whether the restored store is opened on trial before it takes its place. Default: no.</summary>
    public bool OpenCheck { get; init; }

    /// <summary>Whether the change log is restored, when the backup has one. Default: yes.</summary>
    public bool WithChangeLog { get; init; } = true;

    /// <summary>Only say what would happen.</summary>
    public bool DryRun { get; init; }
}

/// <summary>What a restore did, or would do.</summary>
/// <param name="Id">The backup.</param>
/// <param name="Target">Where it is restored to.</param>
/// <param name="Sequence">The sequence that the store goes on from.</param>
/// <param name="Files">Files of the store.</param>
/// <param name="TotalBytes">Bytes of those files.</param>
/// <param name="CopiedBytes">Bytes copied from the backup directory, or to be copied.</param>
/// <param name="KeptFiles">Files taken over from the store that stood there.</param>
/// <param name="BytesNeeded">Disk space needed, with the reserve.</param>
/// <param name="BytesAvailable">Disk space there was; <see langword="null"/>: unknown.</param>
/// <param name="Replaced">Where the store that stood there is now; <see langword="null"/>: nowhere.</param>
/// <param name="Differences">
/// What keeps a dry run from working, or what <see cref="BackupRestoreMode.VerifyOnly"/> found, a sentence each.
/// </param>
/// <param name="Done">Whether anything was changed.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record BackupRestoreReport(
    BackupId Id, string Target, Sequence Sequence, int Files, long TotalBytes, long CopiedBytes, int KeptFiles,
    long BytesNeeded, long? BytesAvailable, string? Replaced, IReadOnlyList<string> Differences, bool Done,
    TimeSpan Elapsed);
