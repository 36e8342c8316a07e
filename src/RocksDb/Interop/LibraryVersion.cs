using System.Text.RegularExpressions;

namespace Branching.RocksDb.Interop;

/// <summary>How new a native library is, as far as anything tells.</summary>
internal static partial class LibraryVersion
{
    /// <summary>Stands for "its name does not say".</summary>
    public static readonly Version Unknown = new(0, 0);

    /// <summary>The youngest functions the binding cannot do without; they tell a far too old library early.</summary>
    public static readonly string[] RequiredFunctions =
    [
        "rocksdb_get_pinned_cf",
        "rocksdb_batched_multi_get_cf",
        "rocksdb_flush_wal",
        "rocksdb_options_set_manual_wal_flush",
    ];

    /// <summary>Reads <c>librocksdb.so.7.8.3</c>, <c>librocksdb.so.8.9</c>, <c>librocksdb.9.1.0.dylib</c>.</summary>
    public static Version FromFileName(string path)
    {
        Match match = NumberedName().Match(Path.GetFileName(path));
        return match.Success && Version.TryParse(match.Groups["version"].Value, out Version? version)
            ? version
            : Unknown;
    }

    /// <summary>Makes an empty database and reads the version out of its options file.</summary>
    public static Version Ask()
    {
        string directory = Directory.CreateTempSubdirectory("rocksdb-version-").FullName;
        try
        {
            string database = Path.Combine(directory, "probe");
            using (OptionsHandle options = Native.rocksdb_options_create())
            {
                Native.rocksdb_options_set_create_if_missing(options, 1);
                nint error = 0;
                Native.rocksdb_open(options, database, ref error).Dispose();
                NativeError.ThrowIfSet(error, "version probe", database);
            }

            return FromOptionsFile(Directory.EnumerateFiles(database, "OPTIONS-*").Max(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: too old.</exception>
    public static void Require(Version version, string path)
    {
        if (version != Unknown && version < RocksDbLibrary.MinimumVersion)
        {
            throw new RocksDbException(
                RocksDbStatus.NotSupported,
                "load",
                path,
                $"this is RocksDB {version}; version {RocksDbLibrary.MinimumVersion} or newer is needed. "
                + LibraryPlaces.InstallHint);
        }
    }

    internal static Version FromOptionsFile(string? file)
    {
        const string Key = "rocksdb_version=";
        if (file is null)
        {
            return Unknown;
        }

        foreach (string line in File.ReadLines(file))
        {
            string trimmed = line.Trim();
            if (trimmed.StartsWith(Key, StringComparison.Ordinal)
                && Version.TryParse(trimmed.AsSpan(Key.Length), out Version? version))
            {
                return version;
            }
        }

        return Unknown;
    }

    [GeneratedRegex(
        @"^librocksdb(?:\.so)?\.(?<version>\d+\.\d+(?:\.\d+)?)(?:\.dylib)?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NumberedName();
}
