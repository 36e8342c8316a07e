using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>When snapshots are taken of databases for which nobody set a policy, and how often a node looks.</summary>
public sealed class ScheduleOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Schedule";

    /// <summary>Takes, verifies and collects by itself where nobody set a policy. Default: yes.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Time between snapshots. Default: 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "366.00:00:00")]
    public TimeSpan Every { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>A snapshot is also due after so many bytes of writes. Default: 64 MiB.</summary>
    [Range(1L, 1L << 50)]
    public long EveryBytes { get; set; } = 64L << 20;

    /// <summary>
    /// A new durable branch is lost with its node until its first snapshot; that one is due after so long, whatever
    /// the policy says of time and bytes, unless it wants no snapshots by itself at all. Default: 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan FirstAfter { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The newest snapshots of each branch that stay. Default: 7.</summary>
    [Range(1, 100_000)]
    public int KeepLast { get; set; } = 7;

    /// <summary>Then the newest of each of so many hours. Default: 24.</summary>
    [Range(0, 100_000)]
    public int KeepHourly { get; set; } = 24;

    /// <summary>Then the newest of each of so many days. Default: 7.</summary>
    [Range(0, 100_000)]
    public int KeepDaily { get; set; } = 7;

    /// <summary>Then the newest of each of so many weeks. Default: 4.</summary>
    [Range(0, 100_000)]
    public int KeepWeekly { get; set; } = 4;

    /// <summary>Time between verifications. Default: 1 day.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "366.00:00:00")]
    public TimeSpan VerifyEvery { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Time between garbage collections. Default: 6 h.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "366.00:00:00")]
    public TimeSpan CollectEvery { get; set; } = TimeSpan.FromHours(6);

    /// <summary>Objects that no snapshot needs stay at least this long. Default: 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "366.00:00:00")]
    public TimeSpan CollectionGrace { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How often a coordinator looks whether something is due. Default: 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.020", "00:10:00")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromSeconds(1);

    internal SnapshotPolicy Default => Enabled
        ? new SnapshotPolicy(
            Every, EveryBytes, KeepLast, KeepHourly, KeepDaily, KeepWeekly, VerifyEvery,
            VerificationKind.Checksums, CollectEvery)
        : new SnapshotPolicy(
            KeepLast: KeepLast, KeepHourly: KeepHourly, KeepDaily: KeepDaily, KeepWeekly: KeepWeekly);
}

/// <summary>Checks each field of <see cref="ScheduleOptions"/>.</summary>
[OptionsValidator]
public sealed partial class ScheduleOptionsValidator : IValidateOptions<ScheduleOptions>;
