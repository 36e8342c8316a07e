using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Storage.Snapshots;

/// <summary>How a node takes, verifies and restores snapshots.</summary>
public sealed class SnapshotOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Snapshots";

    /// <summary>
    /// Unflushed writes, in bytes, from which a store is flushed before its snapshot; fewer travel as a log.
    /// Default: 1 MiB.
    /// </summary>
    [Range(0L, 1L << 40)]
    public long FlushBytes { get; set; } = 1L << 20;

    /// <summary>Files sent, fetched or verified at the same time by one operation. Default: 4.</summary>
    [Range(1, 64)]
    public int Parallelism { get; set; } = 4;

    /// <summary>
    /// Most bytes per second that all snapshots of a database together send; 0: no limit. Default: 0.
    /// </summary>
    [Range(0L, 1L << 42)]
    public long SendBytesPerSecond { get; set; }

    /// <summary>Most bytes per second that one restore or verification fetches; 0: no limit. Default: 0.</summary>
    [Range(0L, 1L << 42)]
    public long FetchBytesPerSecond { get; set; }

    /// <summary>Digests of files that a database remembers between snapshots. Default: 200,000.</summary>
    [Range(0, 100_000_000)]
    public int RememberedDigests { get; set; } = 200_000;

    /// <summary>
    /// Bytes that a restore leaves free on the local disk beyond what it needs. Default: 64 MiB.
    /// </summary>
    [Range(0L, 1L << 42)]
    public long FreeBytesReserve { get; set; } = 64L << 20;
}

/// <summary>Checks each field of <see cref="SnapshotOptions"/>.</summary>
[OptionsValidator]
public sealed partial class SnapshotOptionsValidator : IValidateOptions<SnapshotOptions>;
