using System.Buffers;
using System.Security.Cryptography;
using Branching.RocksDb.Files;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Shared;

/// <summary>Files: sent through <c>.tmp/&lt;digest&gt;.part</c>, which the next attempt continues.</summary>
public sealed partial class PosixSharedStorage
{
    private const int BlockBytes = 1 << 20;

    // A file system that orders data before its journal (ext4) lets every fsync on it wait for what another file has
    // not written out yet. So what is sent goes to the disk in small steps, without an fsync, which would make the
    // journal commit each of them; one at the end makes all of it durable.
    private const long MostUnwrittenBytes = 4 * BlockBytes;

    // Of all shared storages of the process: beyond that the disk is the limit.
    private static readonly BackgroundWork _transfers = new("branching-send", maxThreads: 4);

    /// <inheritdoc/>
    public Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        ArgumentNullException.ThrowIfNull(file);
        if (file.Sha256 is not { Length: 64 } || !file.Sha256.All(char.IsAsciiHexDigitLower))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"'{Names.Show(file.Sha256)}' is not a digest: use 64 lower-case hexadecimal digits.");
        }

        return Guarded("PutFileIfAbsent", name,
            () => Task.Run(() => SendAsync(PathOf(name), file, cancellationToken), cancellationToken));
    }

    /// <inheritdoc/>
    public Task<FetchedFile> FetchFileAsync(string name, FileToFetch file, CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        ArgumentNullException.ThrowIfNull(file);
        return Guarded("FetchFile", name,
            () => Task.Run(() => ReceiveAsync(name, file, cancellationToken), cancellationToken));
    }

    private async Task<bool> SendAsync(string path, FileToSend file, CancellationToken cancellationToken)
    {
        CheckMounted();
        if (TryGetStatus(path, out _))
        {
            FlushDirectory(Path.GetDirectoryName(path)!);
            return false;
        }

        for (bool again = false; ; again = true)
        {
            (FileStream partial, bool resumed) = OpenPartial(file.Sha256, file.Bytes, again);
            string temporary = partial.Name;
            await using (partial.ConfigureAwait(false))
            {
                string sha256 = await AppendAsync(partial, file, cancellationToken).ConfigureAwait(false);
                if (sha256 == file.Sha256)
                {
                    // Linked while it is held: nobody else may continue a file that has become an object.
                    return await _transfers.RunAsync(() => Promote(partial, path)).ConfigureAwait(false);
                }
            }

            Forget(temporary);
            if (!resumed || again)
            {
                throw new StorageException(
                    FailureKind.Corruption,
                    $"The file '{file.LocalPath}' is not what its digest says (expected {file.Sha256} over " +
                    $"{file.Bytes} bytes): it was not sent. Take a new checkpoint; check the disk if it repeats.");
            }
        }
    }

    private bool Promote(FileStream complete, string path)
    {
        FlushFile(complete);
        bool linked = LinkInPlace(complete.Name, path);
        Forget(complete.Name);
        return linked;
    }

    /// <summary>Opens what a former attempt left, alone; a file of its own when somebody else is at it.</summary>
    private (FileStream File, bool Resumed) OpenPartial(string name, long bytes, bool afresh)
    {
        if (!afresh)
        {
            string path = Path.Combine(_temporary, name + ".part");
            FileStream? partial = TryOpenAlone(path);
            if (partial is not null)
            {
                // A second name means that it is an object already: it must not be written to any more.
                bool usable = partial.Length <= bytes && TryGetStatus(path, out FileStatus status)
                    && status.LinkCount == 1;
                if (usable)
                {
                    return (partial, partial.Length > 0);
                }

                partial.Dispose();
                Forget(path);
            }
        }

        return (new FileStream(
            NewTemporary(), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 0), false);
    }

    private static FileStream? TryOpenAlone(string path)
    {
        const int WouldBlock = 11;
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            return null;
        }
    }

    /// <summary>Reads back what is there, sends the rest, and answers the digest of the whole.</summary>
    private async Task<string> AppendAsync(
        FileStream partial, FileToSend file, CancellationToken cancellationToken)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            int count;
            while ((count = await ReadAsync(partial, block, hash).ConfigureAwait(false)) > 0)
            {
                file.Progress?.Report(count);
                cancellationToken.ThrowIfCancellationRequested();
            }

            using FileStream source = OpenSource(file);
            source.Position = partial.Length;
            while ((count = await ReadAsync(source, block, hash).ConfigureAwait(false)) > 0)
            {
                await LimitAsync(file.Rate, count, cancellationToken).ConfigureAwait(false);
                await _transfers.RunAsync(() => Append(partial, block.AsSpan(0, count))).ConfigureAwait(false);
                file.Progress?.Report(count);
                cancellationToken.ThrowIfCancellationRequested();
            }

            string sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
            return partial.Length == file.Bytes ? sha256 : "";
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private static Task<int> ReadAsync(FileStream file, byte[] block, IncrementalHash hash) =>
        _transfers.RunAsync(() => FileDigester.AppendNext(file, block.AsSpan(0, BlockBytes), hash));

    private void Append(FileStream file, ReadOnlySpan<byte> content)
    {
        file.Write(content);
        WriteOut(file, file.Position, content.Length);
    }

    /// <summary>Sends the last blocks to the disk, when those that were just written make enough of them.</summary>
    private void WriteOut(FileStream file, long end, int written)
    {
        long from = (end - written) / MostUnwrittenBytes * MostUnwrittenBytes;
        if (_nature.IsDurable && end - from >= MostUnwrittenBytes
            && !LocalFiles.TryWriteOut(file.SafeFileHandle, from, end - from))
        {
            RandomAccess.FlushToDisk(file.SafeFileHandle); // Where parts cannot be sent, all of it is made durable.
        }
    }

    private async Task<FetchedFile> ReceiveAsync(string name, FileToFetch file, CancellationToken cancellationToken)
    {
        CheckMounted();
        using FileStream source = OpenObject(name);
        using FileStream target = new(
            file.LocalPath, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            int count;
            while ((count = source.Read(block, 0, BlockBytes)) > 0)
            {
                await LimitAsync(file.Rate, count, cancellationToken).ConfigureAwait(false);
                hash.AppendData(block, 0, count);
                target.Write(block, 0, count);
                file.Progress?.Report(count);
                cancellationToken.ThrowIfCancellationRequested();
            }

            FlushFile(target);
            FlushDirectory(Path.GetDirectoryName(Path.GetFullPath(file.LocalPath))!);
            return new FetchedFile(target.Length, Convert.ToHexStringLower(hash.GetHashAndReset()));
        }
        catch
        {
            Forget(file.LocalPath);
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private FileStream OpenObject(string name)
    {
        ThrowIfSpecial(PathOf(name));
        try
        {
            return new FileStream(
                PathOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw SharedFailures.ObjectMissing(Location, name, e, _nature.Noun);
        }
    }

    private static ValueTask LimitAsync(RateLimit? rate, int bytes, CancellationToken cancellationToken) =>
        rate?.WaitAsync(bytes, cancellationToken) ?? ValueTask.CompletedTask;
}
