namespace Branching.Storage.Snapshots;

/// <summary>Which files of a store's directory belong into a snapshot, and what each is.</summary>
internal static class StoreFileNames
{
    /// <summary>What a file is; <see langword="null"/> for one that RocksDB makes again by itself.</summary>
    public static SnapshotFileRole? RoleOf(string name)
    {
        if (name == StoreMarker.FileName)
        {
            return SnapshotFileRole.Mark;
        }

        return Path.GetExtension(name) switch
        {
            ".sst" when IsNumber(name[..^4]) => SnapshotFileRole.Table,
            ".blob" when IsNumber(name[..^5]) => SnapshotFileRole.Blob,
            ".log" when IsNumber(name[..^4]) => SnapshotFileRole.Log,
            "" when name == "CURRENT" => SnapshotFileRole.Current,
            "" when name == "IDENTITY" => SnapshotFileRole.Identity,
            "" when name.StartsWith("MANIFEST-", StringComparison.Ordinal) && IsNumber(name[9..]) =>
                SnapshotFileRole.Manifest,
            "" when name.StartsWith("OPTIONS-", StringComparison.Ordinal) && IsNumber(name[8..]) =>
                SnapshotFileRole.Options,
            _ => null,
        };
    }

    /// <summary>Whether a file never changes once it is there, so that stores can share its bytes.</summary>
    public static bool IsImmutable(SnapshotFileRole role) => role is SnapshotFileRole.Table or SnapshotFileRole.Blob;

    private static bool IsNumber(string text) => text.Length > 0 && text.All(char.IsAsciiDigit);
}
