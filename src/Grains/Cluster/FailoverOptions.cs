using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>How the cluster opens the databases of a node that died.</summary>
public sealed class FailoverOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Failover";

    /// <summary>
    /// Opens the databases of a dead node at once. Without it the first call for each opens it. Default: yes.
    /// </summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Databases that are opened at the same time. Default: 4.</summary>
    [Range(1, 256)]
    public int AtOnce { get; set; } = 4;

    /// <summary>
    /// How often each node reminds the coordinator and looks after its own databases, besides every change of the
    /// membership. Default: 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:10:00")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// While every node of the cluster is younger than this, nothing fails over and no call restores a database whose
    /// owner has not been seen to die: after a restart of the whole cluster each node gets the time to come back to its
    /// own databases, which may hold more than their snapshots. Default: 10 s; without a cluster, 0.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StartGrace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Wait after a try that failed; doubles with each one. Default: 500 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan FirstRetry { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest such wait. Default: 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan LongestRetry { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Tries of one failover that failed for a lasting reason; then it is held for a person. Tries that failed because
    /// shared storage or a node could not be reached are repeated without limit. Default: 5.
    /// </summary>
    [Range(1, 1000)]
    public int MaxAttempts { get; set; } = 5;

    /// <summary>
    /// Failovers of one database within <see cref="FlapWindow"/>; with one more it is held, since it may be what takes
    /// its nodes down. Default: 5.
    /// </summary>
    [Range(1, 1000)]
    public int MaxFailovers { get; set; } = 5;

    /// <summary>See <see cref="MaxFailovers"/>. Default: 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan FlapWindow { get; set; } = TimeSpan.FromMinutes(10);
}

/// <summary>Checks each field of <see cref="FailoverOptions"/>.</summary>
[OptionsValidator]
public sealed partial class FailoverOptionsValidator : IValidateOptions<FailoverOptions>;

/// <summary>Checks the fields of <see cref="FailoverOptions"/> against each other.</summary>
public sealed class FailoverOptionsRules : IValidateOptions<FailoverOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, FailoverOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.FirstRetry > options.LongestRetry
            ? ValidateOptionsResult.Fail(
                $"FirstRetry ({options.FirstRetry}) is longer than LongestRetry ({options.LongestRetry}).")
            : ValidateOptionsResult.Success;
    }
}
