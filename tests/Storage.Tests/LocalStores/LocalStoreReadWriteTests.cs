using System.Buffers;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreReadWriteTests
{
    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Buffered)]
    public async Task Get_after_put_and_reopen_returns_the_value(Durability durability)
    {
        await using TestStore test = new();
        await test.Store.WriteAsync(
            new WriteRequest([Put("k", "v")], null, durability), CancellationToken.None);

        await test.ReopenAsync();

        Assert.Equal("v", test.Get("k"));
    }

    [Fact]
    public async Task An_absent_key_is_not_an_empty_value()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("empty", ""));
        ArrayBufferWriter<byte> destination = new();

        bool absent = test.Store.TryGet(null, Bytes("absent"), destination);

        Assert.False(absent);
        Assert.Equal(0, destination.WrittenCount);
        Assert.Equal("", test.Get("empty"));
    }

    [Fact]
    public async Task Operations_of_a_request_apply_in_order()
    {
        await using TestStore test = new();

        await test.WriteAsync(
            Put("a", "1"), Put("b", "1"), Put("c", "1"), Delete("a"), Put("a", "2"),
            WriteOperation.DeleteRange(Bytes("b"), Bytes("d")), Put("c", "3"));

        Assert.Equal("2", test.Get("a"));
        Assert.Null(test.Get("b"));
        Assert.Equal("3", test.Get("c"));
    }

    [Fact]
    public async Task The_sequence_rises_by_the_operations_applied_and_survives_reopening()
    {
        await using TestStore test = new();
        WriteResult first = await test.WriteAsync(Put("a", "1"));
        WriteResult second = await test.WriteAsync(Put("b", "1"), Put("c", "1"), Delete("a"));

        await test.ReopenAsync();

        Assert.Equal(first.Sequence.Value + 3, second.Sequence.Value);
        Assert.Equal(second.Sequence, test.Store.LastAcknowledged);
    }

    [Fact]
    public async Task An_empty_request_is_applied_and_changes_nothing()
    {
        await using TestStore test = new();
        WriteResult before = await test.WriteAsync(Put("a", "1"));

        WriteResult empty = await test.WriteAsync();

        Assert.True(empty.Applied);
        Assert.Equal(before.Sequence, empty.Sequence);
    }

    [Theory]
    [InlineData(WriteKind.Put, 0, 1, FailureKind.InvalidArgument)]
    [InlineData(WriteKind.Delete, 0, 0, FailureKind.InvalidArgument)]
    [InlineData(WriteKind.Put, LocalStore.MaxKeyBytes + 1, 1, FailureKind.InvalidArgument)]
    [InlineData(WriteKind.DeleteRange, 1, 0, FailureKind.InvalidArgument)]
    [InlineData(WriteKind.DeleteRange, 0, 1, FailureKind.InvalidArgument)]
    [InlineData(WriteKind.DeleteRange, 2, 1, FailureKind.InvalidArgument)]
    [InlineData((WriteKind)9, 1, 1, FailureKind.InvalidArgument)]
    public async Task Bad_input_is_refused_and_never_reaches_the_disk(
        WriteKind kind, int keyBytes, int valueBytes, FailureKind expected)
    {
        await using TestStore test = new();
        WriteOperation bad = new(kind, null, new byte[keyBytes], new byte[valueBytes]);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            async () => await test.WriteAsync(Put("good", "1"), bad));

        Assert.Equal(expected, failure.Kind);
        Assert.Null(test.Get("good"));
        Assert.Equal(0UL, test.Store.LastAcknowledged.Value);
        Assert.True(test.Store.Health.IsHealthy);
    }

    [Fact]
    public async Task The_longest_key_is_kept_and_read()
    {
        await using TestStore test = new();
        byte[] key = new byte[LocalStore.MaxKeyBytes];
        ArrayBufferWriter<byte> value = new();

        await test.WriteAsync(WriteOperation.Put(key, Bytes("v")));

        Assert.True(test.Store.TryGet(null, key, value));
        Assert.Throws<StorageException>(() => test.Store.TryGet(null, new byte[key.Length + 1], value));
        Assert.Throws<StorageException>(() => test.Store.TryGet(null, [], value));
    }

    [Fact]
    public async Task A_request_above_the_limit_is_refused_with_both_numbers()
    {
        await using TestStore test = new(options => options.MaxRequestBytes = 1024);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            async () => await test.WriteAsync(WriteOperation.Put(Bytes("k"), new byte[1024])));

        Assert.Equal(FailureKind.RequestTooLarge, failure.Kind);
        Assert.Contains("1025", failure.Message, StringComparison.Ordinal);
        Assert.Contains("1024", failure.Message, StringComparison.Ordinal);
        await test.WriteAsync(WriteOperation.Put(Bytes("k"), new byte[1023]));
    }

    [Fact]
    public async Task A_value_of_16_MiB_is_kept_when_the_limit_allows_it()
    {
        await using TestStore test = new(options => options.MaxRequestBytes = 17 << 20);
        byte[] large = new byte[16 << 20];
        new Random(1).NextBytes(large);

        await test.WriteAsync(WriteOperation.Put(Bytes("large"), large));
        await test.ReopenAsync();

        ArrayBufferWriter<byte> read = new();
        Assert.True(test.Store.TryGet(null, Bytes("large"), read));
        Assert.True(read.WrittenSpan.SequenceEqual(large));
        Assert.Equal("large", Keys(test.Store.Scan(All()).Entries).Single());
    }

    [Fact]
    public async Task Memory_answers_for_unflushed_keys_and_says_when_the_disk_is_needed()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("flushed", "1"));
        test.Store.Flush();
        await test.ReopenAsync();
        await test.WriteAsync(Put("fresh", "2"));
        ArrayBufferWriter<byte> value = new();

        bool known = test.Store.TryGetFromMemory(null, Bytes("fresh"), value, out bool found);
        bool onDisk = test.Store.TryGetFromMemory(null, Bytes("flushed"), new ArrayBufferWriter<byte>(), out _);
        Assert.Equal("1", test.Get("flushed"));
        bool cached = test.Store.TryGetFromMemory(null, Bytes("flushed"), new ArrayBufferWriter<byte>(), out bool hit);

        Assert.True(known && found);
        Assert.False(onDisk);
        Assert.True(cached && hit);
    }

    [Fact]
    public async Task Several_keys_are_read_in_order_with_gaps()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "1"), Put("b", ""), Put("c", "3"));

        IReadOnlyList<ReadOnlyMemory<byte>?> values = test.Store.MultiGet(
            null, [Bytes("c"), Bytes("x"), Bytes("b"), Bytes("c")]);

        Assert.Equal(
            ["3", null, "", "3"], values.Select(value => value is { } v ? Text(v) : null), StringComparer.Ordinal);
        Assert.Empty(test.Store.MultiGet(null, []));
    }

    [Fact]
    public async Task Several_keys_are_read_from_one_view_while_they_are_rewritten_together()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("a", "0"), Put("b", "0"));
        Task writer = Task.Run(async () =>
        {
            for (int i = 1; i <= 2000; i++)
            {
                await test.WriteAsync(Put("a", $"{i}"), Put("b", $"{i}"));
            }
        });

        while (!writer.IsCompleted)
        {
            IReadOnlyList<ReadOnlyMemory<byte>?> both = test.Store.MultiGet(null, [Bytes("a"), Bytes("b")]);
            Assert.Equal(Text(both[0]!.Value), Text(both[1]!.Value));
        }

        await writer;
    }

    [Fact]
    public async Task An_unknown_column_family_is_named_in_every_failure()
    {
        await using TestStore test = new();

        StorageException read = Assert.Throws<StorageException>(() => test.Get("k", "nowhere"));
        StorageException write = await Assert.ThrowsAsync<StorageException>(
            async () => await test.WriteAsync(Put("a", "1"), Put("k", "v", "nowhere")));

        Assert.Equal(FailureKind.ColumnFamilyNotFound, read.Kind);
        Assert.Equal(FailureKind.ColumnFamilyNotFound, write.Kind);
        Assert.Contains("nowhere", write.Message, StringComparison.Ordinal);
        Assert.Null(test.Get("a"));
    }
}
