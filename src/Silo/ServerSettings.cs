namespace Branching.Silo;

/// <summary>What a served node needs to know before its host is built.</summary>
/// <param name="Server">Where it listens; <see cref="ServerOptions.Clustering"/> is decided.</param>
/// <param name="Membership">How deaths are found.</param>
/// <param name="SharedStorage">The shared directory; null without.</param>
internal sealed record ServerSettings(ServerOptions Server, MembershipOptions Membership, string? SharedStorage);
