using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Branching.Storage;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Grains;

/// <summary>The failovers of the cluster, kept on shared storage so that they outlive every node.</summary>
/// <remarks>
/// <c>&lt;shared&gt;/cluster/failovers/&lt;failover id&gt;.json</c>; ids sort by time. They inform people and limit
/// flapping; no data depend on them, so a failure to write one is logged and goes no further.
/// </remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "Its semaphores never hand out a wait handle.")]
internal sealed class FailoverRecords(NodeStorage storage, TimeProvider time, ILogger<FailoverRecords> logger)
{
    /// <summary>Failovers that are remembered.</summary>
    public const int Remembered = 1000;

    private const string Folder = "cluster/failovers";

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _loading = new(1, 1);
    private readonly SortedDictionary<string, FailoverRecord> _known = new(StringComparer.Ordinal);
    private bool _loaded;

    /// <summary>A new id: the time first, so that names sort by it.</summary>
    public string NewId() => string.Create(
        CultureInfo.InvariantCulture,
        $"{time.GetUtcNow().UtcDateTime:yyyyMMdd'T'HHmmssfff'Z'}-{Guid.NewGuid().ToString("N")[..8]}");

    /// <summary>All that are remembered, newest first.</summary>
    public async Task<IReadOnlyList<FailoverRecord>> ListAsync(CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken);
        lock (_lock)
        {
            return _known.Values.Reverse().ToArray();
        }
    }

    /// <summary>Those that are known without asking shared storage, newest first.</summary>
    public IReadOnlyList<FailoverRecord> Known()
    {
        lock (_lock)
        {
            return _known.Values.Reverse().ToArray();
        }
    }

    /// <summary>Remembers a failover as it is now.</summary>
    public async Task PutAsync(FailoverRecord record, CancellationToken cancellationToken)
    {
        string? forgotten = Remember(record);
        try
        {
            ISharedStorage shared = await storage.Root.GetSharedStorageAsync(cancellationToken);
            byte[] text = JsonSerializer.SerializeToUtf8Bytes(
                new FailoverDocument(1, record), SharedDocuments.Default.FailoverDocument);
            await shared.ReplaceAsync($"{Folder}/{record.FailoverId}.json", text, cancellationToken);
            if (forgotten is not null)
            {
                await shared.DeleteAsync($"{Folder}/{forgotten}.json", cancellationToken);
            }
        }
        catch (StorageException e)
        {
            logger.FailoverNotRecorded(record.FailoverId, e.Message);
        }
    }

    /// <summary>Keeps a failover in mind without writing it.</summary>
    public string? Remember(FailoverRecord record)
    {
        lock (_lock)
        {
            _known[record.FailoverId] = record;
            if (_known.Count <= Remembered)
            {
                return null;
            }

            string oldest = _known.First().Key;
            _known.Remove(oldest);
            return oldest;
        }
    }

    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        await _loading.WaitAsync(cancellationToken);
        try
        {
            if (_loaded)
            {
                return;
            }

            ISharedStorage shared = await storage.Root.GetSharedStorageAsync(cancellationToken);
            IEnumerable<string> newest = (await shared.ListAsync(Folder, cancellationToken))
                .Where(entry => !entry.IsDirectory)
                .Select(entry => entry.Name)
                .OrderDescending(StringComparer.Ordinal)
                .Take(Remembered);
            foreach (string name in newest)
            {
                if (await shared.TryReadAsync($"{Folder}/{name}", cancellationToken) is { } text
                    && Parse(text) is { } record)
                {
                    lock (_lock)
                    {
                        _known.TryAdd(record.FailoverId, record);
                    }
                }
            }

            _loaded = true;
        }
        finally
        {
            _loading.Release();
        }
    }

    private static FailoverRecord? Parse(byte[] text)
    {
        try
        {
            FailoverDocument? document = JsonSerializer.Deserialize(text, SharedDocuments.Default.FailoverDocument);
            return document?.Format == 1 ? document.Failover : null;
        }
        catch (JsonException)
        {
            // A record that cannot be read informs nobody.
            return null;
        }
    }
}
