using System.Runtime.InteropServices;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb.Tests;

public sealed class LibraryTests
{
    [Fact]
    public void The_library_is_loaded_once_and_tells_where_from_and_how_new()
    {
        RocksDbLibrary.EnsureLoaded();
        RocksDbLibrary.EnsureLoaded();

        Assert.Contains("rocksdb", RocksDbLibrary.LoadedFrom, StringComparison.Ordinal);
        Assert.True(RocksDbLibrary.NativeVersion >= RocksDbLibrary.MinimumVersion);
    }

    [Fact]
    public void The_version_of_a_library_without_one_in_its_name_is_found_by_asking_it()
    {
        RocksDbLibrary.EnsureLoaded();

        Version asked = LibraryVersion.Ask();

        Assert.Equal(RocksDbLibrary.NativeVersion.Major, asked.Major);
        Assert.Equal(RocksDbLibrary.NativeVersion.Minor, asked.Minor);
    }

    [Theory]
    [InlineData("/usr/lib/librocksdb.so.7.8.3", "7.8.3")]
    [InlineData("librocksdb.so.8.9", "8.9")]
    [InlineData("/opt/lib/librocksdb.10.4.2.dylib", "10.4.2")]
    [InlineData("librocksdb.so", "0.0")]
    [InlineData("librocksdb.so.7", "0.0")]
    [InlineData("rocksdb.dll", "0.0")]
    [InlineData("/opt/7.8.3/librocksdb.so", "0.0")]
    public void A_file_name_may_tell_the_version(string path, string version)
    {
        Assert.Equal(Version.Parse(version), LibraryVersion.FromFileName(path));
    }

    [Fact]
    public void An_old_version_is_refused_with_both_numbers()
    {
        RocksDbException failure = Assert.Throws<RocksDbException>(
            () => LibraryVersion.Require(new Version(7, 7, 9), "/usr/lib/librocksdb.so"));

        Assert.Equal(RocksDbStatus.NotSupported, failure.Status);
        Assert.Contains("7.7.9", failure.Message, StringComparison.Ordinal);
        Assert.Contains("7.8", failure.Message, StringComparison.Ordinal);
        LibraryVersion.Require(new Version(7, 8), "x");
        LibraryVersion.Require(LibraryVersion.Unknown, "x");
    }

    [Fact]
    public void Places_are_tried_in_order_preferred_beside_the_application_system()
    {
        string application = Path.Combine(Path.GetTempPath(), "application");
        string preferred = Path.Combine(Path.GetTempPath(), "preferred", "librocksdb.so");

        string[] places = [.. LibraryPlaces.For(preferred, application).Select(place => place.Path)];

        Assert.Equal(preferred, places[0]);
        Assert.StartsWith(application, places[1], StringComparison.Ordinal);
        Assert.Contains(places, place => place.Contains(Path.Combine("runtimes", "linux-"), StringComparison.Ordinal)
            || !OperatingSystem.IsLinux());
        int lastBeside = Array.FindLastIndex(places, place => place.StartsWith(application, StringComparison.Ordinal));
        Assert.All(
            places[(lastBeside + 1)..],
            place => Assert.DoesNotContain(application, place, StringComparison.Ordinal));
        if (OperatingSystem.IsLinux())
        {
            Assert.Equal("librocksdb.so", places[lastBeside + 1]);
            Assert.Contains("librocksdb.so.7.8", places, StringComparer.Ordinal);
            Assert.Contains("librocksdb.so.8.9", places, StringComparer.Ordinal);
            Assert.DoesNotContain("librocksdb.so.7.7", places, StringComparer.Ordinal);
        }
    }

    [Fact]
    public void When_nothing_is_found_the_error_lists_every_place_and_one_command()
    {
        LibraryPlace[] places = [.. LibraryPlaces.For(preferred: null, Path.GetTempPath())];

        DllNotFoundException failure = Assert.Throws<DllNotFoundException>(
            () => new LibrarySearch(places, _ => 0).Run());

        Assert.All(places, place => Assert.Contains(place.Path, failure.Message, StringComparison.Ordinal));
        Assert.Contains("Install it with: ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_that_is_too_old_is_passed_over_and_said_to_be()
    {
        LibraryPlace[] places = [new("librocksdb.so.6.11", "test"), new("librocksdb.so.8.1", "test")];
        List<string> tried = [];

        LoadedLibrary found = new LibrarySearch(places, Load).Run();
        DllNotFoundException failure = Assert.Throws<DllNotFoundException>(
            () => new LibrarySearch(places[..1], Load).Run());

        Assert.Equal(new Version(8, 1), found.Version);
        Assert.Contains("6.11, older than 7.8", failure.Message, StringComparison.Ordinal);
        Assert.Equal(["librocksdb.so.6.11", "librocksdb.so.8.1", "librocksdb.so.6.11"], tried);

        nint Load(string place)
        {
            tried.Add(place);
            return tried.Count;
        }
    }

    [Fact]
    public void The_preferred_path_cannot_change_after_loading()
    {
        RocksDbLibrary.EnsureLoaded();
        string? before = RocksDbLibrary.PreferredPath;

        Assert.Throws<InvalidOperationException>(() => RocksDbLibrary.PreferredPath = "/elsewhere/librocksdb.so");
        RocksDbLibrary.PreferredPath = before;

        Assert.Equal(before, RocksDbLibrary.PreferredPath);
    }

    [Fact]
    public void A_missing_function_is_named_with_the_version_that_has_it()
    {
        RocksDbException failure = Assert.Throws<RocksDbException>(
            () => OptionalNative.Get("rocksdb_from_the_future", "RocksDB 99.0"));

        Assert.Equal(RocksDbStatus.NotSupported, failure.Status);
        Assert.Contains("rocksdb_from_the_future", failure.Message, StringComparison.Ordinal);
        Assert.Contains("RocksDB 99.0", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_write_buffer_manager_works_or_says_what_is_missing()
    {
        using BlockCache cache = new(8 << 20);
        if (!WriteBufferManager.IsSupported)
        {
            RocksDbException plain = Assert.Throws<RocksDbException>(() => new WriteBufferManager(1 << 20));
            RocksDbException charged = Assert.Throws<RocksDbException>(
                () => new WriteBufferManager(1 << 20, cache, allowStall: true));
            Assert.Equal(RocksDbStatus.NotSupported, plain.Status);
            Assert.Equal(RocksDbStatus.NotSupported, charged.Status);
            Assert.Contains("rocksdb_write_buffer_manager_create", plain.Message, StringComparison.Ordinal);
            return;
        }

        using WriteBufferManager limit = new(1 << 20, cache);
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, WriteBufferManager = limit });
        store.Put("k", "v");
        Assert.Equal("v", store.Get("k"));
    }

    [Fact]
    public void Every_import_of_the_binding_is_in_the_library()
    {
        RocksDbLibrary.EnsureLoaded();
        nint library = RocksDbLibrary.Load();
        string[] imports = [.. typeof(Native)
            .GetMethods(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
            .Select(method => method.Name)
            .Where(name => name.StartsWith("rocksdb_", StringComparison.Ordinal))];

        string[] missing = [.. imports.Where(name => !NativeLibrary.TryGetExport(library, name, out _))];

        Assert.NotEmpty(imports);
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_native_signature_takes_handles_and_only_release_takes_pointers()
    {
        // What may be a bare pointer: the argument of a release, errors and out-arrays, and values without a handle.
        // What an iterator stands on is read under one reference that the caller holds for all three.
        string[] exceptions =
        [
            "rocksdb_pinnableslice_value", "rocksdb_block_based_options_set_filter_policy",
            "rocksdb_iter_valid", "rocksdb_iter_key", "rocksdb_iter_value",

            // The state of callbacks, which is no native object.
            "rocksdb_mergeoperator_create", "rocksdb_compactionfilter_create",
            "rocksdb_compactionfilterfactory_create",

            // The second pointer of a handle that has two.
            "rocksdb_optimistictransactiondb_get_base_db", "rocksdb_optimistictransaction_begin",
        ];
        string[] bare = [.. typeof(Native)
            .GetMethods(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
            .Where(method => method.Name.StartsWith("rocksdb_", StringComparison.Ordinal)
                && !method.Name.Contains("destroy", StringComparison.Ordinal)
                && !method.Name.EndsWith("_close", StringComparison.Ordinal)
                && method.Name is not ("rocksdb_free" or "rocksdb_release_snapshot"
                    or "rocksdb_optimistictransactiondb_close_base_db")
                && method.GetParameters() is [var first, ..] && first.ParameterType == typeof(nint))
            .Select(method => method.Name)
            .Where(name => !exceptions.Contains(name))];

        Assert.Empty(bare);
        Assert.All(
            typeof(Native).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(SafeHandle))),
            handle => Assert.True(handle.IsSealed));
    }
}
