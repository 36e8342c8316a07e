using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>Writes a table file outside any database, for <see cref="RocksDatabase.IngestFiles"/>.</summary>
/// <remarks>Not thread-safe. Keys come in strictly ascending order, each once.</remarks>
public sealed unsafe class SstFileWriter : IDisposable
{
    private readonly SstFileWriterHandle _handle;
    private readonly MergeOperator? _mergeOperator;
    private byte[]? _smallest;
    private byte[] _largest = [];
    private int _largestLength;
    private long _entries;
    private bool _finished;
    private volatile bool _disposed;

    /// <summary>Makes a file.</summary>
    /// <param name="path">Must not exist; its directory must.</param>
    /// <param name="options">How the family is stored that the file is for: compression, blocks, filter and merge
    /// operator matter.</param>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: the file exists.
    /// <see cref="RocksDbStatus.PathNotFound"/>: its directory does not.</exception>
    public SstFileWriter(string path, ColumnFamilyOptions? options = null)
    {
        Path = NameRules.RequirePath(path);
        if (File.Exists(Path) || Directory.Exists(Path))
        {
            throw new RocksDbException(
                RocksDbStatus.InvalidArgument, "creation of a table file", Path, "it exists; name a new file");
        }

        RocksDbLibrary.EnsureLoaded();
        ColumnFamilyOptions effective = (options ?? new ColumnFamilyOptions()).Copy();
        _mergeOperator = effective.MergeOperator;
        _handle = SstFileWriterHandle.Create(effective);
        nint error = 0;
        Native.rocksdb_sstfilewriter_open(_handle, Path, ref error);
        if (error != 0)
        {
            _handle.Dispose();
            throw NativeError.Take(error, "creation of a table file", Path);
        }
    }

    /// <summary>The file, as a full path.</summary>
    public string Path { get; }

    /// <summary>How many entries were written; range deletions count too.</summary>
    public long Entries => _entries;

    /// <summary>Bytes in the file so far; what is buffered is not counted.</summary>
    public long FileBytes
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Native.rocksdb_sstfilewriter_file_size(_handle, out ulong bytes);
            return checked((long)bytes);
        }
    }

    /// <summary>Adds a value. Allocates nothing, except when a key is longer than all before.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: the key is not greater than the
    /// one before; nothing was added.</exception>
    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        SstFileWriterHandle handle = Open();
        nint error = 0;
        fixed (byte* k = &MemoryMarshal.GetReference(key), v = &MemoryMarshal.GetReference(value))
        {
            Native.rocksdb_sstfilewriter_put(
                handle, k, (nuint)key.Length, v, (nuint)value.Length, ref error);
        }

        Added(error, "put", key);
    }

    /// <summary>Adds a merge operand.</summary>
    /// <exception cref="InvalidOperationException">The options have no merge operator.</exception>
    /// <exception cref="RocksDbException">As for <see cref="Put"/>.</exception>
    public void Merge(ReadOnlySpan<byte> key, ReadOnlySpan<byte> operand)
    {
        SstFileWriterHandle handle = Open();
        if (_mergeOperator is not { } mergeOperator)
        {
            throw new InvalidOperationException(
                $"The options of the table file '{Path}' have no merge operator: set "
                + "ColumnFamilyOptions.MergeOperator.");
        }

        mergeOperator.RequireOperand(operand);
        nint error = 0;
        fixed (byte* k = &MemoryMarshal.GetReference(key), o = &MemoryMarshal.GetReference(operand))
        {
            Native.rocksdb_sstfilewriter_merge(
                handle, k, (nuint)key.Length, o, (nuint)operand.Length, ref error);
        }

        Added(error, "merge", key);
    }

    /// <summary>Adds the deletion of a key.</summary>
    /// <exception cref="RocksDbException">As for <see cref="Put"/>.</exception>
    public void Delete(ReadOnlySpan<byte> key)
    {
        SstFileWriterHandle handle = Open();
        nint error = 0;
        fixed (byte* k = &MemoryMarshal.GetReference(key))
        {
            Native.rocksdb_sstfilewriter_delete(handle, k, (nuint)key.Length, ref error);
        }

        Added(error, "delete", key);
    }

    /// <summary>Adds the deletion of a range; it covers what the database has, not what is in this file.</summary>
    /// <exception cref="ArgumentException">The range ends before it begins.</exception>
    public void DeleteRange(ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive)
    {
        KeyRange.Require(from, toExclusive);
        SstFileWriterHandle handle = Open();
        nint error = 0;
        fixed (byte* f = &MemoryMarshal.GetReference(from), t = &MemoryMarshal.GetReference(toExclusive))
        {
            Native.rocksdb_sstfilewriter_delete_range(
                handle, f, (nuint)from.Length, t, (nuint)toExclusive.Length, ref error);
        }

        NativeError.ThrowIfSet(error, "delete of a range in a table file", Path);
        _entries++;
    }

    /// <summary>Completes the file and syncs it; its directory is not synced. Nothing can be added then.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: nothing was added. The file is
    /// removed then, and after every other failure.</exception>
    public SstFileInfo Finish()
    {
        SstFileWriterHandle handle = Open();
        nint error = 0;
        Native.rocksdb_sstfilewriter_finish(handle, ref error);
        _finished = true;
        if (error != 0)
        {
            File.Delete(Path);
            throw NativeError.Take(error, "completion of a table file", Path);
        }

        return new SstFileInfo(
            Path, FileBytes, _entries, _smallest ?? [], _largest.AsMemory(0, _largestLength).ToArray());
    }

    /// <summary>Closes the writer; a file that was not finished is removed.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _handle.Dispose();
        if (!_finished)
        {
            File.Delete(Path);
        }
    }

    private SstFileWriterHandle Open()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_finished)
        {
            throw new InvalidOperationException($"The table file '{Path}' is finished; nothing can be added.");
        }

        return _handle;
    }

    private void Added(nint error, string operation, ReadOnlySpan<byte> key)
    {
        if (error != 0)
        {
            throw NativeError.Take(error, operation + " into a table file", Path);
        }

        _entries++;
        _smallest ??= key.ToArray();
        if (_largest.Length < key.Length)
        {
            _largest = new byte[Math.Max(key.Length, 2 * _largest.Length)];
        }

        key.CopyTo(_largest);
        _largestLength = key.Length;
    }
}

/// <summary>A finished table file.</summary>
/// <param name="Path">The file, as a full path.</param>
/// <param name="Bytes">Its size, in bytes.</param>
/// <param name="Entries">Entries in it, deletions and range deletions included.</param>
/// <param name="SmallestKey">Its first key; empty when it has range deletions alone.</param>
/// <param name="LargestKey">Its last key; empty when it has range deletions alone.</param>
public sealed record SstFileInfo(
    string Path, long Bytes, long Entries, ReadOnlyMemory<byte> SmallestKey, ReadOnlyMemory<byte> LargestKey);
