using System.Buffers;
using System.Security.Cryptography;
using Branching.RocksDb.Files;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Shared;

/// <content>Files whose digest is found while they are sent, so that they are read once.</content>
/// <remarks>
/// What is hashed are the very bytes that are written, so a second reading before would only compare the source with
/// itself. A former attempt is continued without trusting it: what it left is compared with the source, block by block.
/// </remarks>
public sealed partial class PosixSharedStorage
{
    /// <inheritdoc/>
    public Task<SentFile> PutNewFileAsync(
        Func<string, string> nameOf, FileToSend file, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        ArgumentNullException.ThrowIfNull(file);
        return Guarded("PutNewFile", Path.GetFileName(file.LocalPath), () => Task.Run(
            () => file.Bytes <= BlockBytes
                ? SendSmallAsync(nameOf, file, cancellationToken)
                : SendNewAsync(nameOf, file, cancellationToken),
            cancellationToken));
    }

    /// <summary>A file of one block is in memory before anything is written: what is there already costs no
    /// write.</summary>
    private async Task<SentFile> SendSmallAsync(
        Func<string, string> nameOf, FileToSend file, CancellationToken cancellationToken)
    {
        await LimitAsync(file.Rate, (int)file.Bytes, cancellationToken).ConfigureAwait(false);
        SentFile sent = await _transfers.RunAsync(() => SendSmall(nameOf, file)).ConfigureAwait(false);
        if (sent.IsNew)
        {
            file.Progress?.Report(file.Bytes);
        }

        return sent;
    }

    private SentFile SendSmall(Func<string, string> nameOf, FileToSend file)
    {
        CheckMounted();
        byte[] block = ArrayPool<byte>.Shared.Rent((int)file.Bytes + 1); // One more, to see that it ends there.
        try
        {
            using FileStream source = OpenSource(file);
            int count = source.ReadAtLeast(block, block.Length, throwOnEndOfStream: false);
            ThrowIfChanged(file, count);
            ReadOnlySpan<byte> content = block.AsSpan(0, count);
            string sha256 = Convert.ToHexStringLower(SHA256.HashData(content));
            string path = PathOfNew(nameOf(sha256));
            if (TryGetStatus(path, out _))
            {
                FlushDirectory(Path.GetDirectoryName(path)!);
                return new SentFile(sha256, IsNew: false);
            }

            string temporary = WriteTemporary(content);
            try
            {
                return new SentFile(sha256, LinkInPlace(temporary, path));
            }
            finally
            {
                Forget(temporary);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private async Task<SentFile> SendNewAsync(
        Func<string, string> nameOf, FileToSend file, CancellationToken cancellationToken)
    {
        CheckMounted();
        using FileStream source = OpenSource(file);
        FileIdentity identity = FileIdentity.Of(LocalFiles.GetStatus(file.LocalPath));
        string name = $"{identity.Device:x}-{identity.Inode:x}-{identity.Bytes:x}-{identity.ModifiedNs:x}";
        (FileStream partial, _) = OpenPartial(name, file.Bytes, afresh: false);
        await using (partial.ConfigureAwait(false))
        {
            string sha256 = await CopyAsync(source, partial, file, cancellationToken).ConfigureAwait(false);
            string path = PathOfNew(nameOf(sha256));

            // Linked while it is held: nobody else may continue a file that has become an object.
            bool isNew = await _transfers.RunAsync(() => Promote(partial, path)).ConfigureAwait(false);
            return new SentFile(sha256, isNew);
        }
    }

    private async Task<string> CopyAsync(
        FileStream source, FileStream partial, FileToSend file, CancellationToken cancellationToken)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            long sent = 0;
            int count;
            while ((count = await _transfers.RunAsync(() => CopyNext(source, partial, sent, block, hash))
                .ConfigureAwait(false)) > 0)
            {
                sent += count;
                file.Progress?.Report(count);
                cancellationToken.ThrowIfCancellationRequested();
                await LimitAsync(file.Rate, count, cancellationToken).ConfigureAwait(false);
            }

            ThrowIfChanged(file, sent);
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    /// <summary>Copies the next block, unless a former attempt has left the same bytes in its place.</summary>
    private int CopyNext(FileStream source, FileStream partial, long at, byte[] block, IncrementalHash hash)
    {
        int count = FileDigester.AppendNext(source, block.AsSpan(0, BlockBytes), hash);
        if (count == 0)
        {
            if (partial.Length > at)
            {
                partial.SetLength(at); // What was left beyond is none of this file.
            }

            return 0;
        }

        ReadOnlySpan<byte> content = block.AsSpan(0, count);
        if (!Holds(partial, at, content))
        {
            if (partial.Length > at)
            {
                partial.SetLength(at);
            }

            partial.Position = at;
            partial.Write(content);
        }

        WriteOut(partial, at + count, count);
        return count;
    }

    private static bool Holds(FileStream partial, long at, ReadOnlySpan<byte> content)
    {
        if (partial.Length < at + content.Length)
        {
            return false;
        }

        byte[] left = ArrayPool<byte>.Shared.Rent(content.Length);
        try
        {
            partial.Position = at;
            partial.ReadExactly(left.AsSpan(0, content.Length));
            return content.SequenceEqual(left.AsSpan(0, content.Length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(left);
        }
    }

    private string PathOfNew(string name)
    {
        SharedNames.Check(name);
        return PathOf(name);
    }

    private static FileStream OpenSource(FileToSend file) => new(
        file.LocalPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    private static void ThrowIfChanged(FileToSend file, long bytes)
    {
        if (bytes != file.Bytes)
        {
            throw new StorageException(
                FailureKind.Corruption,
                $"The file '{file.LocalPath}' has {(bytes > file.Bytes ? "more than" : $"{bytes} bytes instead of")} " +
                $"{file.Bytes} bytes: it was not sent. Take a new checkpoint; check the disk if it repeats.");
        }
    }
}
