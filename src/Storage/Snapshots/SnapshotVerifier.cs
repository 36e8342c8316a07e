using System.Collections.Concurrent;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>Finds what is wrong with a snapshot. Changes nothing on shared storage. Thread-safe.</summary>
/// <param name="shared">Where the snapshot is.</param>
/// <param name="repository">The snapshots it belongs to.</param>
/// <param name="options">Validated options.</param>
/// <param name="time">The clock of rates and durations.</param>
/// <param name="logger">Where it reports.</param>
public sealed class SnapshotVerifier(
    ISharedStorage shared, SnapshotRepository repository, SnapshotOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>Reads and compares every object; with <see cref="VerificationLevel.Opened"/> the store is also restored
    /// into the scratch directory, opened, and every key of it read.</summary>
    /// <returns>Everything that is wrong, not only the first thing.</returns>
    /// <exception cref="StorageException">
    /// It could not be found out: <see cref="FailureKind.SharedStorageUnavailable"/>,
    /// <see cref="FailureKind.DiskFull"/> of the scratch directory…
    /// </exception>
    public async Task<VerificationReport> VerifyAsync(
        SnapshotManifest manifest, VerifyOptions request, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        Check(request);
        long started = time.GetTimestamp();
        ProgressCount count = new(progress);
        string scratch = Path.Combine(request.ScratchDirectory, StoreId.New(time).ToString());
        try
        {
            LocalObjects objects = LocalObjects.Open(scratch);
            ConcurrentBag<SnapshotFinding> findings = [.. await FindExtraAsync(manifest, cancellationToken)
                .ConfigureAwait(false)];
            bool keep = request.Level == VerificationLevel.Opened;
            await CompareAsync(manifest, request, objects, keep, findings, count, cancellationToken)
                .ConfigureAwait(false);
            if (keep && findings.All(finding => finding.Kind == FindingKind.Extra)
                && await TryOpenAsync(manifest, objects, request, cancellationToken)
                    .ConfigureAwait(false) is { } finding)
            {
                findings.Add(finding);
            }

            VerificationReport report = new(
                manifest.Id, request.Level, manifest.Files.Count, count.BytesMoved,
                [.. findings.OrderBy(f => f.Name, StringComparer.Ordinal)], time.GetElapsedTime(started));
            Report(report);
            return report;
        }
        finally
        {
            await Task.Run(() => new Disk().TryDeleteTree(scratch, logger), CancellationToken.None)
                .ConfigureAwait(false);
        }
    }

    /// <summary>As <see cref="VerifyAsync"/>, and records the result beside the snapshot.</summary>
    public async Task<VerificationReport> VerifyAndRecordAsync(
        SnapshotManifest manifest, VerifyOptions request, Tenure tenure, IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        VerificationReport report = await VerifyAsync(manifest, request, progress, cancellationToken)
            .ConfigureAwait(false);
        await repository.RecordVerificationAsync(
            tenure, manifest.Id, report.ToResult(time.GetUtcNow(), tenure.Owner.NodeName), cancellationToken)
            .ConfigureAwait(false);
        return report;
    }

    private async Task CompareAsync(
        SnapshotManifest manifest, VerifyOptions request, LocalObjects objects, bool keep,
        ConcurrentBag<SnapshotFinding> findings, ProgressCount count, CancellationToken cancellationToken)
    {
        foreach (string malformed in ManifestRules.FindMalformed(manifest))
        {
            findings.Add(new SnapshotFinding(
                FindingKind.Malformed, manifest.Id.ToString(), null, $"Snapshot {manifest.Id}: {malformed}"));
        }

        SnapshotFile[] files = [.. manifest.Files.Where(file => LocalObjects.IsDigest(file.Sha256))
            .DistinctBy(file => file.ObjectName, StringComparer.Ordinal)];
        count.Begin(SnapshotPhase.Verifying, files.Length, files.Sum(file => file.Bytes));
        long bytesPerSecond = request.BytesPerSecond ?? options.FetchBytesPerSecond;
        RateLimit? rate = bytesPerSecond > 0 ? new RateLimit(bytesPerSecond, time) : null;
        await Parallel.ForEachAsync(
            files,
            new ParallelOptions
            {
                MaxDegreeOfParallelism = request.Parallelism ?? options.Parallelism,
                CancellationToken = cancellationToken,
            },
            async (file, stop) =>
            {
                ProgressCount.FileProgress reading = count.Of(file.Name);
                try
                {
                    await objects.GetAsync(shared, repository.FullNameOf(file), file, rate, reading, stop)
                        .ConfigureAwait(false);
                    count.Moved(file.Name, file.Bytes, reading.Counted);
                    if (!keep)
                    {
                        objects.Drop(file);
                    }
                }
                catch (StorageException e) when (e.Data[nameof(FindingKind)] is FindingKind kind)
                {
                    findings.Add(new SnapshotFinding(kind, file.Name, repository.FullNameOf(file), e.Message));
                    count.Done(file.Name, 0);
                }
            }).ConfigureAwait(false);
    }

    private async Task<SnapshotFinding?> TryOpenAsync(
        SnapshotManifest manifest, LocalObjects objects, VerifyOptions request, CancellationToken cancellationToken)
    {
        SnapshotRestorer restorer = new(options, time, logger);
        string store = Path.Combine(objects.Directory, "store.part");
        try
        {
            await restorer.RestoreStoreAsync(
                shared, repository, manifest, store, objects,
                new RestoreOptions(ReadCheck: true, Parallelism: request.Parallelism), progress: null,
                cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (StorageException e) when (e.Kind is FailureKind.SnapshotDamaged or FailureKind.Corruption
            or FailureKind.UnknownStore)
        {
            return new SnapshotFinding(FindingKind.NotOpenable, manifest.Id.ToString(), null, e.Message);
        }
        catch (StorageException e) when (e.Kind == FailureKind.SnapshotIncompatible)
        {
            return new SnapshotFinding(FindingKind.Incompatible, manifest.Id.ToString(), null, e.Message);
        }
    }

    /// <summary>Entries beside the objects of this snapshot whose names are not those of objects.</summary>
    private async Task<List<SnapshotFinding>> FindExtraAsync(
        SnapshotManifest manifest, CancellationToken cancellationToken)
    {
        List<SnapshotFinding> extra = [];
        foreach (string directory in manifest.Files.Select(repository.FullNameOf)
            .Select(name => name[..name.LastIndexOf('/')]).Distinct(StringComparer.Ordinal))
        {
            IReadOnlyList<SharedEntry> entries = await shared.ListAsync(directory, cancellationToken)
                .ConfigureAwait(false);
            foreach (SharedEntry entry in entries.Where(entry => !IsObject(entry)))
            {
                string name = $"{directory}/{entry.Name}";
                extra.Add(new SnapshotFinding(
                    FindingKind.Extra, entry.Name, name,
                    $"'{name}' on '{shared.Location}' is not an object of this program. It was left as it is."));
            }
        }

        return extra;
    }

    private static bool IsObject(SharedEntry entry) =>
        !entry.IsDirectory && entry.Name.IndexOf('.', StringComparison.Ordinal) is var dot && dot > 0
        && LocalObjects.IsDigest(entry.Name[..dot]);

    private void Report(VerificationReport report)
    {
        foreach (SnapshotFinding finding in report.Findings)
        {
            logger.SnapshotFoundDamaged(report.Snapshot, finding.Text);
        }

        if (report.Passed)
        {
            logger.SnapshotVerified(
                report.Snapshot, report.Files, report.Bytes, report.Elapsed.TotalMilliseconds);
        }
    }

    private static void Check(VerifyOptions request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (!Directory.Exists(request.ScratchDirectory))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"The scratch directory '{request.ScratchDirectory}' does not exist. Create it, on a disk with room.");
        }
    }
}
