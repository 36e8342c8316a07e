using System.Collections.Concurrent;

namespace Branching.RocksDb.Interop;

/// <summary>Which compressions the library was built with. The C API has no list; opening a database tells.</summary>
internal static class CompressionSupport
{
    private static readonly ConcurrentDictionary<Compression, bool> _known = new();

    public static bool IsBuiltIn(Compression compression) =>
        compression == Compression.None || _known.GetOrAdd(compression, Probe);

    private static bool Probe(Compression compression)
    {
        // A memory environment: nothing is written to disk.
        using EnvironmentHandle environment = Native.rocksdb_create_mem_env();
        using OptionsHandle options = Native.rocksdb_options_create();
        Native.rocksdb_options_set_env(options, environment);
        Native.rocksdb_options_set_create_if_missing(options, 1);
        Native.rocksdb_options_set_compression(options, (int)compression);
        nint error = 0;
        Native.rocksdb_open(options, "/compression-probe", ref error).Dispose();
        if (error == 0)
        {
            return true;
        }

        RocksDbException failure = NativeError.Take(error, "compression probe", compression.ToString());
        if (failure.Status == RocksDbStatus.InvalidArgument)
        {
            return false;
        }

        throw failure;
    }
}
