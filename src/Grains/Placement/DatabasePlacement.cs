using Orleans.Placement;

namespace Branching.Grains;

/// <summary>Together with the database that the grain's key names: on the node that holds its stores.</summary>
[GenerateSerializer]
[Immutable]
public sealed class DatabasePlacement : PlacementStrategy;

/// <summary>Places the grain together with the database that its key names.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class PlacedWithDatabaseAttribute() : PlacementAttribute(new DatabasePlacement());

/// <summary>On the silo whose address is the grain's key, and nowhere else.</summary>
[GenerateSerializer]
[Immutable]
public sealed class NodePlacement : PlacementStrategy;

/// <summary>Places the grain on the silo whose address is its key.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class PlacedOnNodeAttribute() : PlacementAttribute(new NodePlacement());
