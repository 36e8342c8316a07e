namespace Branching.Storage.Snapshots;

/// <summary>How garbage is collected.</summary>
/// <param name="DryRun">Only report.</param>
/// <param name="Grace">Objects younger than this, by the storage's own clock, stay. Default: 1 hour.</param>
public sealed record GarbageOptions(bool DryRun = false, TimeSpan? Grace = null);

/// <summary>What a collection did, or would do.</summary>
/// <param name="DryRun">Whether nothing was deleted.</param>
/// <param name="Kept">Objects that valid snapshots need.</param>
/// <param name="KeptYoung">Objects nobody needs that are younger than the grace period.</param>
/// <param name="Deleted">Full names of deleted objects and manifests.</param>
/// <param name="DeletedBytes">Bytes of deleted objects.</param>
/// <param name="SweepDisabledBecause">Why no object was deleted: a manifest that cannot be read may need any of
/// them. <see langword="null"/> when the sweep ran.</param>
/// <param name="Unknown">Entries that this program did not write; they stay.</param>
public sealed record GarbageReport(
    bool DryRun,
    int Kept,
    int KeptYoung,
    IReadOnlyList<string> Deleted,
    long DeletedBytes,
    string? SweepDisabledBecause,
    IReadOnlyList<string> Unknown);
