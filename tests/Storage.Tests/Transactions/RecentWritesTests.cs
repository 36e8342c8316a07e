using System.Text;
using Branching.Storage.Transactions;

namespace Branching.Storage.Tests.Transactions;

public sealed class RecentWritesTests
{
    [Fact]
    public void A_write_counts_for_ranges_of_its_family_that_were_seen_before_it()
    {
        RecentWrites writes = new(1 << 20, floor: 10);
        writes.Mark(1, "b"u8, 12);

        Assert.Equal((WindowAnswer.Written, "b", 12UL), Ask(writes, 1, "a", "c", since: 11));
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 1, "a", "c", since: 12).Answer);
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 1, "a", "b", since: 11).Answer);
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 2, "a", "c", since: 11).Answer);
        Assert.Equal((WindowAnswer.Forgotten, "", 10UL), Ask(writes, 1, "a", "c", since: 9));
    }

    [Fact]
    public void A_removed_range_counts_for_ranges_that_it_meets()
    {
        RecentWrites writes = new(1 << 20, floor: 10);
        writes.MarkRange(1, "b"u8, "d"u8, 12);

        Assert.Equal(WindowAnswer.Written, Ask(writes, 1, "c", "z", since: 11).Answer);
        Assert.Equal(WindowAnswer.Written, Ask(writes, 1, "a", "b\0", since: 11).Answer);
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 1, "a", "b", since: 11).Answer);
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 1, "d", "e", since: 11).Answer);
    }

    [Fact]
    public void A_range_without_an_end_is_met_by_everything_behind_its_beginning()
    {
        RecentWrites writes = new(1 << 20, floor: 10);
        writes.Mark(1, "b"u8, 12);
        writes.MarkRange(1, "x"u8, "y"u8, 13);

        Assert.Equal(WindowAnswer.Written, Ask(writes, 1, "", "", since: 11).Answer);
        Assert.Equal(WindowAnswer.Written, Ask(writes, 1, "b", "", since: 11).Answer);
        Assert.Equal(WindowAnswer.Written, Ask(writes, 1, "c", "", since: 12).Answer);
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 1, "y", "", since: 11).Answer);
    }

    [Fact]
    public void What_no_longer_fits_is_forgotten_up_to_its_sequence()
    {
        RecentWrites writes = new(bytes: 1000, floor: 0);
        for (ulong sequence = 1; sequence <= 100; sequence++)
        {
            writes.Mark(1, "key"u8, sequence);
        }

        (WindowAnswer Answer, string Key, ulong Written) old = Ask(writes, 1, "a", "b", since: 1);

        Assert.Equal(WindowAnswer.Forgotten, old.Answer);
        Assert.InRange(old.Written, 80UL, 99UL);
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 1, "a", "b", since: old.Written).Answer);
        Assert.Equal(WindowAnswer.Written, Ask(writes, 1, "k", "l", since: old.Written).Answer);
    }

    [Fact]
    public void What_was_written_beside_the_writer_makes_earlier_moments_forgotten()
    {
        RecentWrites writes = new(1 << 20, floor: 10);

        writes.Forget(20);

        Assert.Equal(WindowAnswer.Forgotten, Ask(writes, 1, "a", "b", since: 19).Answer);
        Assert.Equal(WindowAnswer.Unchanged, Ask(writes, 1, "a", "b", since: 20).Answer);
    }

    private static (WindowAnswer Answer, string Key, ulong Written) Ask(
        RecentWrites writes, uint family, string from, string to, ulong since)
    {
        OwnRange range = new(Encoding.UTF8.GetBytes(from), Encoding.UTF8.GetBytes(to), since);
        WindowAnswer answer = writes.Check(family, range, out ReadOnlyMemory<byte> key, out ulong written);
        return (answer, Encoding.UTF8.GetString(key.Span), written);
    }
}
