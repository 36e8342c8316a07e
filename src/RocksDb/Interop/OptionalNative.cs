using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Functions newer than RocksDB 7.8, or changed since; looked up when first used.</summary>
internal static unsafe class OptionalNative
{
    /// <summary>The release in which <c>rocksdb_enable_file_deletions</c> lost its <c>force</c> argument.</summary>
    private static readonly Version _withoutForce = new(9, 0);

    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: the loaded library lacks
    /// it.</exception>
    public static nint Get(string function, string since)
    {
        if (TryGet(function, out nint address))
        {
            return address;
        }

        throw new RocksDbException(
            RocksDbStatus.NotSupported,
            "lookup of " + function,
            RocksDbLibrary.LoadedFrom,
            $"RocksDB {RocksDbLibrary.NativeVersion} has no such function; it came with {since}. "
            + "Load a newer library.");
    }

    public static bool TryGet(string function, out nint address) =>
        NativeLibrary.TryGetExport(RocksDbLibrary.Load(), function, out address);

    public static void EnableFileDeletions(DatabaseHandle database, bool force, ref nint error)
    {
        if (RocksDbLibrary.NativeVersion < _withoutForce)
        {
            Native.rocksdb_enable_file_deletions(database, force ? (byte)1 : (byte)0, ref error);
            return;
        }

        // The same name takes two arguments here: calling it with three would make it write through "force".
        var enable = (delegate* unmanaged<nint, nint*, void>)Get("rocksdb_enable_file_deletions", "every release");
        ParentReference held = ParentReference.Take(database);
        try
        {
            nint text = 0;
            enable(database.DangerousGetHandle(), &text);
            error = text;
        }
        finally
        {
            held.Release();
        }
    }
}
