namespace Branching.Storage.Snapshots;

/// <summary>A request for a snapshot.</summary>
/// <param name="Labels">Free labels, kept in the manifest.</param>
/// <param name="EvenIfUnchanged">
/// Whether a snapshot is taken although nothing was written since the last one; otherwise that one is the answer.
/// </param>
/// <param name="Parallelism">Files sent at the same time; <see langword="null"/>: as configured.</param>
/// <param name="BytesPerSecond">
/// Most bytes sent per second; <see langword="null"/>: as configured, together with the database's other snapshots.
/// </param>
public sealed record TakeSnapshot(
    IReadOnlyDictionary<string, string>? Labels = null,
    bool EvenIfUnchanged = false,
    int? Parallelism = null,
    long? BytesPerSecond = null);

/// <summary>What came of a request for a snapshot.</summary>
/// <param name="Manifest">The snapshot: the one taken, or the newest one when nothing was written since.</param>
/// <param name="Taken">
/// Whether a snapshot was taken; <see langword="false"/>: nothing was written since <paramref name="Manifest"/>.
/// </param>
/// <param name="SentFiles">Files whose content was sent.</param>
/// <param name="SentBytes">Bytes of those files.</param>
/// <param name="ReusedFiles">Files whose content was on shared storage already.</param>
/// <param name="DigestedBytes">Bytes that were read to know their digest.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record SnapshotResult(
    SnapshotManifest Manifest,
    bool Taken,
    int SentFiles,
    long SentBytes,
    int ReusedFiles,
    long DigestedBytes,
    TimeSpan Elapsed)
{
    /// <summary>The snapshot's id.</summary>
    public SnapshotId Id => Manifest.Id;
}

/// <summary>What an operation on a snapshot is at.</summary>
public enum SnapshotPhase
{
    /// <summary>The local checkpoint is made.</summary>
    Checkpoint = 0,

    /// <summary>Files are read and sent.</summary>
    Sending = 1,

    /// <summary>The manifest is put.</summary>
    Publishing = 2,

    /// <summary>Files are fetched.</summary>
    Fetching = 3,

    /// <summary>Stores are put together from fetched files.</summary>
    Staging = 4,

    /// <summary>Content is compared with its digest, or the store is opened on trial.</summary>
    Verifying = 5,

    /// <summary>Nothing is left to do.</summary>
    Done = 6,
}

/// <summary>How far an operation on a snapshot is. Later reports have higher numbers.</summary>
/// <param name="Phase">What it is at.</param>
/// <param name="File">The file it was last busy with.</param>
/// <param name="FilesDone">Files that are done with.</param>
/// <param name="FilesTotal">Files in all.</param>
/// <param name="BytesDone">Bytes that are done with.</param>
/// <param name="BytesTotal">Bytes in all.</param>
/// <param name="FilesMoved">Files sent or fetched.</param>
/// <param name="BytesMoved">Bytes sent or fetched.</param>
/// <param name="FilesSkipped">Files that were there already.</param>
public sealed record SnapshotProgress(
    SnapshotPhase Phase,
    string? File,
    int FilesDone,
    int FilesTotal,
    long BytesDone,
    long BytesTotal,
    int FilesMoved,
    long BytesMoved,
    int FilesSkipped);

/// <summary>The limits of a snapshot's labels: those of a branch.</summary>
internal static class SnapshotLabels
{
    private const int Most = 64;
    private const int MostKey = 128;
    private const int MostValue = 1024;

    public static void Check(IReadOnlyDictionary<string, string>? labels)
    {
        if (labels is null)
        {
            return;
        }

        if (labels.Count > Most || labels.Any(
            label => label.Key.Length is 0 or > MostKey || label.Value is null || label.Value.Length > MostValue))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"The labels are refused: use at most {Most}, with keys of 1 to {MostKey} and values of at most " +
                $"{MostValue} characters.");
        }
    }
}
