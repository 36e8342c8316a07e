using System.Globalization;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Shared;

/// <summary>Where a database keeps what on shared storage (docs/formats.md).</summary>
internal sealed class DatabasePaths(DatabaseName name, DatabaseId id)
{
    public const string Databases = "databases";

    public const string Suffix = ".json";

    public const string HeadsSuffix = ".heads" + Suffix;

    public const string BaseSuffix = ".base" + Suffix;

    public DatabaseName Name { get; } = name;

    public DatabaseId Id { get; } = id;

    /// <summary>Everything of this database.</summary>
    public string Root { get; } = $"{Databases}/{name}/{id}";

    public string Dropped => Root + "/dropped" + Suffix;

    public string Epochs => Root + "/epochs";

    public string Leases => Root + "/leases";

    public string Objects => Root + "/objects";

    public string Snapshots => Root + "/snapshots";

    public string Catalog => Root + "/catalog";

    public string Pins => Root + "/pins";

    public string Collections => Root + "/collections";

    public static string LivesOf(DatabaseName name) => $"{Databases}/{name}/lives";

    public static string LifeOf(DatabaseName name, ulong number) => $"{LivesOf(name)}/{Digits(number)}{Suffix}";

    public static string Digits(ulong number) => number.ToString("D20", CultureInfo.InvariantCulture);

    public static bool TryDigits(ReadOnlySpan<char> text, out ulong number)
    {
        number = 0;
        return text.Length == 20
            && ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    public string Claim(Epoch epoch) => $"{Epochs}/{Digits(epoch.Value)}{Suffix}";

    public string Heads(Epoch epoch) => $"{Epochs}/{Digits(epoch.Value)}{HeadsSuffix}";

    public string Entered(Epoch epoch) => $"{Epochs}/{Digits(epoch.Value)}.entered{Suffix}";

    public string Lease(Epoch epoch) => $"{Leases}/{Digits(epoch.Value)}{Suffix}";

    public string SnapshotsOf(StoreId store) => $"{Snapshots}/{store}";

    public string Manifest(SnapshotId id) => Stem(id) + Suffix;

    public string Verified(SnapshotId id) => $"{Stem(id)}.verified{Suffix}";

    public string Retired(SnapshotId id, Epoch by) => $"{Stem(id)}.retired-{Digits(by.Value)}{Suffix}";

    public string Retiring(SnapshotId id, Epoch by, ulong attempt) =>
        $"{Stem(id)}.retiring-{Digits(by.Value)}-{Digits(attempt)}{Suffix}";

    public string Change(Epoch epoch, ulong number) =>
        $"{Catalog}/{Digits(epoch.Value)}-{Digits(number)}{Suffix}";

    public string CatalogBase(Epoch epoch, ulong number) =>
        $"{Catalog}/{Digits(epoch.Value)}-{Digits(number)}{BaseSuffix}";

    public string Pin(string pin) => $"{Pins}/{pin}{Suffix}";

    /// <summary>Reads <c>&lt;20 digits&gt;-&lt;20 digits&gt;&lt;rest&gt;</c>.</summary>
    public static bool TryPair(string text, out ulong epoch, out ulong number, out string rest)
    {
        number = 0;
        rest = "";
        if (text.Length < 41 || text[20] != '-' || !TryDigits(text.AsSpan(0, 20), out epoch)
            || !TryDigits(text.AsSpan(21, 20), out number))
        {
            epoch = 0;
            return false;
        }

        rest = text[41..];
        return true;
    }

    private string Stem(SnapshotId id) =>
        $"{SnapshotsOf(id.Store)}/{Digits(id.Epoch.Value)}-{Digits(id.Number)}";
}
