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

        Assert.True(found);
        Assert.Equal(value, read.WrittenSpan.ToArray());
    }
}
