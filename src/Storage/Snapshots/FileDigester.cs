using System.Buffers;
using System.Security.Cryptography;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>
/// Reads files to know their SHA-256, on threads that yield to everything else on the machine: writers are not to feel
/// that a snapshot is taken. Thread-safe; files wait for each other's slices.
/// </summary>
/// <param name="threads">Slices read at a time, 1 or more.</param>
internal sealed class FileDigester(int threads = 1) : IDisposable
{
    // Small enough that a cancellation and the rate limit are felt, large enough that handing it over costs nothing.
    private const int SliceBytes = 1 << 20;

    private readonly BackgroundWork _work = new("branching-digest", threads);

    /// <summary>The digest of a file as 64 lower-case hexadecimal digits.</summary>
    /// <exception cref="StorageException">The file could not be read.</exception>
    public async Task<string> DigestAsync(string path, RateLimit? rate, CancellationToken cancellationToken)
    {
        try
        {
            using FileStream file = new(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0,
                FileOptions.SequentialScan);
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(file.Length, 1, SliceBytes));
            try
            {
                int read;
                while ((read = await _work.RunAsync(() => AppendNext(file, buffer, hash)).ConfigureAwait(false)) > 0)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    if (rate is not null)
                    {
                        await rate.WaitAsync(read, cancellationToken).ConfigureAwait(false);
                    }
                }

                return Convert.ToHexStringLower(hash.GetHashAndReset());
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Reading", path, e);
        }
    }

    /// <summary>Ends the threads when the work they were given is done.</summary>
    public void Dispose() => _work.Dispose();

    /// <summary>Reads the next bytes of a file into the buffer, and the hash.</summary>
    /// <returns>How many; zero at the end.</returns>
    internal static int AppendNext(FileStream file, Span<byte> buffer, IncrementalHash hash)
    {
        int read = file.Read(buffer);
        hash.AppendData(buffer[..read]);
        return read;
    }
}
