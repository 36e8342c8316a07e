using System.Buffers.Binary;
using System.Text;

namespace Branching.Storage.Changes;

/// <summary>Reads and writes the payloads of frames.</summary>
internal static class FrameDecoder
{
    /// <summary>Adds the entries of a whole frame of sequences that end behind <paramref name="after"/>.</summary>
    /// <param name="frame">Its header.</param>
    /// <param name="payload">Its payload; the entries point into it.</param>
    /// <param name="families">Column families by number.</param>
    /// <param name="after">Entries up to this sequence are left out.</param>
    /// <param name="entries">Receives them; as it was when the frame cannot be read.</param>
    /// <param name="why">Why it cannot be read.</param>
    public static bool TryEntries(
        in FrameHeader frame, ReadOnlyMemory<byte> payload, IReadOnlyDictionary<uint, FamilyIdentity> families,
        ulong after, List<Change> entries, out string? why)
    {
        if (frame.Kind == FrameKind.Gap)
        {
            why = payload.Length == 1 && payload.Span[0] is >= 1 and <= (int)ChangeGapReason.Damaged
                ? null
                : "a gap gives no reason";
            if (why is null && frame.Last > after)
            {
                entries.Add(new Change(
                    ChangeKind.Gap, new Sequence(Math.Max(frame.First, after + 1)), new Sequence(frame.Last),
                    ChangeFormat.TimeOf(frame.Ticks), [], (ChangeGapReason)payload.Span[0]));
            }

            return why is null;
        }

        int before = entries.Count;
        if (TryBatch(frame, payload, families, after, entries, out why))
        {
            return true;
        }

        entries.RemoveRange(before, entries.Count - before);
        return false;
    }

    /// <summary>How many entries a whole batch frame has; no operation is looked at.</summary>
    public static long CountEntries(ReadOnlyMemory<byte> payload) =>
        BatchDecoder.TryNumber(ref payload, out uint requests) ? requests : 1;

    private static bool TryBatch(
        in FrameHeader frame, ReadOnlyMemory<byte> payload, IReadOnlyDictionary<uint, FamilyIdentity> families,
        ulong after, List<Change> entries, out string? why)
    {
        why = "a batch does not have as many operations as sequences";
        ulong operations = frame.Last - frame.First + 1;
        if (!BatchDecoder.TryNumber(ref payload, out uint requests) || requests == 0 || requests > operations
            || requests > (uint)payload.Length || operations > (uint)payload.Length)
        {
            return false;
        }

        // The numbers of operations stand before the operations, so the records are found behind them.
        ReadOnlyMemory<byte> counts = payload;
        ulong sum = 0;
        for (uint i = 0; i < requests; i++)
        {
            if (!BatchDecoder.TryNumber(ref payload, out uint count) || count == 0)
            {
                return false;
            }

            sum += count;
        }

        if (sum != operations)
        {
            return false;
        }

        ulong first = frame.First;
        for (uint i = 0; i < requests; i++)
        {
            BatchDecoder.TryNumber(ref counts, out uint count);
            ulong last = first + count - 1;
            if (!TryRequest(ref payload, families, (int)count, last > after, out ChangeOperation[] read, out long bytes,
                out why))
            {
                return false;
            }

            if (last > after)
            {
                entries.Add(new Change(
                    ChangeKind.Batch, new Sequence(first), new Sequence(last), ChangeFormat.TimeOf(frame.Ticks), read)
                {
                    Bytes = bytes,
                });
            }

            first = last + 1;
        }

        bool more = BatchDecoder.TryRead(ref payload, families, out _, out why);
        why = more ? "a batch has more operations than sequences" : why;
        return why is null;
    }

    private static bool TryRequest(
        ref ReadOnlyMemory<byte> records, IReadOnlyDictionary<uint, FamilyIdentity> families, int count, bool wanted,
        out ChangeOperation[] operations, out long bytes, out string? why)
    {
        operations = wanted ? new ChangeOperation[count] : [];
        bytes = 0;
        why = null;
        for (int i = 0; i < count; i++)
        {
            if (!BatchDecoder.TryRead(ref records, families, out ChangeOperation operation, out why))
            {
                why ??= "a batch has fewer operations than sequences";
                return false;
            }

            bytes += operation.Key.Length + operation.Value.Length;
            if (wanted)
            {
                operations[i] = operation;
            }
        }

        return true;
    }

    /// <summary>Reads the names of column families.</summary>
    public static bool TryFamilies(ReadOnlyMemory<byte> payload, Dictionary<uint, FamilyIdentity> families)
    {
        families.Clear();
        if (!BatchDecoder.TryNumber(ref payload, out uint count) || count > (uint)payload.Length)
        {
            return false;
        }

        for (uint i = 0; i < count; i++)
        {
            if (!BatchDecoder.TryNumber(ref payload, out uint id)
                || !BatchDecoder.TryBytes(ref payload, out ReadOnlyMemory<byte> name)
                || !TryIdentity(name.Span, out FamilyIdentity identity) || !families.TryAdd(id, identity))
            {
                return false;
            }
        }

        return payload.IsEmpty;
    }

    private static bool TryIdentity(ReadOnlySpan<byte> name, out FamilyIdentity identity)
    {
        try
        {
            identity = FamilyIdentity.Parse(Encoding.UTF8.GetString(name));
            return true;
        }
        catch (StorageException)
        {
            identity = default; // Made by a newer version: what it holds cannot be told apart.
            return false;
        }
    }

    /// <summary>Reads how many entries a file has that ends with this frame.</summary>
    public static bool TryClosed(ReadOnlySpan<byte> payload, out long entries)
    {
        entries = payload.Length == sizeof(long) ? BinaryPrimitives.ReadInt64LittleEndian(payload) : -1;
        return entries >= 0;
    }
}
