using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Checkpoints, compaction, properties and files.</content>
public sealed unsafe partial class RocksDatabase
{
    /// <summary>Makes an openable copy of the newest state in a new directory; table files become hard links.</summary>
    /// <remarks>
    /// RocksDB fills <c>&lt;directory&gt;.tmp</c> first (deleting one that is left over) and renames it. Observed with
    /// 7.8.3: the manifest, <c>CURRENT</c> and the copy of the newest log are synced, and so is the new directory after
    /// the rename. Older logs that are still needed are hard links, so they are as durable as the source made them
    /// (<see cref="FlushWal"/> with sync makes all of them durable), and the parent directory is not synced: a caller
    /// who needs the checkpoint to survive a power failure syncs the parent.
    /// Writes made without a log are in it only when flushed. Writes under way may be in it before they return, so its
    /// newest sequence can be a little higher than <see cref="LatestSequence"/> was when the call began.
    /// </remarks>
    /// <param name="directory">Must not exist; its parent must. On another file system the files are copied.</param>
    /// <param name="flush">With <see cref="CheckpointFlush.Never"/> nothing is flushed and the log is carried
    /// along.</param>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: the directory exists.
    /// <see cref="RocksDbStatus.PathNotFound"/>: its parent does not.</exception>
    public void CreateCheckpoint(string directory, CheckpointFlush flush)
    {
        string target = NameRules.RequirePath(directory);
        ThrowIfDisposed();
        RequireWritable("checkpoint");
        if (File.Exists(target) || Directory.Exists(target))
        {
            throw new RocksDbException(
                RocksDbStatus.InvalidArgument,
                "checkpoint",
                Path,
                $"the target '{target}' exists; name a new directory");
        }

        if (!Directory.Exists(System.IO.Path.GetDirectoryName(target)))
        {
            throw new RocksDbException(
                RocksDbStatus.PathNotFound, "checkpoint", Path, $"the parent directory of '{target}' does not exist");
        }

        // RocksDB flushes when the live log is at least this large: zero is always, the maximum is never.
        ulong logSizeForFlush = flush == CheckpointFlush.Never ? ulong.MaxValue : 0;
        nint error = 0;
        using CheckpointHandle checkpoint = Native.rocksdb_checkpoint_object_create(_handle, ref error);
        NativeError.ThrowIfSet(error, "checkpoint", Path);
        ParentReference held = ParentReference.Take(_handle); // The checkpoint object has a bare pointer to it.
        try
        {
            Native.rocksdb_checkpoint_create(checkpoint, target, logSizeForFlush, ref error);
        }
        finally
        {
            held.Release();
        }

        NativeError.ThrowIfSet(error, $"checkpoint to '{target}'", Path);
    }

    /// <summary>Compacts a whole family.</summary>
    public void CompactRange(ColumnFamily family) =>
        CompactRange(family, default, hasFrom: false, default, hasTo: false);

    /// <summary>Compacts the keys between two bounds.</summary>
    /// <param name="family">The family.</param>
    /// <param name="from">First key, when <paramref name="hasFrom"/>.</param>
    /// <param name="hasFrom">Whether there is a first key.</param>
    /// <param name="to">Last key, when <paramref name="hasTo"/>.</param>
    /// <param name="hasTo">Whether there is a last key.</param>
    /// <exception cref="ArgumentException">The range ends before it begins.</exception>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.Aborted"/>: <see cref="DisableManualCompaction"/>
    /// was called; it did not begin, or stopped.</exception>
    public void CompactRange(
        ColumnFamily family, ReadOnlySpan<byte> from, bool hasFrom, ReadOnlySpan<byte> to, bool hasTo)
    {
        if (hasFrom && hasTo)
        {
            KeyRange.Require(from, to);
        }

        RequireWritable("compaction");
        RequireManualCompaction(family);
        ColumnFamilyHandle handle = Enter(family);
        byte none = 0; // A null pointer means "no bound"; an empty bound needs an address.
        try
        {
            fixed (byte* f = &MemoryMarshal.GetReference(from), t = &MemoryMarshal.GetReference(to))
            {
                byte* start = hasFrom ? (from.IsEmpty ? &none : f) : null;
                byte* limit = hasTo ? (to.IsEmpty ? &none : t) : null;
                Native.rocksdb_compact_range_cf(_handle, handle, start, (nuint)from.Length, limit, (nuint)to.Length);
            }
        }
        finally
        {
            family.Gate.Exit();
        }

        RequireManualCompaction(family); // Disabled meanwhile: then it stopped half-way.
    }

    /// <summary>Stops background flushes and compactions for good; a way to close fast.</summary>
    /// <param name="wait">Whether to return only when those under way have stopped.</param>
    public void CancelBackgroundWork(bool wait)
    {
        ThrowIfDisposed();
        Native.rocksdb_cancel_all_background_work(_handle, Flag.Of(wait));
    }

    /// <summary>A property by its RocksDB name (<c>rocksdb.stats</c>); <see langword="null"/> when there is
    /// none.</summary>
    public string? GetProperty(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ThrowIfDisposed();
        return NativeText.Take(Native.rocksdb_property_value(_handle, name));
    }

    /// <summary>A property of one family; <see langword="null"/> when there is none of that name.</summary>
    public string? GetProperty(ColumnFamily family, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return NativeText.Take(Native.rocksdb_property_value_cf(_handle, Use(family), name));
    }

    /// <summary>A numeric property (<c>rocksdb.estimate-num-keys</c>) of the default family.</summary>
    public bool TryGetIntProperty(string name, out ulong value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ThrowIfDisposed();
        return Native.rocksdb_property_int(_handle, name, out value) == 0;
    }

    /// <summary>A numeric property of one family.</summary>
    public bool TryGetIntProperty(ColumnFamily family, string name, out ulong value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Native.rocksdb_property_int_cf(_handle, Use(family), name, out value) == 0;
    }

    /// <summary>About how many bytes of table files the keys of a range take; memtables are not counted.</summary>
    /// <exception cref="ArgumentException">The range ends before it begins.</exception>
    public ulong ApproximateSize(ColumnFamily family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> toExclusive)
    {
        KeyRange.Require(from, toExclusive); // A library with assertions ends the process otherwise.
        ColumnFamilyHandle handle = Use(family);
        nint error = 0;
        ulong size = 0;
        fixed (byte* f = &MemoryMarshal.GetReference(from), t = &MemoryMarshal.GetReference(toExclusive))
        {
            byte* start = f;
            byte* limit = t;
            nuint startLength = (nuint)from.Length;
            nuint limitLength = (nuint)toExclusive.Length;
            Native.rocksdb_approximate_sizes_cf(
                _handle, handle, 1, &start, &startLength, &limit, &limitLength, &size, ref error);
        }

        NativeError.ThrowIfSet(error, "approximate size", Path);
        return size;
    }

    /// <summary>The table files of the newest state, of all families.</summary>
    public IReadOnlyList<LiveFile> GetLiveFiles()
    {
        ThrowIfDisposed();
        using LiveFilesHandle files = Native.rocksdb_livefiles(_handle);
        LiveFile[] list = new LiveFile[Native.rocksdb_livefiles_count(files)];
        for (int i = 0; i < list.Length; i++)
        {
            byte* smallest = Native.rocksdb_livefiles_smallestkey(files, i, out nuint smallestLength);
            byte* largest = Native.rocksdb_livefiles_largestkey(files, i, out nuint largestLength);
            list[i] = new LiveFile(
                NativeText.Read(Native.rocksdb_livefiles_name(files, i)),
                NativeText.Read(Native.rocksdb_livefiles_column_family_name(files, i)),
                Native.rocksdb_livefiles_level(files, i),
                checked((long)Native.rocksdb_livefiles_size(files, i)),
                new ReadOnlySpan<byte>(smallest, checked((int)smallestLength)).ToArray(),
                new ReadOnlySpan<byte>(largest, checked((int)largestLength)).ToArray(),
                checked((long)Native.rocksdb_livefiles_entries(files, i)),
                checked((long)Native.rocksdb_livefiles_deletions(files, i)));
        }

        return list;
    }

    /// <summary>Keeps obsolete files on disk until <see cref="EnableFileDeletions"/>; calls nest.</summary>
    public void DisableFileDeletions()
    {
        ThrowIfDisposed();
        nint error = 0;
        Native.rocksdb_disable_file_deletions(_handle, ref error);
        NativeError.ThrowIfSet(error, "disabling of file deletions", Path);
    }

    /// <summary>Undoes one <see cref="DisableFileDeletions"/>.</summary>
    /// <param name="force">Undoes all of them at once. Ignored by RocksDB 9.0 and newer, which has no such
    /// thing.</param>
    public void EnableFileDeletions(bool force = false)
    {
        ThrowIfDisposed();
        nint error = 0;
        OptionalNative.EnableFileDeletions(_handle, force, ref error);
        NativeError.ThrowIfSet(error, "enabling of file deletions", Path);
    }

    /// <summary>Changes options of an open family by their RocksDB names (<c>write_buffer_size</c>).</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: no such option, or it cannot
    /// change while open; then none is changed.</exception>
    public void SetOptions(ColumnFamily family, IReadOnlyDictionary<string, string> options)
    {
        ArgumentNullException.ThrowIfNull(options);
        KeyValuePair<string, string>[] pairs = [.. options];
        Use(family);
        RequireWritable("change of options");
        if (pairs.Length == 0)
        {
            return; // RocksDB takes an empty list for a mistake.
        }

        using NativeText.Lines keys = NativeText.Copy([.. pairs.Select(static pair => pair.Key)]);
        using NativeText.Lines values = NativeText.Copy([.. pairs.Select(static pair => pair.Value)]);
        ColumnFamilyHandle handle = Enter(family);
        nint error = 0;
        try
        {
            Native.rocksdb_set_options_cf(_handle, handle, pairs.Length, keys.Pointers, values.Pointers, ref error);
        }
        finally
        {
            family.Gate.Exit();
        }

        NativeError.ThrowIfSet(error, $"change of options of column family '{family.Name}'", Path);
    }

    /// <summary>All counters as text; <see langword="null"/> without
    /// <see cref="DatabaseOptions.StatisticsEnabled"/>.</summary>
    public string? GetStatistics()
    {
        ThrowIfDisposed();
        return _statistics ? NativeText.Take(Native.rocksdb_options_statistics_get_string(_options)) : null;
    }
}
