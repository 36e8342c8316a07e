using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>The threads that flush and compact for all databases of this process. Thread-safe.</summary>
/// <remarks>Opening a database makes them more when its <see cref="DatabaseOptions.MaxBackgroundJobs"/> needs
/// it. They start when there are to be more of them, and inherit the priority of the thread that makes them more.
/// </remarks>
public static class BackgroundThreads
{
    /// <summary>Threads for compactions; 1 or more.</summary>
    public static int Compaction
    {
        get
        {
            using EnvironmentHandle environment = Environment();
            return Native.rocksdb_env_get_low_priority_background_threads(environment);
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            using EnvironmentHandle environment = Environment();
            Native.rocksdb_env_set_low_priority_background_threads(environment, value);
        }
    }

    /// <summary>Threads for flushes; 1 or more. Without any, RocksDB flushes on those for compactions.</summary>
    public static int Flush
    {
        get
        {
            using EnvironmentHandle environment = Environment();
            return Native.rocksdb_env_get_high_priority_background_threads(environment);
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            using EnvironmentHandle environment = Environment();
            Native.rocksdb_env_set_high_priority_background_threads(environment, value);
        }
    }

    // Frees what wraps the default environment, which itself is never freed.
    private static EnvironmentHandle Environment()
    {
        RocksDbLibrary.EnsureLoaded();
        return Native.rocksdb_create_default_env();
    }
}
