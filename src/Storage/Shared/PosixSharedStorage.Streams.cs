using System.Buffers;
using System.Security.Cryptography;

namespace Branching.Storage.Shared;

/// <summary>Files that come as a stream, once.</summary>
public sealed partial class PosixSharedStorage
{
    /// <summary>Creates an object from a stream, read to its end.</summary>
    /// <param name="name">The object.</param>
    /// <param name="content">What it shall hold; it stays the caller's.</param>
    /// <param name="bytes">How long that is.</param>
    /// <param name="sha256">Its digest.</param>
    /// <param name="progress">Told the bytes received since the last call.</param>
    /// <param name="cancellationToken">Ends it; nothing is created then.</param>
    /// <returns><see langword="false"/>: the name is taken; nothing was changed.</returns>
    /// <exception cref="StorageException">Also <see cref="FailureKind.Corruption"/>: the stream is something else;
    /// nothing was created.</exception>
    internal Task<bool> PutStreamIfAbsentAsync(
        string name, Stream content, long bytes, string sha256, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        return Guarded("PutStreamIfAbsent", name, async () =>
        {
            CheckMounted();
            string temporary = NewTemporary();
            try
            {
                await ReceiveAsync(temporary, content, bytes, sha256, progress, cancellationToken)
                    .ConfigureAwait(false);
                return LinkInPlace(temporary, PathOf(name));
            }
            finally
            {
                Forget(temporary);
            }
        });
    }

    private async Task ReceiveAsync(
        string temporary, Stream content, long bytes, string sha256, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        using FileStream target = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            int count;
            while ((count = await content.ReadAsync(block.AsMemory(0, BlockBytes), cancellationToken)
                .ConfigureAwait(false)) > 0)
            {
                hash.AppendData(block, 0, count);
                target.Write(block, 0, count);
                progress?.Report(count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }

        string actual = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (target.Length != bytes || actual != sha256)
        {
            throw new StorageException(
                FailureKind.Corruption,
                $"{target.Length} bytes of SHA-256 {actual} came where {bytes} bytes of {sha256} were announced.");
        }

        FlushFile(target);
    }
}
