using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <summary>Several threads that read files to know their digests, in turn. Thread-safe.</summary>
internal sealed class DigesterPool : IDisposable
{
    private readonly FileDigester[] _digesters;
    private uint _turn;

    public DigesterPool(int threads) => _digesters = [.. Enumerable.Range(0, threads).Select(_ => new FileDigester())];

    public Task<string> DigestAsync(string path, RateLimit? rate, CancellationToken cancellationToken) =>
        _digesters[Interlocked.Increment(ref _turn) % _digesters.Length].DigestAsync(path, rate, cancellationToken);

    public void Dispose()
    {
        foreach (FileDigester digester in _digesters)
        {
            digester.Dispose();
        }
    }
}
