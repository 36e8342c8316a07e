using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>An open RocksDB database. Thread-safe, also while it is being disposed.</summary>
/// <remarks>
/// <see cref="Dispose"/> may come before that of iterators, snapshots and pinned values: from then on every call is an
/// <see cref="ObjectDisposedException"/>, and the files are closed when the last of those children is disposed.
/// </remarks>
public sealed partial class RocksDatabase : IDisposable
{
    private readonly DatabaseHandle _handle;
    private readonly OptionsHandle _options;
    private readonly TableOptionsHandle _tableOptions;
    private readonly ColumnFamilyOptions _defaultFamilyOptions;
    private readonly bool _statistics;
    private readonly bool _readsOnly;
    private readonly bool _compactOnClose;
    private readonly Lock _familyGate = new();
    private readonly Dictionary<string, ColumnFamily> _families = new(StringComparer.Ordinal);

    // A handle with children is not closed yet when it is disposed, so the handle cannot tell. Set under _familyGate: a
    // family made after Dispose has let go of the families would keep the files open.
    private volatile bool _disposed;

    private RocksDatabase(string path, DatabaseHandle handle, OpenedDatabase opened)
    {
        Path = path;
        _handle = handle;
        _options = opened.Options;
        _tableOptions = opened.TableOptions;
        _defaultFamilyOptions = opened.DefaultFamilyOptions;
        _statistics = opened.Statistics;
        _readsOnly = opened.ReadsOnly;
        _compactOnClose = opened.CompactOnClose && !opened.ReadsOnly;
        for (int i = 0; i < opened.Families.Count; i++)
        {
            string name = opened.Families[i].Name;
            _families.Add(
                name,
                new ColumnFamily(
                    name, handle, opened.Handles[i], opened.Compressions[i], opened.MergeOperators[i]));
        }

        DefaultColumnFamily = _families[ColumnFamily.DefaultName];
    }

    /// <summary>The directory, as a full path.</summary>
    public string Path { get; }

    /// <summary>Whether it is disposed. Children may still keep the files open.</summary>
    public bool IsDisposed => _disposed;

    /// <summary>
    /// Whether the files stay open until the process ends because a write failed in the log: a library with assertions
    /// ends the process when such a log is closed. The directory can be opened again by another process afterwards.
    /// </summary>
    public bool IsKeptOpen => _handle.IsKeptOpen;

    /// <summary>The directories that this process keeps open until it ends, see <see cref="IsKeptOpen"/>.</summary>
    public static IReadOnlyCollection<string> KeptOpen => DatabaseHandle.KeptOpen;

    /// <summary>The family <c>default</c>, which every database has.</summary>
    public ColumnFamily DefaultColumnFamily { get; }

    /// <summary>The families that are open now, in the order of their names.</summary>
    public IReadOnlyList<ColumnFamily> ColumnFamilies
    {
        get
        {
            lock (_familyGate)
            {
                ThrowIfDisposed();
                return [.. _families.Values.OrderBy(static family => family.Name, StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Finds an open family by name.</summary>
    public bool TryGetColumnFamily(string name, [NotNullWhen(true)] out ColumnFamily? family)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_familyGate)
        {
            ThrowIfDisposed();
            return _families.TryGetValue(name, out family);
        }
    }

    /// <summary>Makes a column family. Durable on return.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: the name exists.</exception>
    public ColumnFamily CreateColumnFamily(string name, ColumnFamilyOptions? options = null)
    {
        NameRules.RequireFamilyName(name);
        lock (_familyGate)
        {
            ThrowIfDisposed();
            RequireWritable($"creation of column family '{name}'");
            ColumnFamilyOptions effective = (options ?? _defaultFamilyOptions).Copy();
            using OptionsHandle familyOptions = Native.rocksdb_options_create();
            ApplyFamily(effective, familyOptions, _tableOptions);
            nint error = 0;
            nint handle = Native.rocksdb_create_column_family(_handle, familyOptions, name, ref error);
            NativeError.ThrowIfSet(error, $"creation of column family '{name}'", Path);
            ColumnFamily family = new(
                name, _handle, handle, effective.EffectiveCompression(), effective.MergeOperator);
            _families.Add(name, family);
            return family;
        }
    }

    /// <summary>
    /// Drops a column family and its data. Durable on return; reads that are under way, and open iterators, finish.
    /// Waits for writes, flushes and compactions of the family that are under way, and refuses new ones.
    /// </summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.InvalidArgument"/>: it is
    /// <c>default</c>.</exception>
    public void DropColumnFamily(ColumnFamily family)
    {
        lock (_familyGate)
        {
            ColumnFamilyHandle handle = Use(family);
            RequireWritable($"drop of column family '{family.Name}'");
            family.Gate.CloseAndWait();
            nint error = 0;
            Native.rocksdb_drop_column_family(_handle, handle, ref error);
            if (error != 0)
            {
                family.Gate.Reopen();
                NativeError.ThrowIfSet(error, $"drop of column family '{family.Name}'", Path);
            }

            _families.Remove(family.Name);
            family.Close();
        }
    }

    /// <summary>Closes the database. Calls under way finish first; later ones fail.</summary>
    /// <remarks>
    /// After a write failed in the log (a full disk, for example) the files stay open until the process ends, see
    /// <see cref="IsKeptOpen"/>. Nothing that was acknowledged is lost by that.
    /// </remarks>
    public void Dispose()
    {
        if (_compactOnClose && !_disposed && !IsKeptOpen)
        {
            CompactBeforeClose();
        }

        lock (_familyGate)
        {
            _disposed = true;
            foreach (ColumnFamily family in _families.Values)
            {
                family.Close();
            }

            _families.Clear();
        }

        _handle.Dispose();
        _options.Dispose();
        _tableOptions.Dispose();
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);

    /// <summary>
    /// RocksDB 7.8.3 lets a read-only opening change the manifest and the options file of the writer, and ignores a
    /// compaction without a word; none of that is let through.
    /// </summary>
    private void RequireWritable(string operation)
    {
        if (_readsOnly)
        {
            throw new RocksDbException(
                RocksDbStatus.NotSupported, operation, Path, "the database is open for reading only");
        }
    }

    /// <summary>The handle of a family of this database.</summary>
    private ColumnFamilyHandle Use(ColumnFamily family)
    {
        ArgumentNullException.ThrowIfNull(family);
        ThrowIfDisposed();
        return family.HandleIn(_handle);
    }

    /// <summary>As <see cref="Use(ColumnFamily)"/>, for calls that must not meet the drop of the family.</summary>
    private ColumnFamilyHandle Enter(ColumnFamily family)
    {
        ArgumentNullException.ThrowIfNull(family);
        ThrowIfDisposed();
        return family.EnterIn(_handle);
    }

    private ReadOptionsHandle Use(ReadOptions? options) => (options ?? ReadOptions.Default).HandleFor(_handle);
}
