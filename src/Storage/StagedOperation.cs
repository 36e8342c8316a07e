using System.Buffers;
using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>One operation as it goes into the batch: it depends on nothing any more.</summary>
/// <param name="Kind">Never <see cref="WriteKind.Append"/>; a merge is one that RocksDB makes later.</param>
/// <param name="Family">The open column family.</param>
/// <param name="Traits">What is fixed about the family; <see langword="null"/>: nothing.</param>
/// <param name="Key">As in <see cref="WriteOperation"/>.</param>
/// <param name="Value">As users see it, without a stamp.</param>
/// <param name="ExpiresAt">Until when the key lives, in milliseconds of Unix time; zero: for ever.</param>
internal readonly record struct StagedOperation(
    WriteKind Kind, ColumnFamily Family, FamilyTraits? Traits, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value,
    long ExpiresAt);

/// <summary>Turns operations that depend on what is there into ones that do not.</summary>
/// <remarks>Part of a <see cref="WriteGroup"/>: it runs where writes are ordered, so nothing can come between what it
/// reads and what is written.</remarks>
internal static class WriteResolution
{
    /// <summary>Throws when a family does not take an operation.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    public static void Check(in WriteOperation operation, int index, FamilyTraits? traits, IWriteView view)
    {
        if (WhyRefused(operation, traits) is { } why)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"A write to {view.Label} was refused: operation {index} cannot be done: {why}. Nothing was applied.");
        }
    }

    /// <summary>Why a family does not take an operation; <see langword="null"/>: it does.</summary>
    public static string? WhyRefused(in WriteOperation operation, FamilyTraits? traits) => operation.Kind switch
    {
        WriteKind.Merge when traits?.Merge is null =>
            "its column family has no merge operator; create one with it",
        WriteKind.Put or WriteKind.Merge when traits?.Refuse(operation.Value.Span) is { } refusal =>
            $"merge operator '{traits.Merge!.Name}' does not take it: {refusal}",
        _ when operation.TimeToLive != default && traits is not { Expires: true } =>
            "it has a time to live, but the keys of its column family do not expire; create one whose keys do",
        _ => null,
    };

    /// <summary>The operation with its outcome, given the group's earlier ones in <paramref name="overlay"/>.</summary>
    public static StagedOperation Resolve(
        in WriteOperation operation, int index, IWriteView view, WriteOverlay overlay, long now)
    {
        ColumnFamily family = view.Family(operation.ColumnFamily);
        FamilyTraits? traits = view.TraitsOf(family);
        switch (operation.Kind)
        {
            case WriteKind.Append:
                return Join(operation, index, family, traits, ValueMerge.Append, view, overlay, now);
            case WriteKind.Merge when traits is { MergesLater: false, Merge: { } merge }:
                return Join(operation, index, family, traits, merge, view, overlay, now);
            default:
                long expiresAt = operation.Kind == WriteKind.Put
                    ? traits?.ExpiryOf(operation.TimeToLive, now) ?? ExpiryStamp.Never
                    : ExpiryStamp.Never;
                return new StagedOperation(
                    operation.Kind, family, traits, operation.Key, operation.Value, expiresAt);
        }
    }

    /// <summary>The value of a key after a merge that RocksDB will only make later, for preconditions.</summary>
    public static ReadOnlyMemory<byte> Foresee(
        in StagedOperation merge, IWriteView view, WriteOverlay overlay, long now)
    {
        ArrayBufferWriter<byte> joined = new();
        Apply(merge.Traits!.Merge!, merge.Family, merge.Key, merge.Value, view, overlay, now, joined, out _, out _);
        return joined.WrittenMemory;
    }

    private static StagedOperation Join(
        in WriteOperation operation, int index, ColumnFamily family, FamilyTraits? traits, ValueMerge merge,
        IWriteView view, WriteOverlay overlay, long now)
    {
        ArrayBufferWriter<byte> joined = new();
        Apply(
            merge, family, operation.Key, operation.Value, view, overlay, now, joined, out bool exists, out long kept);
        if (operation.Kind == WriteKind.Append && traits?.Refuse(joined.WrittenSpan) is { } refusal)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"A write to {view.Label} was refused: operation {index} cannot be done: merge operator " +
                $"'{traits.Merge!.Name}' does not take what it makes: {refusal}. Nothing was applied.");
        }

        // A counter that is counted up every second would otherwise never expire.
        bool keeps = exists && operation.TimeToLive == default;
        long expiresAt = keeps ? kept : traits?.ExpiryOf(operation.TimeToLive, now) ?? ExpiryStamp.Never;
        return new StagedOperation(WriteKind.Put, family, traits, operation.Key, joined.WrittenMemory, expiresAt);
    }

    private static void Apply(
        ValueMerge merge, ColumnFamily family, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> operand, IWriteView view,
        WriteOverlay overlay, long now, ArrayBufferWriter<byte> joined, out bool exists, out long expiresAt)
    {
        if (!overlay.TryGet(family, key, out exists, out ReadOnlyMemory<byte> existing, out expiresAt))
        {
            ArrayBufferWriter<byte> read = new();
            exists = view.TryRead(family, key.Span, read, now, out expiresAt);
            existing = read.WrittenMemory;
        }

        merge.Merge(key.Span, exists, existing.Span, operand.Span, joined);
    }
}
