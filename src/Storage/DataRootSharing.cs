using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>How a data root uses shared storage.</summary>
/// <param name="Storage">Where it is and what is done when it fails.</param>
/// <param name="Ownership">Lengths of leases.</param>
/// <param name="Snapshots">How snapshots are taken and restored.</param>
public sealed record DataRootSharing(
    SharedStorageOptions Storage, OwnershipOptions Ownership, SnapshotOptions Snapshots);
