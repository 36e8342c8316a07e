using System.Buffers;

namespace Branching.Storage.Codecs;

/// <summary>A column family of a store, seen through a key codec and a value codec. Thread-safe.</summary>
/// <remarks>
/// It adds nothing to what the store promises and keeps nothing: what other code writes there, by the same codecs, is
/// seen at once. Other codecs, or none, may be used beside it through the store itself.
/// </remarks>
/// <typeparam name="TKey">The type of the keys.</typeparam>
/// <typeparam name="TValue">The type of the values.</typeparam>
public sealed class Typed<TKey, TValue>
{
    private const int PageEntries = 256;
    private const long PageBytes = 1 << 20;

    private readonly LocalStore _store;
    private readonly IKeyCodec<TKey> _keys;
    private readonly IValueCodec<TValue> _values;
    private readonly string? _columnFamily;

    /// <summary>Makes the view.</summary>
    /// <param name="store">The store; it stays the caller's.</param>
    /// <param name="keys">The codec of the keys.</param>
    /// <param name="values">The codec of the values.</param>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    public Typed(
        LocalStore store, IKeyCodec<TKey> keys, IValueCodec<TValue> values, string? columnFamily = null)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(values);
        _store = store;
        _keys = keys;
        _values = values;
        _columnFamily = columnFamily;
    }

    /// <summary>Reads a value. May read the disk.</summary>
    /// <returns><see langword="false"/> when the key is absent.</returns>
    /// <exception cref="StorageException">As <see cref="LocalStore.TryGet"/>; also
    /// <see cref="FailureKind.NotDecodable"/>.</exception>
    public bool TryGet(TKey key, out TValue? value)
    {
        ArrayBufferWriter<byte> bytes = new();
        if (!_store.TryGet(_columnFamily, _keys.Encode(key), bytes))
        {
            value = default;
            return false;
        }

        value = _values.Decode(bytes.WrittenSpan);
        return true;
    }

    /// <summary>The operation that sets a key, to be written together with others.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: key or value has no
    /// encoding.</exception>
    public WriteOperation Put(TKey key, TValue value)
    {
        ArrayBufferWriter<byte> bytes = new();
        _values.Encode(value, bytes);
        return WriteOperation.Put(_keys.Encode(key), bytes.WrittenMemory, _columnFamily);
    }

    /// <summary>The operation that removes a key, to be written together with others.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: the key has no
    /// encoding.</exception>
    public WriteOperation Delete(TKey key) => WriteOperation.Delete(_keys.Encode(key), _columnFamily);

    /// <summary>Sets a key. See <see cref="LocalStore.WriteAsync"/>.</summary>
    public ValueTask<WriteResult> PutAsync(
        TKey key, TValue value, Durability durability = Durability.Sync,
        CancellationToken cancellationToken = default) =>
        _store.WriteAsync(new WriteRequest([Put(key, value)], Durability: durability), cancellationToken);

    /// <summary>Removes a key. See <see cref="LocalStore.WriteAsync"/>.</summary>
    public ValueTask<WriteResult> DeleteAsync(
        TKey key, Durability durability = Durability.Sync, CancellationToken cancellationToken = default) =>
        _store.WriteAsync(new WriteRequest([Delete(key)], Durability: durability), cancellationToken);

    /// <summary>The range of keys from one up to another, in their own order.</summary>
    public KeyRange Between(TKey from, TKey toExclusive) => new(_keys.Encode(from), _keys.Encode(toExclusive));

    /// <summary>The entries of a range, of one view, taken when the enumeration begins. Blocking.</summary>
    /// <param name="range">The range: <see cref="Between"/>, <c>RangeOf</c> of a tuple's codec, or all.</param>
    /// <param name="reverse">Whether the last comes first.</param>
    /// <exception cref="StorageException">As <see cref="ScanCursor.ReadPage"/>; also
    /// <see cref="FailureKind.NotDecodable"/>: something else was written there.</exception>
    public IEnumerable<KeyValuePair<TKey, TValue>> Range(KeyRange range, bool reverse = false)
    {
        using ScanCursor cursor = _store.OpenCursor(
            new ScanRequest(_columnFamily, range, reverse, PageEntries, PageBytes));
        List<KeyValueEntry> page = [];
        bool more = true;
        while (more)
        {
            page.Clear();
            more = cursor.ReadPage(PageEntries, PageBytes, page);
            foreach (KeyValueEntry entry in page)
            {
                yield return KeyValuePair.Create(_keys.Decode(entry.Key.Span), _values.Decode(entry.Value.Span));
            }
        }
    }
}
