using System.Buffers;
using System.Buffers.Binary;

namespace Branching.RocksDb;

/// <summary>See <see cref="MergeOperator.Int64Add"/>.</summary>
internal sealed class Int64AddMergeOperator : MergeOperator
{
    public override string Name => "branching.int64-add";

    public override bool TryMerge(
        ReadOnlySpan<byte> key,
        bool exists,
        ReadOnlySpan<byte> existing,
        MergeOperands operands,
        IBufferWriter<byte> result)
    {
        Write(unchecked(Number(existing) + Sum(operands)), result);
        return true;
    }

    public override bool TryCombine(ReadOnlySpan<byte> key, MergeOperands operands, IBufferWriter<byte> result)
    {
        Write(Sum(operands), result);
        return true;
    }

    public override void RequireOperand(ReadOnlySpan<byte> operand)
    {
        if (operand.Length != sizeof(long))
        {
            throw new ArgumentException(
                $"An operand of {Name} is a signed little-endian integer of {sizeof(long)} bytes; this one has "
                + $"{operand.Length}.",
                nameof(operand));
        }
    }

    private static long Sum(MergeOperands operands)
    {
        long sum = 0;
        for (int i = 0; i < operands.Count; i++)
        {
            sum = unchecked(sum + Number(operands[i]));
        }

        return sum;
    }

    // A value of another length was put, not merged. Failing would stop flushes and compactions of the whole database
    // for one key, so it has a meaning: none.
    private static long Number(ReadOnlySpan<byte> value) =>
        value.Length == sizeof(long) ? BinaryPrimitives.ReadInt64LittleEndian(value) : 0;

    private static void Write(long value, IBufferWriter<byte> result)
    {
        BinaryPrimitives.WriteInt64LittleEndian(result.GetSpan(sizeof(long)), value);
        result.Advance(sizeof(long));
    }
}
