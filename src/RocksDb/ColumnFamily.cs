using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>A named key space of one open database. Thread-safe; owned by its <see cref="RocksDatabase"/>.</summary>
public sealed class ColumnFamily
{
    /// <summary>The name of the family that every database has.</summary>
    public const string DefaultName = "default";

    // Its handle is not closed yet while an iterator or a call uses it, so the handle cannot tell.
    private volatile bool _closed;

    internal ColumnFamily(
        string name, DatabaseHandle database, nint handle, Compression compression, MergeOperator? mergeOperator)
    {
        Name = name;
        Database = database;
        Handle = new ColumnFamilyHandle(database, handle);
        Id = Native.rocksdb_column_family_handle_get_id(Handle);
        Compression = compression;
        MergeOperator = mergeOperator;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>RocksDB's number for it, never reused in one database.</summary>
    public uint Id { get; }

    /// <summary>The compression of its new table files, after a fall-back for libraries without the default.</summary>
    public Compression Compression { get; }

    /// <summary>What joins its merge operands; <see langword="null"/> when it takes none.</summary>
    public MergeOperator? MergeOperator { get; }

    /// <summary>Whether it was dropped, or its database disposed; any use then is an
    /// <see cref="ObjectDisposedException"/>.</summary>
    public bool IsClosed => _closed;

    /// <summary>Whether an exception says that a family was used after its end.</summary>
    /// <remarks>
    /// A drop that comes between a call's look at the family and its use of the handle is told in the handle's name.
    /// </remarks>
    public static bool IsSubjectOf(ObjectDisposedException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return exception.ObjectName == typeof(ColumnFamily).FullName
            || exception.ObjectName == typeof(ColumnFamilyHandle).FullName;
    }

    internal DatabaseHandle Database { get; }

    internal ColumnFamilyHandle Handle { get; }

    internal WriterGate Gate { get; } = new();

    /// <summary>The name.</summary>
    public override string ToString() => Name;

    /// <exception cref="ArgumentException">It belongs to another database.</exception>
    /// <exception cref="ObjectDisposedException">It was dropped or its database disposed.</exception>
    internal ColumnFamilyHandle HandleIn(DatabaseHandle database)
    {
        if (!ReferenceEquals(database, Database))
        {
            ThrowForeign(nameof(database));
        }

        ObjectDisposedException.ThrowIf(_closed, this);
        return Handle;
    }

    /// <summary>As <see cref="HandleIn"/>, and keeps the family from being dropped until <c>Gate.Exit()</c>.</summary>
    internal ColumnFamilyHandle EnterIn(DatabaseHandle database)
    {
        ColumnFamilyHandle handle = HandleIn(database);
        ObjectDisposedException.ThrowIf(!Gate.TryEnter(), this);
        return handle;
    }

    /// <summary>Refuses what would stop the whole database: RocksDB logs an operand first and finds out then.</summary>
    /// <exception cref="ArgumentException">The operator refuses the operand.</exception>
    /// <exception cref="InvalidOperationException">The family has no merge operator.</exception>
    internal void RequireOperand(ReadOnlySpan<byte> operand)
    {
        if (MergeOperator is not { } mergeOperator)
        {
            throw new InvalidOperationException(
                $"Column family '{Name}' has no merge operator: open it with ColumnFamilyOptions.MergeOperator.");
        }

        mergeOperator.RequireOperand(operand);
    }

    /// <summary>Refuses every later use; the native handle goes when the last user of it is done.</summary>
    internal void Close()
    {
        _closed = true;
        Handle.Dispose();
    }

    private void ThrowForeign(string parameter) => throw new ArgumentException(
        $"Column family '{Name}' belongs to another database, or to an earlier opening of this one.", parameter);
}
