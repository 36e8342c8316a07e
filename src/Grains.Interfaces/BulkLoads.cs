namespace Branching.Grains;

/// <summary>Asks to begin a bulk load.</summary>
/// <param name="ColumnFamily">The column family; null is the default one.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.bulk-load-request")]
public sealed record BulkLoadRequest([property: Id(0)] string? ColumnFamily = null);

/// <summary>Some records of a bulk load.</summary>
/// <param name="Load">What <see cref="IStoreGrain.BeginBulkLoadAsync"/> answered.</param>
/// <param name="Number">1 for the first part, then one more each. The last one sent again is not added twice.</param>
/// <param name="Entries">In any order; of one key the last of all counts. 1 to 100,000.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.bulk-load-part")]
public sealed record BulkLoadPart(
    [property: Id(0)] Guid Load,
    [property: Id(1)] long Number,
    [property: Id(2)] IReadOnlyList<Entry> Entries);

/// <summary>What a bulk load did.</summary>
/// <param name="Records">Records added.</param>
/// <param name="Keys">Different keys among them.</param>
/// <param name="Tables">Table files they came in.</param>
/// <param name="Sequence">The store's sequence number after it.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.bulk-load-response")]
public readonly record struct BulkLoadResponse(
    [property: Id(0)] long Records,
    [property: Id(1)] long Keys,
    [property: Id(2)] int Tables,
    [property: Id(3)] ulong Sequence);
