using Branching.RocksDb;
using Branching.RocksDb.Files;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>Puts stores together from snapshots, in a directory that nobody sees yet. Thread-safe.</summary>
/// <remarks>
/// Each object is fetched once into a local directory of objects, verified and made durable there. A store's tables
/// are hard links to it, so ten branches of one parent share one local copy; what RocksDB writes to is copied. Killed
/// anywhere, the objects that were complete are used again and the staged directory is made anew.
/// </remarks>
public sealed partial class SnapshotRestorer
{
    private readonly SnapshotOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Disk _disk;

    /// <summary>Makes a restorer.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="time">The clock of rates and durations.</param>
    /// <param name="logger">Where it reports.</param>
    public SnapshotRestorer(SnapshotOptions options, TimeProvider time, ILogger logger)
        : this(options, time, logger, new Disk())
    {
    }

    internal SnapshotRestorer(SnapshotOptions options, TimeProvider time, ILogger logger, Disk disk)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(logger);
        _options = options;
        _time = time;
        _logger = logger;
        _disk = disk;
    }

    /// <summary>The merge operators that restored stores may need.</summary>
    internal MergeCatalog Merges { get; init; } = new([]);

    /// <summary>Whether a hard link can be made; tests replace it.</summary>
    internal Func<string, string, bool> TryLink { get; init; } =
        static (existing, link) => LocalFiles.TryCreateHardLink(existing, link, out _);

    /// <summary>Stages one store. Its sequence numbers go on from the snapshot's.</summary>
    /// <remarks>
    /// Everything is checked before the first byte is fetched: format, RocksDB's version, comparators, column families,
    /// merge operators, disk space. Every byte is compared with its digest.
    /// </remarks>
    /// <param name="shared">Where the snapshot is.</param>
    /// <param name="repository">The snapshots it belongs to.</param>
    /// <param name="manifest">The snapshot.</param>
    /// <param name="directory">
    /// The directory to make; what an interrupted call left there is removed. Its parent must exist.
    /// </param>
    /// <param name="objects">Local objects, on the same file system; shared by all stores of one restore.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it; objects that are complete stay.</param>
    /// <exception cref="StorageException">
    /// Nothing is left in <paramref name="directory"/>. <see cref="FailureKind.SnapshotIncompatible"/>;
    /// <see cref="FailureKind.SnapshotDamaged"/>, naming file and object; <see cref="FailureKind.DiskFull"/>, saying
    /// what is needed and available; <see cref="FailureKind.SharedStorageUnavailable"/>…
    /// </exception>
    public async Task<RestoredStore> RestoreStoreAsync(
        ISharedStorage shared, SnapshotRepository repository, SnapshotManifest manifest, string directory,
        LocalObjects objects, RestoreOptions options, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(shared);
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(objects);
        ArgumentNullException.ThrowIfNull(options);
        long started = _time.GetTimestamp();
        Check(manifest, directory, objects, options);
        ProgressCount count = new(progress);
        string staged = Path.GetFullPath(directory);
        try
        {
            _disk.Reach(SnapshotStep.RestoreStarted);
            await FetchAsync(shared, repository, manifest, objects, options, count, cancellationToken)
                .ConfigureAwait(false);
            _disk.Reach(SnapshotStep.RestoreFetched);
            (int linked, int copied, BranchRecord record) = await Task.Run(
                () => Stage(manifest, staged, objects, options, count, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            RestoredStore restored = new(
                staged, manifest.Id, record, manifest.Sequence, linked, copied, count.FilesMoved, count.BytesMoved,
                manifest.TotalBytes, _time.GetElapsedTime(started));
            count.Enter(SnapshotPhase.Done);
            _logger.StoreStaged(
                record.Id, staged, manifest.Id, linked, copied, count.BytesMoved,
                restored.Elapsed.TotalMilliseconds);
            return restored;
        }
        catch (Exception e)
        {
            _disk.TryDeleteTree(staged, _logger);
            if (e is StorageException failure)
            {
                throw new StorageException(
                    failure.Kind, $"Snapshot {manifest.Id} was not restored: {failure.Message}", failure);
            }

            throw;
        }
    }

    /// <summary>What a restore of these snapshots together would do. Touches nothing.</summary>
    /// <param name="manifests">The snapshots.</param>
    /// <param name="directory">Where the stores would be; it or one of its parents must exist.</param>
    /// <param name="objects">Local objects that may be there already.</param>
    public RestorePlan Plan(IReadOnlyList<SnapshotManifest> manifests, string directory, LocalObjects? objects = null)
    {
        ArgumentNullException.ThrowIfNull(manifests);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        List<string> problems = [.. manifests.SelectMany(manifest => SnapshotCompatibility
            .FindDifferences(manifest, RocksDbLibrary.NativeVersion, Merges)
            .Concat(ManifestRules.FindMalformed(manifest))
            .Select(difference => $"Snapshot {manifest.Id}: {difference}"))];
        SnapshotFile[] missing = [.. manifests.SelectMany(manifest => manifest.Files)
            .DistinctBy(file => file.Sha256, StringComparer.Ordinal)
            .Where(file => objects is null || problems.Count > 0 || objects.Find(file) is null)];

        // Tables are linked; what RocksDB writes to is copied into every store.
        long copied = manifests.Sum(manifest => manifest.Files
            .Where(file => !StoreFileNames.IsImmutable(file.Role)).Sum(file => file.Bytes));
        long fetched = missing.Sum(file => file.Bytes);
        long needed = fetched + copied + _options.FreeBytesReserve;
        long? available = FreeBytesAt(directory);
        if (available < needed)
        {
            problems.Add(
                $"The disk of '{directory}' has {available} bytes available, {needed} are needed ({fetched} to " +
                $"fetch, {copied} to copy, {_options.FreeBytesReserve} in reserve).");
        }

        return new RestorePlan(
            [.. manifests.Select(manifest => manifest.Id)], manifests.Sum(manifest => manifest.Files.Count),
            manifests.Sum(manifest => manifest.Files.Sum(file => file.Bytes)), missing.Length, fetched, needed,
            available, problems);
    }

    private void Check(SnapshotManifest manifest, string directory, LocalObjects objects, RestoreOptions options)
    {
        options.Check();
        SnapshotCompatibility.Check(manifest, Merges);
        if (ManifestRules.FindMalformed(manifest).FirstOrDefault() is { } malformed)
        {
            throw new StorageException(
                FailureKind.SnapshotDamaged,
                $"Snapshot {manifest.Id} cannot be restored: {malformed} Nothing was touched.");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(directory)) is not { } parent || !Directory.Exists(parent))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"Snapshot {manifest.Id} cannot be restored to '{directory}': its parent directory does not exist.");
        }

        CheckSpace([manifest], parent, objects);
    }

    /// <summary>Refuses a restore that the local disk has no room for, before the first byte is fetched.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.DiskFull"/>, with what is needed and available.
    /// </exception>
    internal void CheckSpace(IReadOnlyList<SnapshotManifest> manifests, string directory, LocalObjects? objects)
    {
        RestorePlan plan = Plan(manifests, directory, objects);
        if (plan.BytesAvailable is null)
        {
            _logger.LocalSpaceUnknown(directory, plan.BytesNeeded);
        }

        if (plan.BytesAvailable < plan.BytesNeeded)
        {
            throw new StorageException(
                FailureKind.DiskFull,
                $"{(manifests.Count == 1 ? $"Snapshot {manifests[0].Id}" : $"These {manifests.Count} snapshots")} " +
                $"cannot be restored: {plan.Problems[^1]} Free space, or restore elsewhere. Nothing was touched.");
        }
    }

    private async Task FetchAsync(
        ISharedStorage shared, SnapshotRepository repository, SnapshotManifest manifest, LocalObjects objects,
        RestoreOptions options, ProgressCount count, CancellationToken cancellationToken)
    {
        long bytesPerSecond = options.BytesPerSecond ?? _options.FetchBytesPerSecond;
        RateLimit? rate = bytesPerSecond > 0 ? new RateLimit(bytesPerSecond, _time) : null;
        SnapshotFile[] files = [.. manifest.Files.DistinctBy(file => file.Sha256, StringComparer.Ordinal)];
        count.Begin(SnapshotPhase.Fetching, files.Length, files.Sum(file => file.Bytes));

        // The largest first, so that the last one does not run alone at the end.
        await Parallel.ForEachAsync(
            files.OrderByDescending(file => file.Bytes),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = options.Parallelism ?? _options.Parallelism,
                CancellationToken = cancellationToken,
            },
            async (file, stop) =>
            {
                ProgressCount.FileProgress fetching = count.Of(file.Name);
                bool fetched = await objects.GetAsync(
                    shared, repository.FullNameOf(file), file, rate, fetching, stop).ConfigureAwait(false);
                if (fetched)
                {
                    count.Moved(file.Name, file.Bytes, fetching.Counted);
                }
                else
                {
                    count.Skip(file.Name, file.Bytes);
                }
            }).ConfigureAwait(false);
    }

    private static long? FreeBytesAt(string directory)
    {
        for (string? path = Path.GetFullPath(directory); path is not null; path = Path.GetDirectoryName(path))
        {
            if (Directory.Exists(path))
            {
                try
                {
                    return LocalFiles.GetFreeBytes(path);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
                {
                    return null; // The plan says that it is unknown.
                }
            }
        }

        return null;
    }
}
