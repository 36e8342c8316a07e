using System.Security.Cryptography;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>
/// Reads files to know their SHA-256, on a thread that yields to everything else on the machine: writers are not to
/// feel that a snapshot is taken. Thread-safe; files wait for each other.
/// </summary>
internal sealed class FileDigester : IDisposable
{
    // Small enough that a cancellation and the rate limit are felt, large enough that handing it over costs nothing.
    private const int SliceBytes = 1 << 20;

    private readonly BackgroundWork _work = new("branching-digest", maxThreads: 1);

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
            byte[] buffer = new byte[(int)Math.Clamp(file.Length, 1, SliceBytes)];
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int read = await _work.RunAsync(() => Append(file, hash, buffer)).ConfigureAwait(false);
                if (read == 0)
                {
                    return Convert.ToHexStringLower(hash.GetHashAndReset());
                }

                if (rate is not null)
                {
                    await rate.WaitAsync(read, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Reading", path, e);
        }
    }

    /// <summary>Ends the thread when the work it was given is done.</summary>
    public void Dispose() => _work.Dispose();

    private static int Append(FileStream file, IncrementalHash hash, byte[] buffer)
    {
        int read = file.Read(buffer);
        hash.AppendData(buffer, 0, read);
        return read;
    }
}
