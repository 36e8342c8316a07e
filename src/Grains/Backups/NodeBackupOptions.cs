using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>Where a node keeps the backups that callers ask for, and how it makes them.</summary>
public sealed class NodeBackupOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Backups";

    /// <summary>
    /// The directory of backups on this node, one below it for each database; created when absent. No default:
    /// without it no caller can make or restore backups here.
    /// </summary>
    public string? Directory { get; set; }

    /// <summary>
    /// Whether callers may name any directory of this node to restore to, not only a new one under
    /// <see cref="Directory"/>. Default: no.
    /// </summary>
    public bool AllowAnyTarget { get; set; }

    /// <summary>Files copied or compared at the same time by one operation. Default: 4.</summary>
    [Range(1, 64)]
    public int Parallelism { get; set; } = 4;

    /// <summary>Most bytes per second that one operation reads, and as many that it writes; 0: no limit.
    /// Default: 0.</summary>
    [Range(0L, 1L << 42)]
    public long BytesPerSecond { get; set; }

    /// <summary>Bytes that stay free on a disk beyond what an operation needs. Default: 64 MiB.</summary>
    [Range(0L, 1L << 42)]
    public long FreeBytesReserve { get; set; } = 64L << 20;
}

/// <summary>Checks each field of <see cref="NodeBackupOptions"/>.</summary>
[OptionsValidator]
public sealed partial class NodeBackupOptionsValidator : IValidateOptions<NodeBackupOptions>;
