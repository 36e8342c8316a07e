using System.Buffers;

namespace Branching.RocksDb;

/// <summary>See <see cref="MergeOperator.Append"/>.</summary>
internal sealed class AppendMergeOperator : MergeOperator
{
    private const int LongestDelimiter = 32;

    private readonly byte[] _delimiter;

    public AppendMergeOperator(ReadOnlySpan<byte> delimiter)
    {
        if (delimiter.Length > LongestDelimiter)
        {
            throw new ArgumentException(
                $"A delimiter has at most {LongestDelimiter} bytes; this one has {delimiter.Length}.",
                nameof(delimiter));
        }

        _delimiter = delimiter.ToArray();

        // Another delimiter gives other values, so it is another operator.
        Name = "branching.append" + (delimiter.IsEmpty ? "" : "." + Convert.ToHexStringLower(delimiter));
    }

    public override string Name { get; }

    public override bool TryMerge(
        ReadOnlySpan<byte> key,
        bool exists,
        ReadOnlySpan<byte> existing,
        MergeOperands operands,
        IBufferWriter<byte> result)
    {
        if (exists)
        {
            result.Write(existing);
        }

        Join(operands, first: !exists, result);
        return true;
    }

    public override bool TryCombine(ReadOnlySpan<byte> key, MergeOperands operands, IBufferWriter<byte> result)
    {
        Join(operands, first: true, result);
        return true;
    }

    private void Join(MergeOperands operands, bool first, IBufferWriter<byte> result)
    {
        for (int i = 0; i < operands.Count; i++)
        {
            if (!first)
            {
                result.Write(_delimiter);
            }

            first = false;
            result.Write(operands[i]);
        }
    }
}
