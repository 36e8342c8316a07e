using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>The native library <c>librocksdb</c> that this process uses: where it came from and how new it
/// is.</summary>
/// <remarks>
/// Looked for, in this order: <see cref="PreferredPath"/>; beside the application, also under
/// <c>runtimes/&lt;rid&gt;/native</c>; the system's. It is loaded once, when first needed. All members are thread-safe.
/// </remarks>
public static class RocksDbLibrary
{
    private static readonly Lock _gate = new();
    private static volatile LoadedLibrary? _loaded;
    private static nint _handle;
    private static string? _preferredPath =
        Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } path ? path : null;

    /// <summary>The environment variable that <see cref="PreferredPath"/> starts with:
    /// <c>BRANCHING_ROCKSDB_LIBRARY</c>.</summary>
    public const string PathVariable = "BRANCHING_ROCKSDB_LIBRARY";

    /// <summary>The oldest RocksDB the binding works with: 7.8.</summary>
    public static Version MinimumVersion { get; } = new(7, 8);

    /// <summary>A library file to try before every other place. By default what <see cref="PathVariable"/> says, else
    /// <see langword="null"/>.</summary>
    /// <exception cref="InvalidOperationException">Set to something else after the library was loaded.</exception>
    public static string? PreferredPath
    {
        get => _preferredPath;
        set
        {
            lock (_gate)
            {
                if (_loaded is { } loaded && value != _preferredPath)
                {
                    throw new InvalidOperationException(
                        $"PreferredPath cannot become '{value}': librocksdb is already loaded from '{loaded.Path}'. "
                        + "Set it before the first use of RocksDB.");
                }

                _preferredPath = value;
            }
        }
    }

    /// <summary>The file that was loaded, with symbolic links resolved where the system tells. Loads on first
    /// use.</summary>
    /// <exception cref="DllNotFoundException">No usable library; the message lists every place looked at.</exception>
    public static string LoadedFrom => Ensure().Path;

    /// <summary>The version of the loaded library. Loads on first use.</summary>
    /// <remarks>
    /// RocksDB's C API cannot tell it. It is read from the file name where that carries it
    /// (<c>librocksdb.so.7.8.3</c>), otherwise from the options file of an empty database that is made in the
    /// temporary directory and removed again.
    /// </remarks>
    /// <exception cref="DllNotFoundException">No usable library; the message lists every place looked at.</exception>
    public static Version NativeVersion => Ensure().Version;

    /// <summary>Loads the library now, so that a missing one is found at start-up and not at the first
    /// request.</summary>
    /// <exception cref="DllNotFoundException">No usable library; the message lists every place looked at.</exception>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: it is older than
    /// <see cref="MinimumVersion"/>.</exception>
    public static void EnsureLoaded() => Ensure();

    /// <summary>Whether the loaded library was built with a compression. Loads on first use.</summary>
    public static bool IsCompressionSupported(Compression compression)
    {
        Ensure();
        return CompressionSupport.IsBuiltIn(compression);
    }

    internal static nint Load()
    {
        nint handle = Volatile.Read(ref _handle);
        return handle != 0 ? handle : Ensure().Handle;
    }

    private static LoadedLibrary Ensure() => _loaded ?? LoadOnce();

    private static LoadedLibrary LoadOnce()
    {
        lock (_gate)
        {
            if (_loaded is { } already)
            {
                return already;
            }

            LibrarySearch search = new(LibraryPlaces.For(_preferredPath), TryLoad);
            LoadedLibrary found = search.Run();
            RequireExports(found);

            // Asking an unnamed library for its version goes through the imports, which ask for this handle.
            Volatile.Write(ref _handle, found.Handle);
            try
            {
                Version version = found.Version == LibraryVersion.Unknown ? LibraryVersion.Ask() : found.Version;
                LibraryVersion.Require(version, found.Path);
                return _loaded = found with { Version = version };
            }
            catch
            {
                // Nobody may call into a library that was refused.
                Volatile.Write(ref _handle, 0);
                throw;
            }
        }
    }

    private static nint TryLoad(string place) => NativeLibrary.TryLoad(place, out nint handle) ? handle : 0;

    private static void RequireExports(LoadedLibrary library)
    {
        foreach (string function in LibraryVersion.RequiredFunctions)
        {
            if (!NativeLibrary.TryGetExport(library.Handle, function, out _))
            {
                throw new RocksDbException(
                    RocksDbStatus.NotSupported,
                    "load",
                    library.Path,
                    $"the library has no function {function}, so it is older than RocksDB {MinimumVersion} or not "
                    + $"RocksDB at all. {LibraryPlaces.InstallHint}");
            }
        }
    }
}
