using System.Buffers.Binary;

namespace Branching.Storage.Bulk;

/// <summary>Takes records in key order, each key once.</summary>
internal interface ISortedRecords
{
    void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);
}

/// <summary>Records in memory, to be sorted by key. Of one key the last wins.</summary>
internal sealed class SortBuffer(long memoryBytes)
{
    private const int FirstBytes = 64 << 10;
    private const int FirstEntries = 1024;

    private byte[] _bytes = [];
    private Entry[] _entries = [];
    private int _used;

    /// <summary>Records in it.</summary>
    public int Count { get; private set; }

    private long EntryBytes => (long)(Count + 1) * System.Runtime.CompilerServices.Unsafe.SizeOf<Entry>();

    /// <summary>Whether a record of so many bytes fits into the memory that may be used.</summary>
    public bool HasRoom(int bytes) => (long)_used + bytes + EntryBytes <= memoryBytes;

    /// <summary>Adds a record.</summary>
    /// <returns>Where its value goes.</returns>
    public Span<byte> Add(ReadOnlySpan<byte> key, int valueLength)
    {
        int length = checked(key.Length + valueLength);
        Grow(length);
        key.CopyTo(_bytes.AsSpan(_used));
        _entries[Count] = new Entry(PrefixOf(key), _used, key.Length, valueLength, Count);
        Count++;
        Span<byte> value = _bytes.AsSpan(_used + key.Length, valueLength);
        _used += length;
        return value;
    }

    /// <summary>Writes every record in order, and is empty then.</summary>
    public void WriteSorted(ISortedRecords output)
    {
        Span<Entry> entries = _entries.AsSpan(0, Count);
        entries.Sort(Compare);
        for (int i = 0; i < entries.Length; i++)
        {
            ref readonly Entry entry = ref entries[i];
            bool superseded = i + 1 < entries.Length && CompareKeys(entry, entries[i + 1]) == 0;
            if (!superseded)
            {
                output.Add(KeyOf(entry), _bytes.AsSpan(entry.Offset + entry.KeyLength, entry.ValueLength));
            }
        }

        Count = 0;
        _used = 0;
    }

    /// <summary>Gives the memory back.</summary>
    public void Release()
    {
        _bytes = [];
        _entries = [];
    }

    // Most keys differ in their first eight bytes, and comparing those is one instruction.
    private static ulong PrefixOf(ReadOnlySpan<byte> key)
    {
        if (key.Length >= sizeof(ulong))
        {
            return BinaryPrimitives.ReadUInt64BigEndian(key);
        }

        Span<byte> padded = stackalloc byte[sizeof(ulong)];
        padded.Clear();
        key.CopyTo(padded);
        return BinaryPrimitives.ReadUInt64BigEndian(padded);
    }

    private void Grow(int length)
    {
        if (_entries.Length == Count)
        {
            Array.Resize(ref _entries, Math.Max(FirstEntries, 2 * Count));
        }

        if (_bytes.Length - _used < length)
        {
            // Not more than may be used, unless one record alone needs it.
            long wanted = Math.Min(Math.Max(FirstBytes, 2L * _bytes.Length), memoryBytes);
            Array.Resize(ref _bytes, checked((int)Math.Max(wanted, (long)_used + length)));
        }
    }

    private ReadOnlySpan<byte> KeyOf(in Entry entry) => _bytes.AsSpan(entry.Offset, entry.KeyLength);

    private int Compare(Entry x, Entry y)
    {
        int keys = CompareKeys(x, y);
        return keys != 0 ? keys : x.Order.CompareTo(y.Order);
    }

    private int CompareKeys(in Entry x, in Entry y)
    {
        int prefixes = x.Prefix.CompareTo(y.Prefix);
        return prefixes != 0 ? prefixes : KeyOf(x).SequenceCompareTo(KeyOf(y));
    }

    private readonly record struct Entry(ulong Prefix, int Offset, int KeyLength, int ValueLength, int Order);
}
