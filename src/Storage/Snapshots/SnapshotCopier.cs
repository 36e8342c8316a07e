using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>Copies snapshots to another shared storage. Thread-safe.</summary>
/// <remarks>
/// Objects first, each compared with its digest on both ways, the manifest last: as when it was taken. At the other
/// place it is published under an epoch of that place, so its id there is another one.
/// </remarks>
/// <param name="from">Where the snapshots are.</param>
/// <param name="source">The snapshots there.</param>
/// <param name="options">Validated options.</param>
/// <param name="time">The clock of rates and durations.</param>
/// <param name="logger">Where it reports.</param>
public sealed class SnapshotCopier(
    ISharedStorage from, SnapshotRepository source, SnapshotOptions options, TimeProvider time, ILogger logger)
{
    private int _sentFiles;
    private long _sentBytes;

    /// <summary>Files sent since it was made; the others were at the other place already.</summary>
    public int SentFiles => Volatile.Read(ref _sentFiles);

    /// <summary>Their length.</summary>
    public long SentBytes => Interlocked.Read(ref _sentBytes);

    /// <summary>
    /// Copies one snapshot. Objects that are at the other place already are not sent again, and a copy of it that is
    /// there whole is not made a second time.
    /// </summary>
    /// <param name="manifest">The snapshot.</param>
    /// <param name="to">The other place.</param>
    /// <param name="target">The snapshots of the same database there.</param>
    /// <param name="tenure">Under which this process owns the database at the other place.</param>
    /// <param name="scratchDirectory">A local directory that exists: objects pass through it.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it; nothing is published then.</param>
    /// <returns>The manifest at the other place.</returns>
    /// <exception cref="StorageException">
    /// Nothing was published. <see cref="FailureKind.SnapshotDamaged"/>: an object is;
    /// <see cref="FailureKind.Fenced"/>; <see cref="FailureKind.SharedStorageUnavailable"/>…
    /// </exception>
    public async Task<SnapshotManifest> CopyAsync(
        SnapshotManifest manifest, ISharedStorage to, SnapshotRepository target, Tenure tenure,
        string scratchDirectory, IProgress<SnapshotProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(tenure);
        ArgumentException.ThrowIfNullOrEmpty(scratchDirectory);
        Check(manifest, tenure);
        long started = time.GetTimestamp();
        string scratch = Path.Combine(scratchDirectory, StoreId.New(time).ToString());
        ProgressCount count = new(progress);
        try
        {
            using Publication publication = await target.BeginPublicationAsync(tenure, cancellationToken)
                .ConfigureAwait(false);
            ObjectSender sender = new(to, tenure);
            if (await FindCopyAsync(manifest, target, sender, publication, cancellationToken).ConfigureAwait(false)
                is { } there)
            {
                count.Enter(SnapshotPhase.Done);
                return there;
            }

            Transfer transfer = new(
                LocalObjects.Open(scratch), sender, publication, count,
                options.FetchBytesPerSecond > 0 ? new RateLimit(options.FetchBytesPerSecond, time) : null,
                options.SendBytesPerSecond > 0 ? new RateLimit(options.SendBytesPerSecond, time) : null, to);
            IReadOnlyList<SnapshotFile> files = await MoveAsync(manifest, transfer, cancellationToken)
                .ConfigureAwait(false);
            count.Enter(SnapshotPhase.Publishing);
            SnapshotId id = await target.PublishAsync(
                tenure,
                manifest with { Files = files, SentBytes = count.BytesMoved, Sha256 = "" },
                cancellationToken).ConfigureAwait(false);
            count.Enter(SnapshotPhase.Done);
            Interlocked.Add(ref _sentFiles, count.FilesMoved);
            Interlocked.Add(ref _sentBytes, count.BytesMoved);
            logger.SnapshotCopied(
                manifest.Id, from.Location, to.Location, id, count.BytesMoved,
                time.GetElapsedTime(started).TotalMilliseconds);
            return await target.ReadManifestAsync(id, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new StorageException(
                e.Kind, $"Snapshot {manifest.Id} was not copied to '{to.Location}': {e.Message}", e);
        }
        finally
        {
            await Task.Run(() => new Disk().TryDeleteTree(scratch, logger), CancellationToken.None)
                .ConfigureAwait(false);
        }
    }

    /// <summary>A copy that is there already, with all its objects.</summary>
    private static async Task<SnapshotManifest?> FindCopyAsync(
        SnapshotManifest manifest, SnapshotRepository target, ObjectSender sender, Publication publication,
        CancellationToken cancellationToken)
    {
        SnapshotView view = await target.ReadAsync(cancellationToken).ConfigureAwait(false);
        SnapshotManifest? copy = view.Snapshots.LastOrDefault(one => one.Id.Store == manifest.Id.Store
            && (one.Branch, one.Sequence, one.TakenAt) == (manifest.Branch, manifest.Sequence, manifest.TakenAt)
            && ContentsOf(one).SetEquals(ContentsOf(manifest)));
        return copy is not null
            && await sender.FindMissingAsync(publication, copy.Files, cancellationToken).ConfigureAwait(false)
                is { Count: 0 }
            ? copy
            : null;

        static HashSet<(string, string)> ContentsOf(SnapshotManifest one) =>
            [.. one.Files.Select(file => (file.Name, file.Sha256))];
    }

    private async Task<IReadOnlyList<SnapshotFile>> MoveAsync(
        SnapshotManifest manifest, Transfer transfer, CancellationToken cancellationToken)
    {
        SnapshotFile[] copies = new SnapshotFile[manifest.Files.Count];
        transfer.Count.Begin(SnapshotPhase.Sending, manifest.Files.Count, manifest.TotalBytes);
        await CheckSpaceAsync(manifest, transfer, cancellationToken).ConfigureAwait(false);
        await Parallel.ForEachAsync(
            Enumerable.Range(0, copies.Length),
            new ParallelOptions { MaxDegreeOfParallelism = options.Parallelism, CancellationToken = cancellationToken },
            async (i, stop) => copies[i] = await MoveOneAsync(manifest.Files[i], transfer, again: false, stop)
                .ConfigureAwait(false)).ConfigureAwait(false);
        HashSet<SnapshotFile> missing = await FindMissingAsync().ConfigureAwait(false);
        for (int i = 0; i < copies.Length && missing.Count > 0; i++)
        {
            if (missing.Contains(copies[i]))
            {
                copies[i] = await MoveOneAsync(manifest.Files[i], transfer, again: true, cancellationToken)
                    .ConfigureAwait(false);
                transfer.Sender.Replace(copies[i].Sha256, copies[i].ObjectName);
            }
        }

        return missing.Count == 0 || (missing = await FindMissingAsync().ConfigureAwait(false)).Count == 0
            ? copies
            : throw new StorageException(
                FailureKind.SnapshotDamaged,
                $"{missing.Count} objects vanish as often as they are sent, among them " +
                $"'{missing.First().ObjectName}'. Find out what removes them there, then copy again.");

        async Task<HashSet<SnapshotFile>> FindMissingAsync() =>
            [
                .. await transfer.Sender.FindMissingAsync(transfer.Publication, copies, cancellationToken)
                    .ConfigureAwait(false),
            ];
    }

    private async Task CheckSpaceAsync(
        SnapshotManifest manifest, Transfer transfer, CancellationToken cancellationToken)
    {
        SnapshotFile[] missing = [.. manifest.Files.DistinctBy(file => file.Sha256, StringComparer.Ordinal)
            .Where(file => transfer.Sender.Find(transfer.Publication, file.Sha256) is null)];
        long needed = missing.Sum(file => file.Bytes);
        long? free = await SharedSpace.MeasureAsync(transfer.To, needed, logger, cancellationToken)
            .ConfigureAwait(false);
        SharedSpace.ThrowIfTooSmall(transfer.To, free, needed, missing.Length);
    }

    private async Task<SnapshotFile> MoveOneAsync(
        SnapshotFile file, Transfer transfer, bool again, CancellationToken cancellationToken)
    {
        if (!again && transfer.Sender.Find(transfer.Publication, file.Sha256) is { } there)
        {
            transfer.Count.Skip(file.Name, file.Bytes);
            return file with { ObjectName = there };
        }

        await transfer.Objects.GetAsync(
            from, source.FullNameOf(file), file, transfer.FetchRate, progress: null, cancellationToken)
            .ConfigureAwait(false);
        ProgressCount.FileProgress sending = transfer.Count.Of(file.Name);
        (string name, bool sent) = await transfer.Sender.SendAsync(
            transfer.Publication,
            new FileToSend(transfer.Objects.Require(file), file.Bytes, file.Sha256, transfer.SendRate, sending),
            again, cancellationToken).ConfigureAwait(false);
        if (sent)
        {
            transfer.Count.Moved(file.Name, file.Bytes, sending.Counted);
        }
        else
        {
            transfer.Count.Skip(file.Name, file.Bytes);
        }

        return file with { ObjectName = name };
    }

    private static void Check(SnapshotManifest manifest, Tenure tenure)
    {
        if (ManifestRules.FindMalformed(manifest).FirstOrDefault() is { } malformed)
        {
            throw new StorageException(
                FailureKind.SnapshotDamaged, $"Snapshot {manifest.Id} cannot be copied: {malformed}");
        }

        if (manifest.DatabaseId != tenure.Database)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"Snapshot {manifest.Id} is of database {manifest.DatabaseId}, the other place was opened for " +
                $"{tenure.Database}. Reserve the same database there.");
        }
    }

    private sealed record Transfer(
        LocalObjects Objects, ObjectSender Sender, Publication Publication, ProgressCount Count, RateLimit? FetchRate,
        RateLimit? SendRate, ISharedStorage To);
}
