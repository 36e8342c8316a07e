using System.Buffers.Binary;

namespace Branching.Storage.Bulk;

/// <summary>
/// A sorted run on the disk: length of the key and of the value (4 bytes each, little-endian), key, value, and so on.
/// It lives as long as its bulk load and is read by nobody else, so it has no checksum and no format number.
/// </summary>
internal sealed class RunWriter(string path) : ISortedRecords, IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly FileStream _file = new(
        path, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes);

    public string Path { get; } = path;

    public void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Span<byte> lengths = stackalloc byte[2 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(lengths, key.Length);
        BinaryPrimitives.WriteInt32LittleEndian(lengths[sizeof(int)..], value.Length);
        _file.Write(lengths);
        _file.Write(key);
        _file.Write(value);
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>Reads a run from its beginning to its end.</summary>
internal sealed class RunReader : IDisposable
{
    private const int BufferBytes = 128 << 10;

    private readonly FileStream _file;
    private byte[] _record = new byte[4 << 10];
    private int _keyLength;
    private int _valueLength;

    public RunReader(string path, int order)
    {
        _file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes);
        Order = order;
    }

    /// <summary>A run of a higher one holds later records.</summary>
    public int Order { get; }

    public ReadOnlySpan<byte> Key => _record.AsSpan(0, _keyLength);

    public ReadOnlySpan<byte> Value => _record.AsSpan(_keyLength, _valueLength);

    public bool MoveNext()
    {
        Span<byte> lengths = stackalloc byte[2 * sizeof(int)];
        int read = _file.ReadAtLeast(lengths, lengths.Length, throwOnEndOfStream: false);
        if (read == 0)
        {
            return false;
        }

        if (read < lengths.Length)
        {
            throw new EndOfStreamException($"'{_file.Name}' was cut short while it was used.");
        }

        _keyLength = BinaryPrimitives.ReadInt32LittleEndian(lengths);
        _valueLength = BinaryPrimitives.ReadInt32LittleEndian(lengths[sizeof(int)..]);
        int length = checked(_keyLength + _valueLength);
        if (_record.Length < length)
        {
            _record = GC.AllocateUninitializedArray<byte>(Math.Max(length, 2 * _record.Length));
        }

        _file.ReadExactly(_record.AsSpan(0, length));
        return true;
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>Joins runs into one order; of one key the record of the latest run counts.</summary>
internal sealed class RunMerge : IDisposable
{
    private readonly List<RunReader> _readers = [];
    private readonly PriorityQueue<RunReader, RunReader> _next = new(new ByKeyThenLatest());
    private RunReader? _current;

    public RunMerge(IReadOnlyList<string> paths)
    {
        try
        {
            for (int i = 0; i < paths.Count; i++)
            {
                RunReader reader = new(paths[i], i);
                _readers.Add(reader);
                Queue(reader);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public ReadOnlySpan<byte> Key => _current!.Key;

    public ReadOnlySpan<byte> Value => _current!.Value;

    public bool MoveNext()
    {
        if (_current is { } last)
        {
            // What earlier runs say about the key just handed out is superseded.
            while (_next.TryPeek(out RunReader? same, out _) && same.Key.SequenceEqual(last.Key))
            {
                Queue(_next.Dequeue());
            }

            Queue(last);
        }

        return _next.TryDequeue(out _current, out _);
    }

    public void Dispose() => _readers.ForEach(reader => reader.Dispose());

    private void Queue(RunReader reader)
    {
        if (reader.MoveNext())
        {
            _next.Enqueue(reader, reader);
        }
    }

    private sealed class ByKeyThenLatest : IComparer<RunReader>
    {
        public int Compare(RunReader? x, RunReader? y)
        {
            int keys = x!.Key.SequenceCompareTo(y!.Key);
            return keys != 0 ? keys : y.Order.CompareTo(x.Order);
        }
    }
}
