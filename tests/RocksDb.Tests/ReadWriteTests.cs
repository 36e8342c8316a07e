using System.Buffers;
using System.Security.Cryptography;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

public sealed class ReadWriteTests
{
    [Fact]
    public void Get_after_put_and_reopen_returns_the_value()
    {
        using TestStore store = new();
        store.Database.Put(store.Family, Bytes("k"), Bytes("v"), WriteOptions.Sync);

        store.Open();

        Assert.Equal("v", store.Get("k"));
    }

    [Fact]
    public void An_absent_key_appends_nothing()
    {
        using TestStore store = new();
        ArrayBufferWriter<byte> destination = new();

        bool found = store.Database.TryGet(store.Family, Bytes("absent"), destination);

        Assert.False(found);
        Assert.Equal(0, destination.WrittenCount);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 5)]
    [InlineData(1, 0)]
    [InlineData(3, 100_000)]
    [InlineData(70_000, 3_000_000)]
    public void Keys_and_values_are_bytes_of_any_length(int keyLength, int valueLength)
    {
        using TestStore store = new();
        byte[] key = RandomNumberGenerator.GetBytes(keyLength);
        byte[] value = RandomNumberGenerator.GetBytes(valueLength);
        store.Database.Put(store.Family, key, value, WriteOptions.Buffered);
        store.Database.Flush();
        ArrayBufferWriter<byte> read = new();

        bool found = store.Database.TryGet(store.Family, key, read);
        using PinnedValue pinned = store.Database.GetPinned(store.Family, key);
        using MultiGetResult many = store.Database.MultiGet(store.Family, [key]);

        Assert.True(found);
        Assert.Equal(value, read.WrittenSpan.ToArray());
        Assert.True(pinned.Found);
        Assert.Equal(value, pinned.Span.ToArray());
        Assert.True(many.TryGet(0, out ReadOnlySpan<byte> multi));
        Assert.Equal(value, multi.ToArray());
        Assert.True(store.Database.TryGetLength(store.Family, key, out long length));
        Assert.Equal(valueLength, length);
    }

    [Fact]
    public void Keys_that_differ_in_zero_bytes_are_different_keys()
    {
        using TestStore store = new();
        byte[][] keys = [[], [0], [0, 0], [0, 1], [255], [255, 0]];

        foreach (byte[] key in keys)
        {
            store.Database.Put(store.Family, key, [(byte)key.Length, .. key], WriteOptions.Buffered);
        }

        foreach (byte[] key in keys)
        {
            using PinnedValue value = store.Database.GetPinned(store.Family, key);
            Assert.Equal([(byte)key.Length, .. key], value.Span.ToArray());
        }
    }

    [Fact]
    public void A_deleted_key_is_gone_and_deleting_it_again_is_no_failure()
    {
        using TestStore store = new();
        store.Put("k", "v");

        store.Database.Delete(store.Family, Bytes("k"), WriteOptions.Buffered);
        store.Database.Delete(store.Family, Bytes("k"), WriteOptions.Buffered);

        Assert.Null(store.Get("k"));
    }

    [Theory]
    [InlineData("b", "d", "a,d,e")]
    [InlineData("", "c", "c,d,e")]
    [InlineData("c", "c", "a,b,c,d,e")]
    [InlineData("a", "zz", "")]
    public void Delete_range_removes_the_start_and_keeps_the_end(string from, string to, string left)
    {
        using TestStore store = new();
        foreach (string key in new[] { "a", "b", "c", "d", "e" })
        {
            store.Put(key, key);
        }

        store.Database.DeleteRange(store.Family, Bytes(from), Bytes(to), WriteOptions.Buffered);

        using Iterator iterator = store.Database.NewIterator(store.Family);
        Assert.Equal(left, string.Join(',', iterator.Keys()));
    }

    [Fact]
    public void A_range_that_ends_before_it_begins_is_refused()
    {
        using TestStore store = new();
        using WriteBatch batch = new();

        Assert.Throws<ArgumentException>(
            () => store.Database.DeleteRange(store.Family, Bytes("b"), Bytes("a"), WriteOptions.Buffered));
        Assert.Throws<ArgumentException>(() => batch.DeleteRange(store.Family, Bytes("b"), Bytes("a")));
    }

    [Fact]
    public void Multi_get_answers_in_the_order_of_the_keys_with_absent_and_repeated_ones()
    {
        using TestStore store = new();
        store.Put("a", "1");
        store.Put("c", "3");
        store.Database.Flush();
        store.Put("d", "4");
        ReadOnlyMemory<byte>[] keys = [Bytes("d"), Bytes("b"), Bytes("a"), Bytes("d"), Bytes("c")];

        using MultiGetResult result = store.Database.MultiGet(store.Family, keys);

        string[] answers = new string[result.Count];
        for (int i = 0; i < answers.Length; i++)
        {
            answers[i] = result.TryGet(i, out ReadOnlySpan<byte> value) ? $"{(char)value[0]}" : "-";
        }

        Assert.Equal(["4", "-", "1", "4", "3"], answers);
        Assert.Throws<ArgumentOutOfRangeException>(() => result.TryGet(5, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => result.TryGet(-1, out _));
    }

    [Fact]
    public void Multi_get_of_no_keys_has_no_answers()
    {
        using TestStore store = new();

        using MultiGetResult result = store.Database.MultiGet(store.Family, []);

        Assert.Equal(0, result.Count);
    }

    [Fact]
    public void A_pinned_value_stays_the_same_while_the_key_changes()
    {
        using TestStore store = new();
        store.Put("k", "before");
        store.Database.Flush();
        using PinnedValue pinned = store.Database.GetPinned(store.Family, Bytes("k"));

        store.Put("k", "after");
        store.Database.CompactRange(store.Family);

        Assert.Equal(Bytes("before"), pinned.Span.ToArray());
    }

    [Fact]
    public void A_pinned_value_of_an_absent_key_is_not_found()
    {
        using TestStore store = new();

        using PinnedValue pinned = store.Database.GetPinned(store.Family, Bytes("k"));

        Assert.False(pinned.Found);
        Assert.True(pinned.Span.IsEmpty);
    }

    [Fact]
    public void Memory_alone_answers_for_memtable_and_cache_but_not_for_disk()
    {
        using BlockCache cache = new(1 << 20);
        using TestStore store = new(new DatabaseOptions { CreateIfMissing = true, BlockCache = cache });
        ArrayBufferWriter<byte> value = new();
        store.Put("k", "v");

        Assert.True(store.Database.TryGetFromMemory(store.Family, Bytes("k"), value, out bool inMemtable));
        store.Open(new DatabaseOptions { BlockCache = cache });
        store.Database.Flush();
        Assert.False(store.Database.TryGetFromMemory(store.Family, Bytes("k"), value, out bool onDisk));
        Assert.Equal("v", store.Get("k"));
        Assert.True(store.Database.TryGetFromMemory(store.Family, Bytes("k"), value, out bool inCache));
        Assert.True(store.Database.TryGetFromMemory(store.Family, Bytes("absent"), value, out bool absent));

        Assert.Equal((true, false, true, false), (inMemtable, onDisk, inCache, absent));
        Assert.Equal(Bytes("vv"), value.WrittenSpan.ToArray());
    }

    [Fact]
    public void A_read_of_the_memory_tier_that_needs_the_disk_is_incomplete()
    {
        using TestStore store = new();
        store.Put("k", "v");
        store.Database.Flush();
        store.Open();
        using ReadOptions memory = new() { MemoryTierOnly = true };

        RocksDbException get = Assert.Throws<RocksDbException>(() => store.Database.Text("k", memory));
        using Iterator iterator = store.Database.NewIterator(store.Family, memory);
        RocksDbException seek = Assert.Throws<RocksDbException>(iterator.SeekToFirst);

        Assert.Equal(RocksDbStatus.Incomplete, get.Status);
        Assert.Equal(RocksDbStatus.Incomplete, seek.Status);
        Assert.Throws<ArgumentException>(() => store.Database.MultiGet(store.Family, [Bytes("k")], memory));
    }

    [Fact]
    public void The_latest_sequence_counts_writes()
    {
        using TestStore store = new();
        Assert.Equal(0UL, store.Database.LatestSequence);

        store.Put("a", "1");
        store.Put("b", "2");

        Assert.Equal(2UL, store.Database.LatestSequence);
    }

    [Fact]
    public void Reads_and_writes_allocate_nothing()
    {
        using TestStore store = new();
        byte[] key = Bytes("k");
        ArrayBufferWriter<byte> value = new(1024);
        Exercise(10);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Exercise(1000);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);

        void Exercise(int rounds)
        {
            for (int i = 0; i < rounds; i++)
            {
                store.Database.Put(store.Family, key, key, WriteOptions.Buffered);
                value.ResetWrittenCount();
                store.Database.TryGet(store.Family, key, value);
                store.Database.TryGetFromMemory(store.Family, key, value, out _);
                store.Database.Contains(store.Family, key);
                store.Database.Delete(store.Family, key, WriteOptions.Buffered);
            }
        }
    }

    [Fact]
    public void A_write_without_a_log_is_lost_when_the_process_dies_and_a_logged_one_is_not()
    {
        using TestStore store = new();
        using WriteOptions unlogged = new(disableWal: true);
        store.Put("logged", "1");
        store.Database.Put(store.Family, Bytes("unlogged"), Bytes("1"), unlogged);
        string crashed = store.Below("crashed");

        // What is on disk now is what a crash would leave.
        CopyDirectory(store.Directory, crashed);

        using RocksDatabase recovered = RocksDatabase.Open(crashed, new DatabaseOptions());
        Assert.Equal("1", recovered.Text("logged"));
        Assert.Null(recovered.Text("unlogged"));
    }

    [Fact]
    public void A_write_cannot_be_synced_and_unlogged()
    {
        Assert.Throws<ArgumentException>(() => new WriteOptions(sync: true, disableWal: true));
    }

    [Fact]
    public void Write_options_tell_what_they_were_made_with()
    {
        using WriteOptions options = new(sync: false, disableWal: true, noSlowdown: true, lowPriority: true);

        Assert.Equal(
            (false, true, true, true),
            (options.IsSync, options.DisableWal, options.NoSlowdown, options.LowPriority));
        Assert.True(WriteOptions.Sync.IsSync);
        Assert.False(WriteOptions.Buffered.IsSync);
    }

    [Fact]
    public void The_shared_write_options_survive_disposal()
    {
        using TestStore store = new();

        WriteOptions.Sync.Dispose();
        WriteOptions.Buffered.Dispose();

        store.Database.Put(store.Family, Bytes("k"), Bytes("v"), WriteOptions.Sync);
        store.Database.Put(store.Family, Bytes("k"), Bytes("w"), WriteOptions.Buffered);
        Assert.Equal("w", store.Get("k"));
    }
}
