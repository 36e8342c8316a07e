using System.Globalization;

namespace Branching.Storage.Snapshots;

/// <summary>The identity of a snapshot: never reused. Text:
/// <c>&lt;store id&gt;-&lt;epoch&gt;-&lt;number&gt;</c>.</summary>
/// <param name="Store">The store it is of.</param>
/// <param name="Epoch">The epoch that published it.</param>
/// <param name="Number">Its number among that epoch's snapshots of the store, from 1.</param>
public readonly record struct SnapshotId(StoreId Store, Epoch Epoch, ulong Number) : IComparable<SnapshotId>
{
    /// <summary>Reads an identity.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    public static SnapshotId Parse(string text) => TryParse(text, out SnapshotId id)
        ? id
        : throw new StorageException(
            FailureKind.InvalidArgument,
            $"'{Names.Show(text)}' is not a snapshot id: use <store id>-<epoch>-<number>, as lists of snapshots show.");

    /// <summary>Reads an identity.</summary>
    public static bool TryParse(string? text, out SnapshotId id)
    {
        id = default;
        string[] parts = (text ?? "").Split('-');
        if (parts.Length != 3 || !StoreId.TryParse(parts[0], out StoreId store)
            || !TryNumber(parts[1], out ulong epoch) || !TryNumber(parts[2], out ulong number))
        {
            return false;
        }

        id = new SnapshotId(store, new Epoch(epoch), number);
        return true;
    }

    /// <summary>By store, then by age: earlier epochs and numbers first.</summary>
    public int CompareTo(SnapshotId other) =>
        (Store, Epoch, Number).CompareTo((other.Store, other.Epoch, other.Number));

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Store}-{Epoch}-{Number}");

    /// <summary>Whether the left one sorts first.</summary>
    public static bool operator <(SnapshotId left, SnapshotId right) => left.CompareTo(right) < 0;

    /// <summary>Whether the left one sorts last.</summary>
    public static bool operator >(SnapshotId left, SnapshotId right) => left.CompareTo(right) > 0;

    /// <summary>Whether the left one does not sort last.</summary>
    public static bool operator <=(SnapshotId left, SnapshotId right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the left one does not sort first.</summary>
    public static bool operator >=(SnapshotId left, SnapshotId right) => left.CompareTo(right) >= 0;

    private static bool TryNumber(string text, out ulong number) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && (text.Length == 1 || text[0] != '0');
}
