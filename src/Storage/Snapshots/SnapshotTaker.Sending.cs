using System.Collections.Concurrent;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

public sealed partial class SnapshotTaker
{
    // An object that vanishes again right after it was sent is not a race but somebody cleaning up.
    private const int Attempts = 3;

    /// <summary>Puts every file of the checkpoint on shared storage that is not there yet.</summary>
    private async Task<IReadOnlyList<SnapshotFile>> SendAsync(
        Taking taking, Publication publication, string checkpoint, IReadOnlySet<string> tables,
        CancellationToken cancellationToken)
    {
        string store = taking.Files.StoreOf(taking.Record!.Id);
        Digests(taking).Include(store);
        List<CheckpointFile> files = CheckpointContents.Read(checkpoint, store, tables);
        taking.Count.Begin(SnapshotPhase.Sending, files.Count, files.Sum(file => file.Bytes));
        RateLimit? rate = taking.Request.BytesPerSecond is { } own ? new RateLimit(own, _time) : _rate;
        using FileDigester digester = new();
        await CheckSpaceAsync(taking, publication, digester, files, cancellationToken).ConfigureAwait(false);
        ConcurrentBag<Placed> placed = [];
        await Parallel.ForEachAsync(files, Several(taking, cancellationToken), async (file, stop) =>
        {
            string sha256 = await DigestAsync(taking, digester, file, stop).ConfigureAwait(false);
            placed.Add(await PlaceAsync(taking, publication, rate, file, sha256, stop).ConfigureAwait(false));
        }).ConfigureAwait(false);
        IReadOnlyList<Placed> confirmed = await ConfirmAsync(
            taking, publication, rate, [.. placed], cancellationToken).ConfigureAwait(false);
        taking.Disk.Reach(SnapshotStep.TakeObjectsConfirmed);
        return [.. confirmed.Select(one => one.File).OrderBy(file => file.Name, StringComparer.Ordinal)];
    }

    /// <summary>Before the first byte is sent. What is new is only read for it when it might not fit.</summary>
    private async Task CheckSpaceAsync(
        Taking taking, Publication publication, FileDigester digester, List<CheckpointFile> files,
        CancellationToken cancellationToken)
    {
        ObjectSender sender = SenderOf(taking.Tenure);
        CheckpointFile[] unknown = [.. files.Where(file => file.Identity is not { } identity
            || Digests(taking).Find(identity) is not { } sha256 || sender.Find(publication, sha256) is null)];
        long most = unknown.Sum(file => file.Bytes);
        long? free = await SharedSpace.MeasureAsync(_shared, most, _logger, cancellationToken).ConfigureAwait(false);
        if (free is null || most <= free)
        {
            return;
        }

        Dictionary<string, long> missing = new(StringComparer.Ordinal);
        foreach (CheckpointFile file in unknown)
        {
            string sha256 = await DigestAsync(taking, digester, file, cancellationToken).ConfigureAwait(false);
            if (sender.Find(publication, sha256) is null)
            {
                missing[sha256] = file.Bytes;
            }
        }

        SharedSpace.ThrowIfTooSmall(_shared, free, missing.Values.Sum(), missing.Count);
    }

    private async Task<string> DigestAsync(
        Taking taking, FileDigester digester, CheckpointFile file, CancellationToken cancellationToken)
    {
        DigestCache digests = Digests(taking);
        if (file.Identity is { } identity && digests.Find(identity) is { } known)
        {
            return known;
        }

        string sha256 = await digester.DigestAsync(file.Path, taking.Reading, cancellationToken)
            .ConfigureAwait(false);
        Interlocked.Add(ref taking.DigestedBytes, file.Bytes);
        if (file.Identity is { } immutable)
        {
            digests.Add(immutable, sha256);
        }

        taking.Disk.Reach(SnapshotStep.TakeDigested);
        return sha256;
    }

    private async Task<Placed> PlaceAsync(
        Taking taking, Publication publication, RateLimit? rate, CheckpointFile file, string sha256,
        CancellationToken cancellationToken)
    {
        if (SenderOf(taking.Tenure).Find(publication, sha256) is { } there)
        {
            taking.Count.Skip(file.Name, file.Bytes);
            return new Placed(file, file.As(sha256, there), Relied: true);
        }

        return await SendOneAsync(taking, publication, rate, file, sha256, again: false, cancellationToken)
            .ConfigureAwait(false);
    }

    private async Task<Placed> SendOneAsync(
        Taking taking, Publication publication, RateLimit? rate, CheckpointFile file, string sha256, bool again,
        CancellationToken cancellationToken)
    {
        taking.Disk.Reach(SnapshotStep.TakeObjectSending);
        ProgressCount.FileProgress sending = taking.Count.Of(file.Name);
        try
        {
            (string name, bool sent) = await SenderOf(taking.Tenure).SendAsync(
                publication, new FileToSend(file.Path, file.Bytes, sha256, rate, sending), again, cancellationToken)
                .ConfigureAwait(false);
            taking.Disk.Reach(SnapshotStep.TakeObjectSent);
            if (sent)
            {
                taking.Count.Moved(file.Name, file.Bytes, sending.Counted);
            }
            else
            {
                taking.Count.Skip(file.Name, file.Bytes); // Another snapshot sent it at the same time.
            }

            return new Placed(file, file.As(sha256, name), Relied: !sent);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption && file.Identity is { } identity)
        {
            // What was sent is not what the cache said of the file: whichever is wrong, it is read anew next time.
            Digests(taking).Forget(identity);
            throw;
        }
    }

    /// <summary>
    /// Looks for every object that was relied on without being sent now, and sends those that are gone: a file that a
    /// collection or a hand removed must not be named by a new manifest.
    /// </summary>
    private async Task<IReadOnlyList<Placed>> ConfirmAsync(
        Taking taking, Publication publication, RateLimit? rate, IReadOnlyList<Placed> placed,
        CancellationToken cancellationToken)
    {
        ObjectSender sender = SenderOf(taking.Tenure);
        for (int attempt = 1; ; attempt++)
        {
            List<SnapshotFile> missing = await sender.FindMissingAsync(
                publication, [.. placed.Where(one => one.Relied).Select(one => one.File)], cancellationToken)
                .ConfigureAwait(false);
            if (missing.Count == 0)
            {
                return placed;
            }

            if (attempt == Attempts)
            {
                throw new StorageException(
                    FailureKind.SnapshotDamaged,
                    $"{missing.Count} objects on '{_shared.Location}' vanish as often as they are sent, among them " +
                    $"'{missing[0].ObjectName}'. Find out what removes them; only this owner may.");
            }

            _logger.ObjectsMissing(missing.Count, missing[0].ObjectName, _shared.Location);
            HashSet<SnapshotFile> gone = [.. missing];
            ConcurrentBag<Placed> again = [.. placed.Where(one => !gone.Contains(one.File))];
            await Parallel.ForEachAsync(
                placed.Where(one => gone.Contains(one.File)), Several(taking, cancellationToken), async (one, stop) =>
                {
                    Placed placedAgain = await SendOneAsync(
                        taking, publication, rate, one.Local, one.File.Sha256, again: true, stop).ConfigureAwait(false);
                    sender.Replace(one.File.Sha256, placedAgain.File.ObjectName);
                    again.Add(placedAgain);
                }).ConfigureAwait(false);
            placed = [.. again];
        }
    }

    private ParallelOptions Several(Taking taking, CancellationToken cancellationToken) => new()
    {
        MaxDegreeOfParallelism = taking.Request.Parallelism ?? _options.Parallelism,
        CancellationToken = cancellationToken,
    };

    /// <summary>A file whose object is known; one that was relied on was there before, as far as known.</summary>
    private sealed record Placed(CheckpointFile Local, SnapshotFile File, bool Relied);
}
