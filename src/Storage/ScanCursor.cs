using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>A scan that keeps its view of the store from page to page. One caller at a time.</summary>
/// <remarks>
/// It holds a RocksDB snapshot and iterator, which keep replaced files on disk: dispose it soon. Closing the store
/// closes it; then reading fails with <see cref="FailureKind.Closed"/>.
/// </remarks>
public sealed class ScanCursor : IDisposable
{
    private readonly LocalStore _store;
    private readonly ScanRequest _request;
    private readonly ReadSnapshot _snapshot;
    private readonly ReadOptions _options;
    private readonly Iterator? _iterator;
    private readonly Lock _lock = new();
    private bool _disposed;

    internal ScanCursor(LocalStore store, RocksDatabase database, ColumnFamily family, ScanRequest request)
    {
        _store = store;
        _request = request;
        ScanBounds bounds = ScanBounds.Of(request);
        _snapshot = database.NewSnapshot();
        _options = new ReadOptions { Snapshot = _snapshot, LowerBound = bounds.Lower, UpperBound = bounds.Upper };
        Sequence = new Sequence(_snapshot.Sequence);
        if (bounds.IsEmpty)
        {
            return;
        }

        _iterator = database.NewIterator(family, _options);
        if (request.Reverse)
        {
            _iterator.SeekToLast();
        }
        else
        {
            _iterator.SeekToFirst();
        }
    }

    /// <summary>The sequence of the view.</summary>
    public Sequence Sequence { get; }

    /// <summary>Adds the next entries to <paramref name="entries"/>. Blocking.</summary>
    /// <param name="maxEntries">At most this many; at least 1.</param>
    /// <param name="maxBytes">The page ends with the entry that reaches this many bytes of keys and values.</param>
    /// <param name="entries">Receives the entries; their memory belongs to the receiver.</param>
    /// <returns>Whether the range holds more.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.Closed"/>; or reading failed.</exception>
    public bool ReadPage(int maxEntries, long maxBytes, List<KeyValueEntry> entries)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEntries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1);
        ArgumentNullException.ThrowIfNull(entries);
        using ReadTimer timer = _store.TimeRead(StoreOperations.Scan);
        return _store.Answered("Scan", () =>
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _iterator is not null && Read(_iterator, maxEntries, maxBytes, entries);
            }
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        _store.Forget(this);
    }

    /// <summary>Gives the native objects back; the store no longer counts this cursor.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _iterator?.Dispose();
            _options.Dispose();
            _snapshot.Dispose();
        }
    }

    private bool Read(Iterator iterator, int maxEntries, long maxBytes, List<KeyValueEntry> entries)
    {
        ScanPageBuffer buffer = default;
        long bytes = 0;
        int count = 0;
        while (iterator.IsValid)
        {
            if (count == maxEntries || bytes >= maxBytes)
            {
                return true;
            }

            ReadOnlyMemory<byte> key = buffer.Add(iterator.Key);
            ReadOnlyMemory<byte> value = _request.KeysOnly ? default : buffer.Add(iterator.Value);
            entries.Add(new KeyValueEntry(key, value));
            bytes += key.Length + value.Length;
            count++;
            if (_request.Reverse)
            {
                iterator.Prev();
            }
            else
            {
                iterator.Next();
            }
        }

        iterator.ThrowIfFailed();
        return false;
    }
}
