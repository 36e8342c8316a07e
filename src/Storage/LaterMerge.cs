using System.Buffers;
using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>A merge operator as RocksDB calls it: with all operands that it has collected for a key.</summary>
internal sealed class LaterMerge(ValueMerge merge) : MergeOperator
{
    public override string Name => merge.Name;

    public override bool TryMerge(
        ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, MergeOperands operands,
        IBufferWriter<byte> result)
    {
        Join(key, exists, existing, operands, first: 0, result);
        return true;
    }

    public override bool TryCombine(ReadOnlySpan<byte> key, MergeOperands operands, IBufferWriter<byte> result)
    {
        if (!merge.IsAssociative)
        {
            return false;
        }

        Join(key, exists: true, operands[0], operands, first: 1, result);
        return true;
    }

    private void Join(
        ReadOnlySpan<byte> key, bool exists, ReadOnlySpan<byte> existing, MergeOperands operands, int first,
        IBufferWriter<byte> result)
    {
        if (ReferenceEquals(merge, ValueMerge.Append))
        {
            // One by one, each would copy all before it.
            result.Write(existing);
            for (int i = first; i < operands.Count; i++)
            {
                result.Write(operands[i]);
            }

            return;
        }

        ArrayBufferWriter<byte>? before = null, after = null;
        for (int i = first; i < operands.Count - 1; i++)
        {
            after ??= new ArrayBufferWriter<byte>();
            after.ResetWrittenCount();
            merge.Merge(key, exists, existing, operands[i], after);
            (before, after) = (after, before);
            exists = true;
            existing = before.WrittenSpan;
        }

        merge.Merge(key, exists, existing, operands[operands.Count - 1], result);
    }
}

/// <summary>Lets a compaction drop the keys that have expired.</summary>
/// <remarks>
/// Nothing depends on its having run: reads pass over expired keys by themselves. It asks the clock of the process, not
/// the store's latest time, which can only be later.
/// </remarks>
internal sealed class ExpiryFilter(TimeProvider time) : CompactionFilter
{
    public override string Name => "branching.expiry";

    public override CompactionDecision Decide(
        int level, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, IBufferWriter<byte> replacement) =>

        // A value too short for a stamp is damage: it stays for whoever reads it and says so.
        value.Length >= ExpiryStamp.Bytes
        && ExpiryStamp.IsExpired(ExpiryStamp.Read(value), time.GetUtcNow().ToUnixTimeMilliseconds())
            ? CompactionDecision.Remove
            : CompactionDecision.Keep;
}
