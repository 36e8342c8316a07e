using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class OpeningTests
{
    [Fact]
    public void Opening_what_does_not_exist_fails_and_creates_nothing()
    {
        using TestStore store = new(open: false);

        RocksDbException open = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, new DatabaseOptions()));
        RocksDbException read = Assert.Throws<RocksDbException>(
            () => RocksDatabase.OpenReadOnly(store.Directory, new DatabaseOptions()));
        RocksDbException follow = Assert.Throws<RocksDbException>(
            () => RocksDatabase.OpenSecondary(store.Directory, store.Below("own"), new DatabaseOptions()));
        RocksDbException list = Assert.Throws<RocksDbException>(
            () => RocksDatabase.ListColumnFamilies(store.Directory));

        Assert.All([open, read, follow, list], failure => Assert.Equal(RocksDbStatus.PathNotFound, failure.Status));
        Assert.Contains(store.Directory, open.Message, StringComparison.Ordinal);
        Assert.Equal("open", open.Operation);
        Assert.Empty(Directory.EnumerateFileSystemEntries(store.Root));
    }

    [Fact]
    public void Opening_below_a_missing_parent_says_which_path()
    {
        using TestStore store = new(open: false);
        string deep = Path.Combine(store.Directory, "a", "b");

        RocksDbException failure = Assert.Throws<RocksDbException>(() => RocksDatabase.Open(deep, Creating()));

        Assert.Equal(RocksDbStatus.PathNotFound, failure.Status);
        Assert.Contains(deep, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Opening_a_file_is_an_error()
    {
        using TestStore store = new(open: false);
        File.WriteAllText(store.Directory, "a file");

        RocksDbException failure = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, Creating()));

        Assert.Equal(RocksDbStatus.IOError, failure.Status);
        Assert.Equal("a file", File.ReadAllText(store.Directory));
    }

    [Fact]
    public void Error_if_exists_refuses_an_existing_database_and_leaves_it_alone()
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Dispose();
        DatabaseOptions fresh = Creating();
        fresh.ErrorIfExists = true;

        RocksDbException failure = Assert.Throws<RocksDbException>(() => RocksDatabase.Open(store.Directory, fresh));

        Assert.Equal(RocksDbStatus.InvalidArgument, failure.Status);
        store.Open();
        Assert.Equal("v", store.Get("k"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_missing_CURRENT_is_damage_and_the_tables_stay(bool create)
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Flush();
        store.Database.Dispose();
        string current = Path.Combine(store.Directory, "CURRENT");
        File.Move(current, store.Below("CURRENT"));
        string[] before = Files(store.Directory);

        RocksDbException failure = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, new DatabaseOptions { CreateIfMissing = create }));

        Assert.Equal(RocksDbStatus.Corruption, failure.Status);
        Assert.Equal(before, Files(store.Directory));
        File.Move(store.Below("CURRENT"), current);
        store.Open();
        Assert.Equal("v", store.Get("k"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage\n")]
    [InlineData("MANIFEST-000005")]
    [InlineData("MANIFEST-999999\n")]
    public void A_damaged_CURRENT_fails_the_open_and_nothing_is_made_in_its_place(string content)
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Flush();
        store.Database.Dispose();
        string current = Path.Combine(store.Directory, "CURRENT");
        string good = File.ReadAllText(current);
        File.WriteAllText(current, content);
        string[] tables = Tables(store.Directory);

        RocksDbException all = Assert.Throws<RocksDbException>(() => RocksDatabase.Open(store.Directory, Creating()));
        RocksDbException named = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, Creating(), [new("default")]));

        Assert.Equal(RocksDbStatus.Corruption, all.Status);
        Assert.Equal(RocksDbStatus.Corruption, named.Status);
        Assert.Equal(content, File.ReadAllText(current));
        Assert.Equal(tables, Tables(store.Directory));
        File.WriteAllText(current, good);
        store.Open();
        Assert.Equal("v", store.Get("k"));
    }

    [Fact]
    public void A_missing_table_is_damage()
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Flush();
        string table = store.Database.GetLiveFiles().Single().Name;
        store.Database.Dispose();
        File.Delete(store.Directory + table);

        RocksDbException failure = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, Creating()));

        Assert.Equal(RocksDbStatus.Corruption, failure.Status);
        Assert.Contains(Path.GetFileNameWithoutExtension(table), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_process_cannot_open_a_database_twice()
    {
        using TestStore store = new();

        RocksDbException open = Assert.Throws<RocksDbException>(() => RocksDatabase.Open(store.Directory, Creating()));
        RocksDbException destroy = Assert.Throws<RocksDbException>(() => RocksDatabase.Destroy(store.Directory));
        RocksDbException repair = Assert.Throws<RocksDbException>(() => RocksDatabase.Repair(store.Directory));

        Assert.All([open, destroy, repair], failure => Assert.Equal(RocksDbStatus.LockHeld, failure.Status));
        Assert.Contains(Path.Combine(store.Directory, "LOCK"), open.Message, StringComparison.Ordinal);
        store.Put("k", "v");
    }

    [Fact]
    public void Two_processes_on_one_directory_get_an_error_that_names_the_lock()
    {
        using TestStore store = new(open: false);
        using SecondProcess holder = SecondProcess.Hold(store.Directory);

        RocksDbException failure = Assert.Throws<RocksDbException>(
            () => RocksDatabase.Open(store.Directory, Creating()));

        Assert.Equal(RocksDbStatus.LockHeld, failure.Status);
        Assert.Contains(Path.Combine(store.Directory, "LOCK"), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_killed_process_holds_no_lock_and_loses_no_logged_write()
    {
        using TestStore store = new(open: false);
        using SecondProcess holder = SecondProcess.Hold(store.Directory);

        holder.Kill();

        store.Open(new DatabaseOptions());
        Assert.Equal("the second process", store.Get("written-by"));
    }

    [Fact]
    public void A_reader_opens_beside_the_writer_of_another_process_and_cannot_write()
    {
        using TestStore store = new(open: false);
        using SecondProcess holder = SecondProcess.Hold(store.Directory);

        using RocksDatabase reader = RocksDatabase.OpenReadOnly(store.Directory, new DatabaseOptions());

        Assert.Equal("the second process", reader.Text("written-by"));
        RocksDbException failure = Assert.Throws<RocksDbException>(() => reader.Set("k", "v"));
        Assert.Equal(RocksDbStatus.NotSupported, failure.Status);
    }

    [Fact]
    public void A_reader_can_refuse_a_log_that_was_not_flushed()
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Dispose();

        Assert.Throws<RocksDbException>(
            () => RocksDatabase.OpenReadOnly(store.Directory, new DatabaseOptions(), errorIfWalExists: true));

        using RocksDatabase reader = RocksDatabase.OpenReadOnly(store.Directory, new DatabaseOptions());
        Assert.Equal("v", reader.Text("k"));
    }

    [Fact]
    public void A_secondary_follows_the_primary_when_it_catches_up()
    {
        using TestStore store = new();
        ColumnFamily family = store.Database.CreateColumnFamily("f");
        store.Database.Set(family, "k", "1");
        using RocksDatabase secondary = RocksDatabase.OpenSecondary(
            store.Directory, store.Below("secondary"), new DatabaseOptions());
        Assert.True(secondary.TryGetColumnFamily("f", out ColumnFamily? followed));

        store.Database.Set(family, "k", "2");
        string? stale = secondary.Text(followed, "k");
        bool caughtUp = secondary.TryCatchUpWithPrimary();

        Assert.Equal("1", stale);
        Assert.True(caughtUp);
        Assert.Equal("2", secondary.Text(followed, "k"));
        RocksDbException primary = Assert.Throws<RocksDbException>(() => store.Database.TryCatchUpWithPrimary());
        Assert.Equal(RocksDbStatus.NotSupported, primary.Status);
    }

    [Fact]
    public void A_secondary_follows_across_a_flush_a_compaction_and_merges_of_the_primary()
    {
        DatabaseOptions options = MergeTests.With(MergeOperator.Append(Bytes(",")));
        using TestStore store = new(options);
        using RocksDatabase secondary = RocksDatabase.OpenSecondary(store.Directory, store.Below("own"), options);

        for (int round = 0; round < 3; round++)
        {
            store.Database.Merge(store.Family, Bytes("k"), Bytes($"{round}"), WriteOptions.Buffered);
            store.Put("z", $"{round}");
            store.Database.Flush();
            store.Database.CompactRange(store.Family);
        }

        store.Database.Merge(store.Family, Bytes("k"), Bytes("logged"), WriteOptions.Buffered);
        string? before = secondary.Text("k");

        Assert.True(secondary.TryCatchUpWithPrimary());
        Assert.Null(before);
        Assert.Equal("0,1,2,logged", secondary.Text("k"));
        Assert.Equal("2", secondary.Text("z"));
        RocksDbException log = Assert.Throws<RocksDbException>(() => secondary.GetUpdatesSince(1));
        Assert.Equal(RocksDbStatus.NotSupported, log.Status);
    }

    [Fact]
    public void Repair_brings_back_a_database_without_a_manifest()
    {
        using TestStore store = new();
        store.Put("flushed", "1");
        store.Database.Flush();
        store.Put("logged", "2");
        store.Database.Dispose();
        File.Delete(Path.Combine(store.Directory, "CURRENT"));
        foreach (string manifest in Directory.EnumerateFiles(store.Directory, "MANIFEST-*"))
        {
            File.Delete(manifest);
        }

        RocksDatabase.Repair(store.Directory);

        store.Open(new DatabaseOptions());
        Assert.Equal("1", store.Get("flushed"));
        Assert.Equal("2", store.Get("logged"));
    }

    [Fact]
    public void Repair_of_nothing_fails_and_creates_nothing()
    {
        using TestStore store = new(open: false);

        RocksDbException failure = Assert.Throws<RocksDbException>(() => RocksDatabase.Repair(store.Directory));

        Assert.Equal(RocksDbStatus.PathNotFound, failure.Status);
        Assert.False(Directory.Exists(store.Directory));
    }

    [Fact]
    public void Destroy_removes_the_database_and_spares_other_files()
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.CreateColumnFamily("f");
        store.Database.Dispose();
        string note = Path.Combine(store.Directory, "note.txt");
        File.WriteAllText(note, "mine");

        RocksDatabase.Destroy(store.Directory);
        string[] left = Files(store.Directory);
        File.Delete(note);
        RocksDatabase.Destroy(store.Directory);

        Assert.Equal(["note.txt"], left);
        Assert.False(Directory.Exists(store.Directory));
    }

    [Fact]
    public void Destroy_of_nothing_does_nothing()
    {
        using TestStore store = new(open: false);

        RocksDatabase.Destroy(store.Directory);

        Assert.False(Directory.Exists(store.Directory));
    }

    [Fact]
    public void A_path_may_have_any_characters_of_the_file_system()
    {
        using TestStore store = new(open: false);
        string path = store.Below("sp ace – 名前 'quoted'") + Path.DirectorySeparatorChar;

        using RocksDatabase database = RocksDatabase.Open(path, Creating());
        database.Set("k", "v");

        Assert.Equal(Path.TrimEndingDirectorySeparator(path), database.Path);
        Assert.Equal("v", database.Text("k"));
        Assert.Throws<ArgumentException>(() => RocksDatabase.Open("with\0zero", Creating()));
        Assert.Throws<ArgumentException>(() => RocksDatabase.Open("", Creating()));
    }

    private static string[] Files(string directory) =>
        [.. Directory.EnumerateFileSystemEntries(directory)
            .Select(file => Path.GetFileName(file)!)
            .Order(StringComparer.Ordinal)];

    private static string[] Tables(string directory) =>
        [.. Directory.EnumerateFiles(directory, "*.sst").Order(StringComparer.Ordinal)];
}
