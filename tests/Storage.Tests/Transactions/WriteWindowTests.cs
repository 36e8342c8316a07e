using System.Buffers.Binary;
using Branching.Storage.Transactions;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

public sealed class WriteWindowTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1L << 10)]
    [InlineData(1L << 20)]
    public void A_write_is_never_missed_and_one_that_is_remembered_is_exact(long bytes)
    {
        output.WriteLine($"BRANCHING_SEED={Seed}");
        Random random = new(Seed);
        WriteWindow window = new(bytes, floor: 5);
        Dictionary<(uint Family, int Key), ulong> last = [];
        int unknown = 0;

        for (ulong sequence = 6; sequence < 20_000; sequence++)
        {
            (uint Family, int Key) written = ((uint)random.Next(3), random.Next(2000));
            if (random.Next(500) == 0)
            {
                window.MarkRange(written.Family, Key(written.Key), Key(written.Key + 20), sequence);
                for (int key = written.Key; key < written.Key + 20; key++)
                {
                    last[(written.Family, key)] = sequence;
                }
            }
            else
            {
                window.Mark(written.Family, Key(written.Key), sequence);
                last[written] = sequence;
            }

            (uint Family, int Key) asked = ((uint)random.Next(3), random.Next(2000));
            ulong since = sequence - Math.Min(sequence - 1, (ulong)random.Next(1000));
            WindowAnswer answer = window.Check(asked.Family, Key(asked.Key), since, out ulong at);
            bool changed = last.GetValueOrDefault(asked) > since;
            unknown += answer == WindowAnswer.Forgotten ? 1 : 0;
            Assert.True(
                answer == WindowAnswer.Forgotten || changed == (answer == WindowAnswer.Written),
                $"key {asked} since {since}: {answer} at {at}, last written {last.GetValueOrDefault(asked)}");
        }

        output.WriteLine($"{unknown} forgotten");
        Assert.True(bytes > 1 << 10 || unknown > 100);
    }

    [Fact]
    public void Before_its_floor_it_knows_nothing()
    {
        WriteWindow window = new(1 << 12, floor: 100);

        Assert.Equal(WindowAnswer.Forgotten, window.Check(0, Bytes("a"), 99, out _));
        Assert.Equal(WindowAnswer.Unchanged, window.Check(0, Bytes("a"), 100, out _));
        window.Forget(200);
        Assert.Equal(WindowAnswer.Forgotten, window.Check(0, Bytes("a"), 199, out ulong floor));
        Assert.Equal(200UL, floor);
    }

    [Fact]
    public void The_hash_of_a_key_depends_on_every_byte_its_length_and_its_family()
    {
        HashSet<ulong> seen = [];
        for (int length = 0; length <= 40; length++)
        {
            byte[] key = new byte[length];
            Assert.True(seen.Add(KeyHash.Of(0, key)), $"zeros of length {length}");
            Assert.True(seen.Add(KeyHash.Of(1, key)), $"family 1, zeros of length {length}");
            for (int bit = 0; bit < length * 8; bit++)
            {
                key[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.True(seen.Add(KeyHash.Of(0, key)), $"length {length}, bit {bit}");
                key[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }
    }

    private static byte[] Key(int number)
    {
        byte[] key = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(key, number);
        return key;
    }
}
