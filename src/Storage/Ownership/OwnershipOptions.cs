using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Storage.Ownership;

/// <summary>How a node owns databases on shared storage.</summary>
public sealed class OwnershipOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Ownership";

    /// <summary>
    /// How long an owner may answer after its lease was last renewed, the margin deducted; and how long a taker
    /// watches before it takes over. Default: 2 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan LeaseLength { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Deducted by the owner and added by the taker, so that clocks may run unequally fast. Default: 200 ms.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan LeaseMargin { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How often a taker looks at the lease while it watches. Default: 100 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan WatchInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// How long an owner holds its answers back when it could not renew its lease in time: they are given once it is
    /// renewed, or fail with <see cref="FailureKind.LeaseExpired"/>. Zero: they fail at once. Default: 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan HoldAnswersFor { get; set; } = TimeSpan.FromSeconds(5);
}

/// <summary>Checks each field of <see cref="OwnershipOptions"/>.</summary>
[OptionsValidator]
public sealed partial class OwnershipOptionsValidator : IValidateOptions<OwnershipOptions>;

/// <summary>Checks the fields of <see cref="OwnershipOptions"/> against each other.</summary>
public sealed class OwnershipOptionsRules : IValidateOptions<OwnershipOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, OwnershipOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        List<string> failures = [];
        if (options.LeaseMargin * 4 > options.LeaseLength)
        {
            failures.Add($"LeaseMargin ({options.LeaseMargin}) is more than a quarter of LeaseLength " +
                $"({options.LeaseLength}): too little would be left to renew in.");
        }

        if (options.WatchInterval > options.LeaseLength)
        {
            failures.Add($"WatchInterval ({options.WatchInterval}) is longer than LeaseLength " +
                $"({options.LeaseLength}): a taker would hardly look.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
