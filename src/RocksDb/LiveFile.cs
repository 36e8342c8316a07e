namespace Branching.RocksDb;

/// <summary>A table file that is part of the newest state of a database.</summary>
/// <param name="Name">File name with a leading slash, below the database directory: <c>/000012.sst</c>.</param>
/// <param name="ColumnFamily">Name of the family it belongs to.</param>
/// <param name="Level">Its level; zero is the newest.</param>
/// <param name="Bytes">Its size, in bytes.</param>
/// <param name="SmallestKey">Its first key.</param>
/// <param name="LargestKey">Its last key.</param>
/// <param name="Entries">Entries in it, deletions included.</param>
/// <param name="Deletions">Deletions in it.</param>
public sealed record LiveFile(
    string Name,
    string ColumnFamily,
    int Level,
    long Bytes,
    ReadOnlyMemory<byte> SmallestKey,
    ReadOnlyMemory<byte> LargestKey,
    long Entries,
    long Deletions);
