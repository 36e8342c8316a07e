using Microsoft.Extensions.Options;

namespace Branching.Storage.Snapshots;

/// <summary>Whose store a restored one becomes, when it is not the one that was snapshotted.</summary>
/// <param name="Database">The database it joins.</param>
/// <param name="Record">What its mark says; its id must be the name of the directory it is published under.</param>
public sealed record RestoreTarget(DatabaseId Database, BranchRecord Record);

/// <summary>How stores are restored.</summary>
/// <param name="OpenCheck">
/// Whether a copy of links of the staged store is opened on trial, and its sequence and column families compared.
/// </param>
/// <param name="ReadCheck">Whether the trial also reads every key and value, RocksDB's checksums included.</param>
/// <param name="Target">Whose store it becomes; <see langword="null"/>: the one it was.</param>
/// <param name="Parallelism">Files fetched at the same time; <see langword="null"/>: as configured.</param>
/// <param name="BytesPerSecond">Most bytes fetched per second; <see langword="null"/>: as configured.</param>
/// <param name="Storage">
/// The options that the restored store will be opened with, when they are not the usual ones: checked, and used by the
/// trial.
/// </param>
public sealed record RestoreOptions(
    bool OpenCheck = false,
    bool ReadCheck = false,
    RestoreTarget? Target = null,
    int? Parallelism = null,
    long? BytesPerSecond = null,
    StorageOptions? Storage = null)
{
    /// <summary>Refuses options that cannot work.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>, naming each.</exception>
    public void Check()
    {
        List<string> failures = [];
        if (Parallelism is < 1 or > 64)
        {
            failures.Add($"Parallelism is {Parallelism}; use 1 to 64.");
        }

        if (BytesPerSecond is < 1)
        {
            failures.Add($"BytesPerSecond is {BytesPerSecond}; use 1 or more, or nothing for what is configured.");
        }

        if (Storage is not null)
        {
            foreach (IValidateOptions<StorageOptions> rules in (IValidateOptions<StorageOptions>[])
                [new StorageOptionsValidator(), new StorageOptionsRules()])
            {
                failures.AddRange(rules.Validate(name: null, Storage).Failures ?? []);
            }
        }

        if (failures.Count > 0)
        {
            throw new StorageException(
                FailureKind.InvalidArgument, $"The restore is refused: {string.Join(" ", failures)}");
        }
    }
}

/// <summary>A store that was staged: complete, verified and durable, but not published.</summary>
/// <param name="Directory">Where it is; the caller publishes it by a rename and an fsync of both parents.</param>
/// <param name="Snapshot">What it was restored from.</param>
/// <param name="Record">What its mark says.</param>
/// <param name="Sequence">The sequence it continues from.</param>
/// <param name="LinkedFiles">Files that share their bytes with the local objects.</param>
/// <param name="CopiedFiles">Files with bytes of their own.</param>
/// <param name="FetchedFiles">Objects fetched for it; the others were local already.</param>
/// <param name="FetchedBytes">Bytes fetched for it.</param>
/// <param name="TotalBytes">Bytes of all its files.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record RestoredStore(
    string Directory,
    SnapshotId Snapshot,
    BranchRecord Record,
    Sequence Sequence,
    int LinkedFiles,
    int CopiedFiles,
    int FetchedFiles,
    long FetchedBytes,
    long TotalBytes,
    TimeSpan Elapsed);

/// <summary>What a restore would do; nothing was touched to know it.</summary>
/// <param name="Snapshots">The snapshots, in the given order.</param>
/// <param name="Files">Files of the restored stores.</param>
/// <param name="TotalBytes">Bytes of those files, shared ones counted for each store.</param>
/// <param name="FilesToFetch">Objects to be fetched, each once.</param>
/// <param name="BytesToFetch">Bytes of those objects.</param>
/// <param name="BytesNeeded">Local disk space needed, with the configured reserve.</param>
/// <param name="BytesAvailable">Local disk space there is; <see langword="null"/> when unknown.</param>
/// <param name="Problems">What keeps it from working, a sentence each.</param>
public sealed record RestorePlan(
    IReadOnlyList<SnapshotId> Snapshots,
    int Files,
    long TotalBytes,
    int FilesToFetch,
    long BytesToFetch,
    long BytesNeeded,
    long? BytesAvailable,
    IReadOnlyList<string> Problems);
