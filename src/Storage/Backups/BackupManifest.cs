using System.Globalization;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <summary>The number of a backup in its directory, from 1; never given twice there.</summary>
/// <param name="Value">The number.</param>
public readonly record struct BackupId(ulong Value) : IComparable<BackupId>
{
    /// <summary>Reads a number.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    public static BackupId Parse(string text) => TryParse(text, out BackupId id)
        ? id
        : throw new StorageException(
            FailureKind.InvalidArgument,
            $"'{Names.Show(text)}' is not the number of a backup: use one that the list of backups shows.");

    /// <summary>Reads a number.</summary>
    public static bool TryParse(string? text, out BackupId id)
    {
        bool parsed = ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number);
        id = new BackupId(number);
        return parsed && number > 0;
    }

    /// <summary>Older ones first.</summary>
    public int CompareTo(BackupId other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Whether the left one is older.</summary>
    public static bool operator <(BackupId left, BackupId right) => left.Value < right.Value;

    /// <summary>Whether the left one is newer.</summary>
    public static bool operator >(BackupId left, BackupId right) => left.Value > right.Value;

    /// <summary>Whether the left one is not newer.</summary>
    public static bool operator <=(BackupId left, BackupId right) => left.Value <= right.Value;

    /// <summary>Whether the left one is not older.</summary>
    public static bool operator >=(BackupId left, BackupId right) => left.Value >= right.Value;
}

/// <summary>One file of a backup.</summary>
/// <param name="Name">Its name below the store's directory.</param>
/// <param name="Role">What it is for; <see langword="null"/>: it belongs to the change log.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its digest, 64 lower-case hexadecimal digits; the name of its object, too.</param>
public sealed record BackupFile(string Name, SnapshotFileRole? Role, long Bytes, string Sha256);

/// <summary>A backup: everything that is needed to restore one store. It exists exactly when its manifest
/// does.</summary>
/// <param name="Format">Number of the manifest's format.</param>
/// <param name="Program">Version of the program that made it.</param>
/// <param name="Id">Its number.</param>
/// <param name="Source">What the store is, in the words of messages.</param>
/// <param name="Label">The caller's name for it; empty without one.</param>
/// <param name="Metadata">The caller's own entries.</param>
/// <param name="TakenAt">When it was made, UTC.</param>
/// <param name="Sequence">The store's sequence: the backup holds everything up to it.</param>
/// <param name="RocksDbVersion">Version of RocksDB that wrote the files.</param>
/// <param name="Options">What must match to open it.</param>
/// <param name="Files">All files.</param>
/// <param name="TotalBytes">Bytes of all files.</param>
/// <param name="NewBytes">Bytes that no earlier backup of the directory held.</param>
/// <param name="IsFlushed">Whether the store was flushed before.</param>
/// <param name="IsDurable">Whether it was fsynced; if not, a loss of power may have damaged it.</param>
/// <param name="ImportedFrom">Where a stream that it was imported from came from.</param>
/// <param name="Sha256">Digest of the manifest itself; empty in a draft.</param>
public sealed record BackupManifest(
    int Format,
    string Program,
    BackupId Id,
    string Source,
    string Label,
    IReadOnlyDictionary<string, string> Metadata,
    DateTimeOffset TakenAt,
    Sequence Sequence,
    string RocksDbVersion,
    OptionsFingerprint Options,
    IReadOnlyList<BackupFile> Files,
    long TotalBytes,
    long NewBytes,
    bool IsFlushed,
    bool IsDurable,
    string? ImportedFrom = null,
    string Sha256 = "")
{
    /// <summary>The format this program writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Directory of the change log's files below the store's.</summary>
    public const string ChangeLogName = "changes";

    /// <summary>Whether a change log is part of it.</summary>
    public bool HasChangeLog => Files.Any(file => file.Role is null);
}

/// <summary>What a backup directory holds under the name of a backup.</summary>
/// <param name="Name">The name of the file.</param>
/// <param name="Id">Its number; <see langword="null"/> when the name has none.</param>
/// <param name="Manifest">What it says; <see langword="null"/> when it cannot be read.</param>
/// <param name="Kind">What kind of damage it has; <see langword="null"/>: none that shows without reading
/// everything.</param>
/// <param name="Problem">What is wrong; <see langword="null"/>: nothing.</param>
public sealed record BackupEntry(
    string Name, BackupId? Id, BackupManifest? Manifest, FailureKind? Kind = null, string? Problem = null)
{
    /// <summary>Whether it can be restored, as far as names and lengths tell.</summary>
    public bool IsWhole => Problem is null;
}
