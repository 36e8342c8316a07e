using System.Buffers;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Table files from outside, and what ranges take.</content>
public sealed unsafe partial class RocksDatabase
{
    private const string SizesWithFlags = "rocksdb_approximate_sizes_cf_with_flags";

    /// <summary>Takes table files of a <see cref="SstFileWriter"/> into a family, all or none. Durable on
    /// return.</summary>
    /// <param name="family">The family.</param>
    /// <param name="files">Their paths. Where files overlap, a later one is newer.</param>
    /// <param name="options">How; the defaults when absent.</param>
    /// <exception cref="RocksDbException">
    /// <see cref="RocksDbStatus.InvalidArgument"/>: no files, or they overlap what is there and the options forbid what
    /// that needs. <see cref="RocksDbStatus.PathNotFound"/>: a file does not exist.
    /// <see cref="RocksDbStatus.Corruption"/>: a file is no table file.
    /// </exception>
    public void IngestFiles(ColumnFamily family, IReadOnlyList<string> files, IngestOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(files);
        Use(family);
        RequireWritable("ingestion of files");
        string[] paths = [.. files.Select(NameRules.RequirePath)];
        RequireFiles(paths);
        using IngestOptionsHandle native = (options ?? new IngestOptions()).CreateHandle();
        using NativeText.Lines names = NativeText.Copy(paths);
        ColumnFamilyHandle handle = Enter(family);
        nint error = 0;
        try
        {
            Native.rocksdb_ingest_external_file_cf(
                _handle, handle, names.Pointers, (nuint)paths.Length, native, ref error);
        }
        finally
        {
            family.Gate.Exit();
        }

        NativeError.ThrowIfSet(
            error, $"ingestion of {paths.Length} files into column family '{family.Name}'", Path);
    }

    /// <summary>Whether <see cref="ApproximateSizes"/> can include memtables with the library that is loaded.</summary>
    public static bool SizesIncludeMemtables => OptionalNative.TryGet(SizesWithFlags, out _);

    /// <summary>About how many bytes of table files the keys of each range take.</summary>
    /// <param name="family">The family.</param>
    /// <param name="ranges">First key and key before which the range ends.</param>
    /// <param name="includeMemtables">Whether memtables count too; RocksDB's C API has it since 9.5.</param>
    /// <exception cref="ArgumentException">A range ends before it begins.</exception>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: memtables are asked for and the
    /// library is too old.</exception>
    public IReadOnlyList<long> ApproximateSizes(
        ColumnFamily family,
        IReadOnlyList<(ReadOnlyMemory<byte> From, ReadOnlyMemory<byte> ToExclusive)> ranges,
        bool includeMemtables = false)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        ColumnFamilyHandle handle = Use(family);
        if (ranges.Count == 0)
        {
            return [];
        }

        foreach ((ReadOnlyMemory<byte> from, ReadOnlyMemory<byte> toExclusive) in ranges)
        {
            KeyRange.Require(from.Span, toExclusive.Span); // A library with assertions ends the process otherwise.
        }

        ulong[] sizes = new ulong[ranges.Count];
        AskSizes(handle, ranges, includeMemtables, sizes);
        return Array.ConvertAll(sizes, static size => checked((long)size));
    }

    /// <summary>The database for calls about several; it may be disposed any time after.</summary>
    internal DatabaseHandle OpenHandle()
    {
        ThrowIfDisposed();
        return _handle;
    }

    /// <summary>RocksDB says of an absent file that reading it failed, in words that differ by version.</summary>
    private void RequireFiles(string[] paths)
    {
        foreach (string path in paths)
        {
            if (!File.Exists(path))
            {
                throw new RocksDbException(
                    RocksDbStatus.PathNotFound, "ingestion of files", Path, $"there is no file '{path}'");
            }
        }

        if (paths.Length == 0)
        {
            throw new RocksDbException(
                RocksDbStatus.InvalidArgument, "ingestion of files", Path, "the list of files is empty");
        }
    }

    private void AskSizes(
        ColumnFamilyHandle family,
        IReadOnlyList<(ReadOnlyMemory<byte> From, ReadOnlyMemory<byte> ToExclusive)> ranges,
        bool includeMemtables,
        ulong[] sizes)
    {
        int count = ranges.Count;
        nint[] bounds = new nint[2 * count];
        nuint[] lengths = new nuint[2 * count];
        MemoryHandle[] pins = new MemoryHandle[2 * count];
        nint error = 0;
        try
        {
            for (int i = 0; i < count; i++)
            {
                Pin(i, ranges[i].From);
                Pin(count + i, ranges[i].ToExclusive);
            }

            fixed (nint* pointers = bounds)
            fixed (nuint* sizesOfKeys = lengths)
            fixed (ulong* results = sizes)
            {
                AskSizes(
                    family, count, (byte**)pointers, sizesOfKeys, includeMemtables, results, ref error);
            }
        }
        finally
        {
            foreach (MemoryHandle pin in pins)
            {
                pin.Dispose();
            }
        }

        NativeError.ThrowIfSet(error, "approximate sizes", Path);

        void Pin(int at, ReadOnlyMemory<byte> key)
        {
            pins[at] = key.Pin();
            bounds[at] = (nint)pins[at].Pointer;
            lengths[at] = (nuint)key.Length;
        }
    }

    private void AskSizes(
        ColumnFamilyHandle family, int count, byte** bounds, nuint* lengths, bool includeMemtables, ulong* results,
        ref nint error)
    {
        if (!includeMemtables)
        {
            Native.rocksdb_approximate_sizes_cf(
                _handle, family, count, bounds, lengths, bounds + count, lengths + count, results, ref error);
            return;
        }

        const byte MemtablesAndFiles = 3; // rocksdb_size_approximation_flags_* of rocksdb/c.h.
        var ask = (delegate* unmanaged<
            nint, nint, int, byte**, nuint*, byte**, nuint*, byte, ulong*, nint*, void>)OptionalNative.Get(
            SizesWithFlags, "RocksDB 9.5");
        ParentReference held = ParentReference.Take(family); // Which holds the database.
        try
        {
            nint text = 0;
            ask(
                _handle.DangerousGetHandle(), family.DangerousGetHandle(), count, bounds, lengths, bounds + count,
                lengths + count, MemtablesAndFiles, results, &text);
            error = text;
        }
        finally
        {
            held.Release();
        }
    }
}
