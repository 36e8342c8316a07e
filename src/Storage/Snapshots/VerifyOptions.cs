namespace Branching.Storage.Snapshots;

/// <summary>How a snapshot is verified.</summary>
/// <param name="Level">How thorough.</param>
/// <param name="ScratchDirectory">
/// A local directory that exists: objects pass through it, one at a time for <see cref="VerificationLevel.Checksums"/>,
/// the whole store for <see cref="VerificationLevel.Opened"/>. Nothing is left in it.
/// </param>
/// <param name="Parallelism">Objects read at the same time; <see langword="null"/>: as configured.</param>
/// <param name="BytesPerSecond">Most bytes read per second; <see langword="null"/>: as configured.</param>
public sealed record VerifyOptions(
    VerificationLevel Level, string ScratchDirectory, int? Parallelism = null, long? BytesPerSecond = null);

/// <summary>What can be wrong with a file of a snapshot. The numbers are stable: they travel.</summary>
public enum FindingKind
{
    /// <summary>The object is not there.</summary>
    Missing = 0,

    /// <summary>The object has another length.</summary>
    WrongSize = 1,

    /// <summary>The object has the length, but other bytes.</summary>
    WrongDigest = 2,

    /// <summary>Something lies among the store's snapshots that does not belong there.</summary>
    Extra = 3,

    /// <summary>The manifest lists a file that no store has, or lists it twice.</summary>
    Malformed = 4,

    /// <summary>Every file is as it should be, yet the restored store does not open or holds something else.</summary>
    NotOpenable = 5,

    /// <summary>This program cannot open what the snapshot holds.</summary>
    Incompatible = 6,
}

/// <summary>One thing that is wrong with a snapshot.</summary>
/// <param name="Kind">What sort.</param>
/// <param name="Name">The file, or what lies where it should not.</param>
/// <param name="ObjectName">The full name on shared storage; <see langword="null"/> when it is not about one.</param>
/// <param name="Text">The whole of it, for people.</param>
public sealed record SnapshotFinding(FindingKind Kind, string Name, string? ObjectName, string Text);

/// <summary>What a verification found.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Level">How thorough it was.</param>
/// <param name="Files">Files looked at.</param>
/// <param name="Bytes">Bytes read and compared.</param>
/// <param name="Findings">Everything that is wrong; empty when nothing is.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record VerificationReport(
    SnapshotId Snapshot, VerificationLevel Level, int Files, long Bytes, IReadOnlyList<SnapshotFinding> Findings,
    TimeSpan Elapsed)
{
    /// <summary>Whether the snapshot can be relied on; something extra does not harm it.</summary>
    public bool Passed => Findings.All(finding => finding.Kind == FindingKind.Extra);

    /// <summary>What the repository records of it.</summary>
    public VerificationResult ToResult(DateTimeOffset at, string node)
    {
        string[] failures = [.. Findings.Where(finding => finding.Kind != FindingKind.Extra).Select(f => f.Text)];
        return new VerificationResult(
            Level, Passed, at, node, failures.Length == 0 ? null : string.Join(" ", failures.Take(10)));
    }
}
