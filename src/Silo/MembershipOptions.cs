using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Silo;

/// <summary>How soon the nodes of a cluster agree that one of them is dead.</summary>
/// <remarks>
/// A node that is declared dead by mistake ends itself and has to be started again; no data is at risk, because
/// ownership of databases rests on epochs and leases, not on membership. So these numbers trade the time to recover
/// against needless restarts of nodes that were only slow (docs/operations.md has the measurements).
/// </remarks>
public sealed class MembershipOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Membership";

    /// <summary>How often a node probes others, and how long it waits for an answer. Default: 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Probes in a row that must fail before a node suspects another. Default: 2.</summary>
    [Range(1, 10)]
    public int MissedProbes { get; set; } = 2;

    /// <summary>
    /// Nodes that must suspect a node before it is dead; of two nodes, one suffices. Default: 2, so that a node whose
    /// own network is broken cannot end the others.
    /// </summary>
    [Range(1, 10)]
    public int Votes { get; set; } = 2;

    /// <summary>How often a node notes in the table of members that it lives. Default: 5 s.</summary>
    /// <remarks>
    /// A node that missed three notes no longer keeps others from joining: after a crash of all nodes this is how long
    /// the first of them waits, unless it comes back at its old address.
    /// </remarks>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:05:00")]
    public TimeSpan AlivePeriod { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How often a node reads the table of members anew, besides being told of changes by others. Default: 10 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan RefreshPeriod { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a starting node tries to join before it gives up. Default: 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan JoinTimeout { get; set; } = TimeSpan.FromMinutes(1);
}

/// <summary>Checks each field of <see cref="MembershipOptions"/>.</summary>
[OptionsValidator]
public sealed partial class MembershipOptionsValidator : IValidateOptions<MembershipOptions>;
