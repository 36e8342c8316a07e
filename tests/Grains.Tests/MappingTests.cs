using Branching.Storage;

namespace Branching.Grains.Tests;

public sealed class MappingTests
{
    [Theory]
    [InlineData(typeof(Storage.FailureKind), typeof(FailureKind))]
    [InlineData(typeof(Storage.BranchState), typeof(BranchState))]
    [InlineData(typeof(Storage.BranchDurability), typeof(BranchDurability))]
    [InlineData(typeof(Durability), typeof(WriteDurability))]
    [InlineData(typeof(WriteKind), typeof(WriteOperationKind))]
    [InlineData(typeof(PreconditionKind), typeof(WritePreconditionKind))]
    [InlineData(typeof(Storage.Transactions.ConflictKind), typeof(CommitConflictKind))]
    public void Enumerations_of_storage_and_of_the_wire_have_the_same_names_and_numbers(Type storage, Type wire)
    {
        static IEnumerable<(string, int)> Members(Type type) =>
            Enum.GetValues(type).Cast<object>().Select(value => (value.ToString()!, (int)value));

        Assert.Equal(Members(storage), Members(wire));
    }

    [Fact]
    public void A_storage_failure_keeps_its_kind_message_and_transience()
    {
        foreach (Storage.FailureKind kind in Enum.GetValues<Storage.FailureKind>())
        {
            StorageException failure = new(kind, $"about {kind}");

            BranchingException mapped = GrainFailure.From(failure);

            Assert.Equal(
                (kind.ToString(), failure.Message, failure.IsTransient),
                (mapped.Kind.ToString(), mapped.Message, mapped.IsTransient));
        }
    }

    [Fact]
    public void A_value_whose_length_is_named_is_received_in_an_array_of_that_length()
    {
        ValueBuffer buffer = new();

        "value"u8.CopyTo(buffer.GetSpan(5));
        buffer.Advance(5);

        Assert.Equal("value"u8.ToArray(), buffer.Value.ToArray());
        Assert.True(System.Runtime.InteropServices.MemoryMarshal.TryGetArray(
            buffer.Value, out ArraySegment<byte> segment));
        Assert.Equal(5, segment.Array!.Length);
    }

    [Fact]
    public void A_value_in_two_pieces_is_whole()
    {
        ValueBuffer buffer = new();

        foreach (byte[] piece in new[] { "va"u8.ToArray(), "lue"u8.ToArray() })
        {
            piece.CopyTo(buffer.GetMemory(piece.Length));
            buffer.Advance(piece.Length);
        }

        Assert.Equal("value"u8.ToArray(), buffer.Value.ToArray());
    }

    [Fact]
    public void A_large_value_whose_length_is_not_named_is_received_in_few_steps()
    {
        ValueBuffer buffer = new();
        byte[] value = new byte[5 << 20];
        new Random(1).NextBytes(value);

        int steps = 0;
        for (ReadOnlySpan<byte> rest = value; !rest.IsEmpty; steps++)
        {
            Span<byte> room = buffer.GetSpan();
            int some = Math.Min(room.Length, rest.Length);
            rest[..some].CopyTo(room);
            buffer.Advance(some);
            rest = rest[some..];
        }

        Assert.True(buffer.Value.Span.SequenceEqual(value));
        Assert.True(steps < 30, $"{steps} steps");
    }
}
