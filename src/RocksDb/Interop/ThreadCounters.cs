using System.Runtime.CompilerServices;

namespace Branching.RocksDb.Interop;

/// <summary>
/// RocksDB counts every key comparison, block read and memtable look-up of a thread in a thread-local record unless
/// the thread says otherwise. Nothing here reads that record, and in a library that was loaded at run time each count
/// is a call into the loader: a quarter of the time of a buffered put, measured (docs/benchmarks.md).
/// </summary>
internal static class ThreadCounters
{
    private const int Disabled = 1; // rocksdb_disable of rocksdb/c.h.

    [ThreadStatic]
    private static bool _off;

    /// <summary>Before calls that compare keys. After the first call of a thread it costs about a nanosecond.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TurnOff()
    {
        if (!_off)
        {
            TurnOffHere();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TurnOffHere()
    {
        Native.rocksdb_set_perf_level(Disabled);
        _off = true;
    }
}
