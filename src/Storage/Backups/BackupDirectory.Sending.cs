using System.Collections.Concurrent;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <content>Finding out what is new, and putting that.</content>
/// <remarks>
/// A file whose digest is remembered is looked for by its name. Any other is hashed while it is copied, in one reading,
/// unless it may be there already: then it is hashed first, so that nothing is written in vain. What is copied under a
/// digest that was known before is still checked against it; of a digest that is found on the way there is nothing to
/// check, since the bytes that were hashed are the bytes that were written.
/// </remarks>
public sealed partial class BackupDirectory
{
    // A file of one block is read whole before anything of it is written, so it is never written in vain.
    private const long OneBlock = 1 << 20;

    private async Task DigestAsync(
        Making making, ISharedStorage storage, string checkpoint, CancellationToken cancellationToken)
    {
        DigestCache cache = _digests.Value;
        cache.Include(making.Store.Directory);
        making.Files = Contents(making, checkpoint);
        foreach (SourceFile file in making.Files)
        {
            file.Sha256 = file.Identity is { } identity ? cache.Find(identity) : null;
        }

        SourceFile[] unknown = [.. making.Files.Where(file => file.Sha256 is null)];
        if (!making.Request.CheckReused && unknown.All(file => file.Bytes <= OneBlock))
        {
            making.There = await FindAsync(storage, making.Files, cancellationToken).ConfigureAwait(false);
            return;
        }

        // What has the length of no object is no object.
        making.There = await ReadObjectsAsync(storage, cancellationToken).ConfigureAwait(false);
        HashSet<long> lengths = [.. making.There.Values];
        await DigestAsync(
            making,
            [.. unknown.Where(
                file => making.Request.CheckReused || (file.Bytes > OneBlock && lengths.Contains(file.Bytes)))],
            cancellationToken).ConfigureAwait(false);
    }

    private async Task DigestAsync(Making making, SourceFile[] files, CancellationToken cancellationToken)
    {
        RateLimit? rate = NewRate();
        using FileDigester digester = new(_options.Parallelism);
        await Parallel.ForEachAsync(files, Several(cancellationToken), async (file, stop) => Digested(
            making, file, await digester.DigestAsync(file.Path, rate, stop).ConfigureAwait(false)))
            .ConfigureAwait(false);
    }

    private void Digested(Making making, SourceFile file, string sha256)
    {
        file.Sha256 = sha256;
        Interlocked.Add(ref making.DigestedBytes, file.Bytes);
        if (file.Identity is { } identity)
        {
            _digests.Value.Add(identity, sha256);
        }
    }

    private static List<SourceFile> Contents(Making making, string checkpoint)
    {
        List<SourceFile> files = [];
        foreach (CheckpointFile file in CheckpointContents.Read(
            checkpoint, making.Store.Directory, making.Inspection!.Tables))
        {
            files.Add(new SourceFile(file.Path, file.Name, file.Role, file.Bytes, file.Identity));
        }

        foreach (string name in making.ChangeLog)
        {
            string path = Path.Combine(checkpoint, name);
            files.Add(new SourceFile(path, name, null, new FileInfo(path).Length, null));
        }

        return files;
    }

    private static async Task<Dictionary<string, long>> FindAsync(
        ISharedStorage storage, IReadOnlyList<SourceFile> files, CancellationToken cancellationToken)
    {
        string[] wanted =
            [.. files.Select(file => file.Sha256).OfType<string>().Distinct(StringComparer.Ordinal)];
        IReadOnlyList<long?> found = await storage.FindAsync(
            [.. wanted.Select(BackupNames.ObjectOf)], cancellationToken).ConfigureAwait(false);
        return wanted.Zip(found).Where(pair => pair.Second is not null)
            .ToDictionary(pair => pair.First, pair => pair.Second!.Value, StringComparer.Ordinal);
    }

    /// <summary>Forgets the objects that are not what their names say, so that they are put anew.</summary>
    private async Task CheckReusedAsync(Making making, CancellationToken cancellationToken)
    {
        RateLimit? rate = NewRate();
        ConcurrentBag<string> damaged = [];
        using FileDigester digester = new(_options.Parallelism);
        string[] reused = [.. making.Files.Select(file => file.Sha256!).Distinct(StringComparer.Ordinal)
            .Where(making.There.ContainsKey)];
        await Parallel.ForEachAsync(reused, Several(cancellationToken), async (sha256, stop) =>
        {
            string path = Path.Combine(Location, BackupNames.ObjectOf(sha256));
            if (await digester.DigestAsync(path, rate, stop).ConfigureAwait(false) != sha256)
            {
                damaged.Add(sha256);
            }
        }).ConfigureAwait(false);
        foreach (string sha256 in damaged)
        {
            _logger.ObjectMended(sha256, Location);
            making.There[sha256] = -1;
        }
    }

    private long? CheckSpace(Making making) => CheckSpace(
        Distinct(making.Files)
            .Where(file => file.Sha256 is null || making.There.GetValueOrDefault(file.Sha256, -1) != file.Bytes)
            .Sum(file => file.Bytes));

    private long? CheckSpace(IReadOnlyList<BackupFile> files, Dictionary<string, long> there) => CheckSpace(
        files.DistinctBy(file => file.Sha256, StringComparer.Ordinal)
            .Where(file => there.GetValueOrDefault(file.Sha256, -1) != file.Bytes).Sum(file => file.Bytes));

    private long? CheckSpace(long missing)
    {
        long? available = _seams.FreeBytes(Location);
        return BackupSpace.FindLack(Location, missing + _options.FreeBytesReserve, available, _options.FreeBytesReserve)
            is { } lack
            ? throw new StorageException(
                FailureKind.DiskFull,
                $"{lack} Nothing was copied. Free space there, by purging old backups, for example.")
            : available;
    }

    /// <summary>Each content once, as far as digests are known.</summary>
    private static IEnumerable<SourceFile> Distinct(IEnumerable<SourceFile> files) =>
        files.DistinctBy(file => file.Sha256 ?? file.Path, StringComparer.Ordinal);

    private async Task SendAsync(Making making, ISharedStorage storage, CancellationToken cancellationToken)
    {
        RateLimit? rate = NewRate();
        SourceFile[] distinct = [.. Distinct(making.Files)];
        making.Count.Begin(SnapshotPhase.Sending, distinct.Length, distinct.Sum(file => file.Bytes));

        // The largest first, so that the last one does not run alone at the end.
        await Parallel.ForEachAsync(
            distinct.OrderByDescending(file => file.Bytes), Several(cancellationToken), async (file, stop) =>
            {
                bool isNew = file.Sha256 is null
                    ? await SendNewAsync(making, storage, file, rate, stop).ConfigureAwait(false)
                    : await SendKnownAsync(making, storage, file, rate, stop).ConfigureAwait(false);
                if (isNew)
                {
                    _seams.Reach(BackupStep.CreateObjectSent);
                }
            }).ConfigureAwait(false);
    }

    /// <summary>Sends a file whose digest is found on the way.</summary>
    /// <returns>Whether it was new.</returns>
    private async Task<bool> SendNewAsync(
        Making making, ISharedStorage storage, SourceFile file, RateLimit? rate, CancellationToken cancellationToken)
    {
        _seams.Reach(BackupStep.CreateObjectSending);
        ProgressCount.FileProgress sending = making.Count.Of(file.Name);
        SentFile sent = await storage.PutNewFileAsync(
            BackupNames.ObjectOf, new FileToSend(file.Path, file.Bytes, "", rate, sending), cancellationToken)
            .ConfigureAwait(false);
        Digested(making, file, sent.Sha256);
        if (sent.IsNew)
        {
            making.Count.Moved(file.Name, file.Bytes, sending.Counted);
            return true;
        }

        // Its length tells a whole object from one that was cut, as it does of those that were looked for before.
        string name = BackupNames.ObjectOf(sent.Sha256);
        if ((await storage.FindAsync([name], cancellationToken).ConfigureAwait(false))[0] == file.Bytes)
        {
            FlushReused(making, sent.Sha256);
            making.Count.Skip(file.Name, file.Bytes, sending.Counted);
            return false;
        }

        return await ReplaceAsync(making, storage, file, rate, sending, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="SendNewAsync"/>
    private async Task<bool> SendKnownAsync(
        Making making, ISharedStorage storage, SourceFile file, RateLimit? rate, CancellationToken cancellationToken)
    {
        bool known = making.There.TryGetValue(file.Sha256!, out long bytes);
        if (known && bytes == file.Bytes)
        {
            FlushReused(making, file.Sha256!);
            making.Count.Skip(file.Name, file.Bytes);
            return false;
        }

        ProgressCount.FileProgress sending = making.Count.Of(file.Name);
        if (known)
        {
            return await ReplaceAsync(making, storage, file, rate, sending, cancellationToken).ConfigureAwait(false);
        }

        _seams.Reach(BackupStep.CreateObjectSending);
        await PutAsync(making, storage, file, rate, sending, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Puts an object in the place of a damaged one.</summary>
    private async Task<bool> ReplaceAsync(
        Making making, ISharedStorage storage, SourceFile file, RateLimit? rate, ProgressCount.FileProgress sending,
        CancellationToken cancellationToken)
    {
        await storage.DeleteAsync(BackupNames.ObjectOf(file.Sha256!), cancellationToken).ConfigureAwait(false);
        Interlocked.Increment(ref making.Mended);
        _seams.Reach(BackupStep.CreateObjectSending);
        await PutAsync(making, storage, file, rate, sending, cancellationToken).ConfigureAwait(false);
        return true;
    }

    private void FlushReused(Making making, string sha256)
    {
        if (making.MustFlushReused)
        {
            string path = Path.Combine(Location, BackupNames.ObjectOf(sha256));
            string parent = Path.GetDirectoryName(path)!;
            _seams.Disk.FlushFile(path);
            _seams.Disk.FlushDirectory(parent);
            _seams.Disk.FlushDirectory(Path.GetDirectoryName(parent)!);
        }
    }

    private async Task PutAsync(
        Making making, ISharedStorage storage, SourceFile file, RateLimit? rate, ProgressCount.FileProgress sending,
        CancellationToken cancellationToken)
    {
        try
        {
            await storage.PutFileIfAbsentAsync(
                BackupNames.ObjectOf(file.Sha256!),
                new FileToSend(file.Path, file.Bytes, file.Sha256!, rate, sending), cancellationToken)
                .ConfigureAwait(false);
            making.Count.Moved(file.Name, file.Bytes, sending.Counted);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption && file.Identity is { } identity)
        {
            // What was copied is not what the cache said of the file: whichever is wrong, it is read anew next time.
            _digests.Value.Forget(identity);
            throw;
        }
    }
}
