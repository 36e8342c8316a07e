using System.Globalization;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>One place a native library may be.</summary>
/// <param name="Path">A file, or a bare name for the system's loader.</param>
/// <param name="Origin">Why it is a candidate, in the words of the error message.</param>
internal readonly record struct LibraryPlace(string Path, string Origin);

/// <summary>Where librocksdb may be on this system, best first.</summary>
internal static class LibraryPlaces
{
    private const int NewestMajor = 11;
    private const int OldestMajor = 7;
    private const int NewestMinor = 12;

    /// <summary>The one command that installs the library here.</summary>
    public static string InstallHint
    {
        get
        {
            if (OperatingSystem.IsMacOS())
            {
                return "Install it with: brew install rocksdb";
            }

            return OperatingSystem.IsWindows()
                ? "Install it with: dotnet add package RocksDB (it carries rocksdb.dll for Windows)"
                : "Install it with: apt-get install librocksdb7.8 (Debian 12; elsewhere the distribution's package, "
                    + "such as librocksdb8.9 or rocksdb)";
        }
    }

    private static string PlainName
    {
        get
        {
            if (OperatingSystem.IsWindows())
            {
                return "rocksdb.dll";
            }

            return OperatingSystem.IsMacOS() ? "librocksdb.dylib" : "librocksdb.so";
        }
    }

    public static IEnumerable<LibraryPlace> For(string? preferred) => For(preferred, AppContext.BaseDirectory);

    public static IEnumerable<LibraryPlace> For(string? preferred, string applicationDirectory)
    {
        if (!string.IsNullOrEmpty(preferred))
        {
            yield return new LibraryPlace(
                Path.GetFullPath(preferred), $"PreferredPath, or the variable {RocksDbLibrary.PathVariable}");
        }

        yield return new LibraryPlace(Path.Combine(applicationDirectory, PlainName), "beside the application");
        foreach (string rid in RuntimeIdentifiers())
        {
            string file = Path.Combine(applicationDirectory, "runtimes", rid, "native", PlainName);
            yield return new LibraryPlace(file, "beside the application");
        }

        foreach (string name in SystemNames())
        {
            yield return new LibraryPlace(name, "the system's library path");
        }
    }

    /// <summary>The file behind a loaded name; the name itself where the system does not tell.</summary>
    public static string FileOf(string place)
    {
        string found = place;
        if (!Path.IsPathRooted(place) && OperatingSystem.IsLinux() && MappedFile(Path.GetFileName(place)) is { } mapped)
        {
            found = mapped;
        }

        return Path.IsPathRooted(found) && File.ResolveLinkTarget(found, returnFinalTarget: true) is { } target
            ? target.FullName
            : found;
    }

    private static string? MappedFile(string name)
    {
        // A name resolves to "librocksdb.so.7.8.3" for every prefix of it. When several RocksDB files are mapped,
        // the last one is the one just loaded only by luck, so an exact match of the asked name goes first.
        string? any = null;
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            int start = line.IndexOf('/', StringComparison.Ordinal);
            if (start < 0)
            {
                continue;
            }

            string file = line[start..];
            string candidate = Path.GetFileName(file);
            if (candidate == name)
            {
                return file;
            }

            if (candidate.StartsWith(name, StringComparison.Ordinal))
            {
                any ??= file;
            }
        }

        return any;
    }

    private static IEnumerable<string> RuntimeIdentifiers()
    {
        string architecture = RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant();
        string portable = OperatingSystem.IsWindows() ? "win-" : OperatingSystem.IsMacOS() ? "osx-" : "linux-";
        return new[] { RuntimeInformation.RuntimeIdentifier, portable + architecture }.Distinct(StringComparer.Ordinal);
    }

    private static IEnumerable<string> SystemNames()
    {
        yield return PlainName;
        if (OperatingSystem.IsWindows())
        {
            yield break;
        }

        if (OperatingSystem.IsMacOS())
        {
            yield return "/opt/homebrew/lib/librocksdb.dylib";
            yield return "/usr/local/lib/librocksdb.dylib";
            yield break;
        }

        for (int major = NewestMajor; major >= OldestMajor; major--)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"librocksdb.so.{major}");

            // The soname of a build carries major and minor; a run-time package installs only that name.
            int oldestMinor = major == OldestMajor ? RocksDbLibrary.MinimumVersion.Minor : 0;
            for (int minor = NewestMinor; minor >= oldestMinor; minor--)
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"librocksdb.so.{major}.{minor}");
            }
        }
    }
}
