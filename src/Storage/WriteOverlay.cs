using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>What the requests staged so far would change; preconditions look here before the store.</summary>
/// <remarks>Reused by one writer thread. It refers to the buffers of the requests, and copies nothing.</remarks>
internal sealed class WriteOverlay
{
    private readonly Dictionary<Slot, Change> _changes = new(new SlotComparer());
    private readonly List<RangeChange> _ranges = [];
    private int _order;

    public void Clear()
    {
        _changes.Clear();
        _ranges.Clear();
        _order = 0;
    }

    public void Add(in StagedOperation operation)
    {
        _order++;
        ColumnFamily family = operation.Family;
        switch (operation.Kind)
        {
            case WriteKind.Delete:
                _changes[new Slot(family, operation.Key)] = new Change(_order, Exists: false, default, default);
                break;
            case WriteKind.DeleteRange:
                _ranges.Add(new RangeChange(family, operation.Key, operation.Value, _order));
                break;
            default:
                _changes[new Slot(family, operation.Key)] =
                    new Change(_order, Exists: true, operation.Value, operation.ExpiresAt);
                break;
        }
    }

    /// <summary>Whether the group decides about the key; if so, what it says.</summary>
    public bool TryGet(
        ColumnFamily family, ReadOnlyMemory<byte> key, out bool exists, out ReadOnlyMemory<byte> value,
        out long expiresAt)
    {
        bool known = _changes.TryGetValue(new Slot(family, key), out Change change);
        exists = change.Exists;
        value = change.Value;
        expiresAt = change.ExpiresAt;
        for (int i = _ranges.Count - 1; i >= 0; i--)
        {
            RangeChange range = _ranges[i];
            if (range.Order > change.Order && range.Covers(family, key.Span))
            {
                exists = false;
                value = default;
                return true;
            }
        }

        return known;
    }

    private readonly record struct Slot(ColumnFamily Family, ReadOnlyMemory<byte> Key);

    private readonly record struct Change(int Order, bool Exists, ReadOnlyMemory<byte> Value, long ExpiresAt);

    private readonly record struct RangeChange(
        ColumnFamily Family, ReadOnlyMemory<byte> From, ReadOnlyMemory<byte> To, int Order)
    {
        public bool Covers(ColumnFamily family, ReadOnlySpan<byte> key) =>
            ReferenceEquals(Family, family)
            && key.SequenceCompareTo(From.Span) >= 0
            && key.SequenceCompareTo(To.Span) < 0;
    }

    private sealed class SlotComparer : IEqualityComparer<Slot>
    {
        public bool Equals(Slot x, Slot y) =>
            ReferenceEquals(x.Family, y.Family) && x.Key.Span.SequenceEqual(y.Key.Span);

        public int GetHashCode(Slot obj)
        {
            HashCode hash = default;
            hash.AddBytes(obj.Key.Span);
            return hash.ToHashCode();
        }
    }
}
