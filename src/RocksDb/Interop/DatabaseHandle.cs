using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// Owns <c>rocksdb_t*</c>. It is closed when it is disposed and every column family, iterator, snapshot and pinned
/// value opened from it is released; never, once <see cref="KeepOpen"/> was called.
/// </summary>
internal sealed class DatabaseHandle : SafeHandle
{
    private static readonly ConcurrentDictionary<DatabaseHandle, string> _kept = new();

    public DatabaseHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    /// <summary>The directories of the databases that stay open until the process ends.</summary>
    public static IReadOnlyCollection<string> KeptOpen => [.. _kept.Values];

    public override bool IsInvalid => handle == 0;

    /// <summary>Whether this database stays open until the process ends.</summary>
    public bool IsKeptOpen => _kept.ContainsKey(this);

    /// <summary>Keeps the database open until the process ends, whatever is disposed.</summary>
    public void KeepOpen(string directory)
    {
        if (!_kept.TryAdd(this, directory))
        {
            return;
        }

        bool held = false;
        DangerousAddRef(ref held); // Never released: closing would be the end of the process.
    }

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_close(handle);
        return true;
    }
}
