namespace Branching.Storage.Snapshots;

/// <summary>What a file of a snapshot is for. The numbers are stable: they are stored by name.</summary>
public enum SnapshotFileRole
{
    /// <summary>A table of sorted keys.</summary>
    Table = 0,

    /// <summary>Large values kept apart.</summary>
    Blob = 1,

    /// <summary>A log of writes that are in no table yet.</summary>
    Log = 2,

    /// <summary>RocksDB's own list of its files.</summary>
    Manifest = 3,

    /// <summary>Names the valid list.</summary>
    Current = 4,

    /// <summary>The options the store was opened with.</summary>
    Options = 5,

    /// <summary>RocksDB's identity of the store.</summary>
    Identity = 6,

    /// <summary>This program's own mark of the store.</summary>
    Mark = 7,
}

/// <summary>One file of a snapshot.</summary>
/// <param name="Name">Its name in the store's directory.</param>
/// <param name="Role">What it is for.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its digest, 64 lower-case hexadecimal digits.</param>
/// <param name="ObjectName">The full name of the object that holds it, below the database's directory.</param>
public sealed record SnapshotFile(string Name, SnapshotFileRole Role, long Bytes, string Sha256, string ObjectName);

/// <summary>What must match to open one column family.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Comparator">The name of its comparator.</param>
/// <param name="MergeOperator">The name of its merge operator; <see langword="null"/> for none.</param>
/// <param name="Number">RocksDB's number for it: one that was dropped and created again has another.</param>
public sealed record FamilyFingerprint(
    string Name, string Comparator, string? MergeOperator = null, uint Number = 0);

/// <summary>The options that must match to open a store.</summary>
/// <param name="Families">Its column families, ordered by name.</param>
public sealed record OptionsFingerprint(IReadOnlyList<FamilyFingerprint> Families);

/// <summary>A snapshot: everything that is needed to restore one store. It exists exactly when its manifest
/// does.</summary>
/// <param name="Format">Number of the manifest's format.</param>
/// <param name="Program">Version of the program that took it.</param>
/// <param name="DatabaseId">The database.</param>
/// <param name="DatabaseName">The database's name.</param>
/// <param name="Id">The snapshot's identity; its number is given at publication.</param>
/// <param name="Branch">The branch.</param>
/// <param name="Parent">The store it was branched from; <see langword="null"/> for the main store.</param>
/// <param name="ParentSequence">The parent's sequence at that time.</param>
/// <param name="Depth">Branches between it and the main store, itself included.</param>
/// <param name="Sequence">The store's sequence: the snapshot holds everything up to it.</param>
/// <param name="TakenAt">When the checkpoint was made, UTC.</param>
/// <param name="Node">The node that took it.</param>
/// <param name="RocksDbVersion">Version of RocksDB that wrote the files.</param>
/// <param name="Options">What must match to open it.</param>
/// <param name="Files">All files.</param>
/// <param name="TotalBytes">Bytes of all files.</param>
/// <param name="SentBytes">Bytes that were not on shared storage before.</param>
/// <param name="Labels">The caller's labels.</param>
/// <param name="Sha256">Digest of the manifest itself; empty in a draft.</param>
public sealed record SnapshotManifest(
    int Format,
    string Program,
    DatabaseId DatabaseId,
    DatabaseName DatabaseName,
    SnapshotId Id,
    BranchName Branch,
    StoreId? Parent,
    Sequence ParentSequence,
    int Depth,
    Sequence Sequence,
    DateTimeOffset TakenAt,
    string Node,
    string RocksDbVersion,
    OptionsFingerprint Options,
    IReadOnlyList<SnapshotFile> Files,
    long TotalBytes,
    long SentBytes,
    IReadOnlyDictionary<string, string> Labels,
    string Sha256 = "")
{
    /// <summary>The format this program writes.</summary>
    public const int CurrentFormat = 1;
}
