using Branching.Storage.Changes;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Changes;

/// <summary>What an open makes of a log that does not end where its store does.</summary>
public sealed class ChangeRecoveryTests
{
    [Fact]
    public async Task A_torn_tail_is_cut_at_every_byte_of_the_last_frame()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1", Durability.Sync);
        string without = logged.Copy();
        long before = new FileInfo(logged.Files[0]).Length;
        await logged.PutAsync("b", "2", Durability.Sync);
        byte[] whole = await File.ReadAllBytesAsync(logged.Files[0]);

        // The frame was being written and the store knows nothing of it.
        for (long cut = before; cut <= whole.Length; cut++)
        {
            string copy = CopyDirectory(without);
            await File.WriteAllBytesAsync(logged.LastFileIn(copy), whole[..(int)cut]);
            await logged.WithCopyAsync(copy, async store =>
            {
                Assert.Equal(["1 put a=1"], LoggedStore.Show(LoggedStore.Read(store.Changes)));
                await TestStore.WriteAsync(store, TestStore.Put("c", "3"));
                Assert.Equal(["1 put a=1", "2 put c=3"], LoggedStore.Show(LoggedStore.Read(store.Changes)));
                Assert.Empty(store.Changes.Validate().Damage);
            });
        }

        Directory.Delete(without, recursive: true);
    }

    [Fact]
    public async Task Frames_that_the_store_has_and_the_log_lost_are_told_of_at_every_cut()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1", Durability.Sync);
        long before = new FileInfo(logged.Files[0]).Length;
        await logged.PutAsync("b", "2");
        string with = logged.Copy();
        byte[] whole = await File.ReadAllBytesAsync(logged.Files[0]);

        for (long cut = before; cut < whole.Length; cut += 7)
        {
            string copy = CopyDirectory(with);
            await File.WriteAllBytesAsync(logged.LastFileIn(copy), whole[..(int)cut]);
            await logged.WithCopyAsync(copy, store =>
            {
                // RocksDB's own log still has it.
                Assert.Equal(["1 put a=1", "2 put b=2"], LoggedStore.Show(LoggedStore.Read(store.Changes)));
                return Task.CompletedTask;
            });
        }

        Directory.Delete(with, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Values_of_families_whose_keys_expire_come_without_their_stamp_and_with_their_end(bool recovered)
    {
        await using LoggedStore logged = new();
        logged.Store.CreateColumnFamily(
            "sessions", new FamilySettings { Expires = true, DefaultTimeToLive = TimeSpan.FromHours(2) });
        await logged.PutAsync("a", "1", Durability.Sync);
        long before = new FileInfo(logged.Files[0]).Length;
        DateTimeOffset start = TimeProvider.System.GetUtcNow();
        await logged.WriteAsync(
            Durability.Sync,
            TestStore.Put("s", "2", "sessions"),
            TestStore.Put("t", "", "sessions") with { TimeToLive = Timeout.InfiniteTimeSpan },
            TestStore.Delete("s", "sessions"));
        if (!recovered)
        {
            await logged.ReopenAsync();
        }

        string copy = logged.Copy();
        if (recovered)
        {
            byte[] whole = await File.ReadAllBytesAsync(logged.Files[0]);
            await File.WriteAllBytesAsync(logged.LastFileIn(copy), whole[..(int)before]);
        }

        await logged.WithCopyAsync(copy, store =>
        {
            List<Change> changes = LoggedStore.Read(store.Changes);
            Assert.Equal(
                ["1 put a=1", "2 put sessions:s=2, put sessions:t=, delete sessions:s"], LoggedStore.Show(changes));
            IReadOnlyList<ChangeOperation> operations = changes[1].Operations;
            Assert.InRange(
                operations[0].ExpiresAt!.Value, start.AddHours(2).AddMilliseconds(-1), start.AddHours(2).AddMinutes(2));
            Assert.Null(operations[1].ExpiresAt);
            Assert.Null(changes[0].Operations[0].ExpiresAt);
            return Task.CompletedTask;
        });
    }

    [Fact]
    public async Task What_RocksDBs_own_log_has_no_more_is_a_gap()
    {
        await using LoggedStore logged = new();
        logged.Store.CreateColumnFamily("users");
        await logged.PutAsync("a", "1", Durability.Sync);
        long before = new FileInfo(logged.Files[0]).Length;
        await logged.PutAsync("b", "2", Durability.Sync);
        logged.Store.Flush();
        await logged.WriteAsync(Durability.Sync, TestStore.Put("c", "3", "users"), TestStore.Delete("b"));
        string copy = logged.Copy();
        byte[] whole = await File.ReadAllBytesAsync(logged.Files[0]);
        await File.WriteAllBytesAsync(logged.LastFileIn(copy), whole[..(int)before]);

        await logged.WithCopyAsync(copy, store =>
        {
            Assert.Equal(
                ["1 put a=1", "2-2 gap LostTail", "3 put users:c=3, delete b"],
                LoggedStore.Show(LoggedStore.Read(store.Changes)));
            return Task.CompletedTask;
        });
    }

    [Fact]
    public async Task What_a_reader_saw_and_the_power_took_is_refused_afterwards()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1", Durability.Sync);
        string durable = logged.Copy();
        await logged.PutAsync("b", "2");
        logged.Log.CreateConsumer("slow", ChangeStart.At(new Sequence(1)));
        logged.Log.CreateConsumer("fast", ChangeStart.First);
        ChangePosition slow = logged.Log.PositionOf(new Sequence(1));
        ChangePosition fast = logged.Log.PositionOf(new Sequence(2));
        logged.Log.Acknowledge("slow", slow);
        logged.Log.Acknowledge("fast", fast);
        File.Copy(
            Path.Combine(logged.Directory, "state.json"),
            Path.Combine(Path.GetDirectoryName(logged.LastFileIn(durable))!, "state.json"), overwrite: true);

        await logged.WithCopyAsync(durable, async store =>
        {
            await TestStore.WriteAsync(store, TestStore.Put("c", "other"));

            StorageException refused = Assert.Throws<StorageException>(
                () => store.Changes.OpenReader(ChangeStart.Behind(fast)));
            Assert.Equal(FailureKind.ChangePositionInvalid, refused.Kind);
            Assert.Contains("did not last", refused.Message, StringComparison.Ordinal);
            Assert.Equal(
                FailureKind.ChangePositionInvalid,
                Assert.Throws<StorageException>(() => store.Changes.OpenReader(ChangeStart.OfConsumer("fast"))).Kind);
            Assert.NotNull(store.Changes.ListConsumers().Single(consumer => consumer.Name == "fast").Problem);
            Assert.Equal(
                ["2 put c=other"], LoggedStore.Show(LoggedStore.Read(store.Changes, ChangeStart.Behind(slow))));
            Assert.Equal(
                ["2 put c=other"], LoggedStore.Show(LoggedStore.Read(store.Changes, ChangeStart.OfConsumer("slow"))));
        });
    }

    [Fact]
    public async Task A_log_ahead_of_its_store_by_whole_files_is_cut_to_it()
    {
        ChangeLogSettings settings = ChangeLogSettings.Default with { RotateBytes = 4096 };
        await using LoggedStore logged = new(settings: settings);
        await logged.PutAsync("a", "1", Durability.Sync);
        string copy = logged.Copy();
        for (int i = 0; i < 20; i++)
        {
            await logged.PutAsync($"b{i}", new string('x', 1000), Durability.Sync);
        }

        Assert.True(logged.Files.Length > 2);
        string directory = Path.GetDirectoryName(logged.LastFileIn(copy))!;
        foreach (string file in logged.Files)
        {
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)), overwrite: true);
        }

        await logged.WithCopyAsync(copy, async store =>
        {
            await TestStore.WriteAsync(store, TestStore.Put("c", "3"));
            Assert.Equal(["1 put a=1", "2 put c=3"], LoggedStore.Show(LoggedStore.Read(store.Changes)));
            Assert.Empty(store.Changes.Validate().Damage);
        });
    }

    [Fact]
    public async Task A_last_file_without_its_header_is_set_aside_and_its_changes_are_read_again_from_RocksDBs_own_log()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1", Durability.Sync);
        await logged.ReopenAsync(whileClosed: () => Flip(logged.Files[0], 20));
        await logged.PutAsync("b", "2");

        string[] found = LoggedStore.Show(logged.Read());

        Assert.Equal(["1 put a=1", "2 put b=2"], found);
        Assert.Single(Directory.GetFiles(logged.Directory, "*.damaged-1"));
    }

    [Fact]
    public async Task The_log_of_another_store_is_refused_and_left_as_it_is()
    {
        await using LoggedStore logged = new();
        await using LoggedStore other = new();
        await other.PutAsync("x", "1", Durability.Sync);
        await other.Store.DisposeAsync();
        logged.Store.DisableChangeLog();
        string foreign = other.Files[0];
        File.Copy(foreign, Path.Combine(logged.Directory, "00000000000000000009.log"));
        byte[] before = await File.ReadAllBytesAsync(foreign);

        StorageException failure = Assert.Throws<StorageException>(logged.Enable);

        Assert.Equal(FailureKind.UnknownStore, failure.Kind);
        Assert.Equal(
            before, await File.ReadAllBytesAsync(Path.Combine(logged.Directory, "00000000000000000009.log")));
        Assert.False(logged.Store.HasChangeLog);
    }

    [Fact]
    public async Task A_later_format_is_refused_by_name_and_left_as_it_is()
    {
        await using LoggedStore logged = new();
        await logged.PutAsync("a", "1", Durability.Sync);
        logged.Store.DisableChangeLog();
        byte[] bytes = await File.ReadAllBytesAsync(logged.Files[0]);
        bytes[8] = 2;
        BitConverter.TryWriteBytes(bytes.AsSpan(92), ChangeFormat.Checksum(bytes.AsSpan(0, 92), 0));
        await File.WriteAllBytesAsync(logged.Files[0], bytes);

        StorageException failure = Assert.Throws<StorageException>(logged.Enable);

        Assert.Equal(FailureKind.FormatTooNew, failure.Kind);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(logged.Files[0]));
    }

    private static void Flip(string file, int at)
    {
        byte[] bytes = File.ReadAllBytes(file);
        bytes[at] ^= 0x40;
        File.WriteAllBytes(file, bytes);
    }

    private static string CopyDirectory(string from)
    {
        string to = Directory.CreateTempSubdirectory("branching-changes-copy-").FullName;
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return to;
    }
}
