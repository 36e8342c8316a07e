namespace Branching.Storage;

/// <summary>A scan that keeps its view of the store from page to page. One caller at a time.</summary>
/// <remarks>
/// It holds a RocksDB snapshot and iterator, which keep replaced files on disk: dispose it soon. Closing the store
/// closes it; then reading fails with <see cref="FailureKind.Closed"/>.
/// </remarks>
public sealed class ScanCursor : IDisposable
{
    private readonly LocalStore _store;
    private readonly RangeContent _content;
    private readonly RangeWalk _walk;
    private readonly Lock _lock = new();
    private bool _disposed;
    private bool _more;

    internal ScanCursor(LocalStore store, RangeWalk walk, RangeContent content)
    {
        _store = store;
        _walk = walk;
        _content = content;
    }

    /// <summary>The sequence of the view.</summary>
    public Sequence Sequence => _walk.Sequence;

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
        _store.Inside("Scan", () =>
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _more = Read(maxEntries, maxBytes, entries);
            }
        });
        return ConfirmPage();
    }

    /// <summary>
    /// What <see cref="ReadPage"/> answers, for a page that it read and refused to answer since the lease had run out:
    /// to be asked when it may be valid again. The entries are those that it added.
    /// </summary>
    /// <exception cref="StorageException">As <see cref="ReadPage"/>.</exception>
    public bool ConfirmPage()
    {
        _store.Guard?.ThrowIfInvalid();
        return _more;
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
            _walk.Dispose();
        }
    }

    private bool Read(int maxEntries, long maxBytes, List<KeyValueEntry> entries)
    {
        ScanPageBuffer buffer = default;
        long bytes = 0;
        int count = 0;
        while (_walk.IsValid)
        {
            if (count == maxEntries || bytes >= maxBytes)
            {
                return true;
            }

            ReadOnlyMemory<byte> key = _content == RangeContent.ValuesOnly ? default : buffer.Add(_walk.Key);
            ReadOnlyMemory<byte> value = _content == RangeContent.KeysOnly ? default : buffer.Add(_walk.Value);
            entries.Add(new KeyValueEntry(key, value));
            bytes += key.Length + value.Length;
            count++;
            _walk.Next();
        }

        return false;
    }
}
