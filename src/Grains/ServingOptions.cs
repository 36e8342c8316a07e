using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>How a node answers calls.</summary>
public sealed class ServingOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Branching:Serving";

    /// <summary>Keys and values of one answer, in bytes; a page ends before it. Default: 4 MiB.</summary>
    [Range(1 << 10, 64 << 20)]
    public int MaxResponseBytes { get; set; } = 4 << 20;

    /// <summary>A page of a stream ends with the entry that reaches this many bytes. Default: 256 KiB.</summary>
    [Range(1 << 10, 4 << 20)]
    public int StreamPageBytes { get; set; } = 256 << 10;

    /// <summary>
    /// How long another node may take to say whether it holds a database; then it counts as silent. Default: 2 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:00:30")]
    public TimeSpan NodeAnswerTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long a caller of a data call waits for an answer before it gets a <see cref="TimeoutException"/>. Short,
    /// since a call that was under way when a node died is only then given up, but longer than a write may wait for its
    /// turn, so that a withdrawn write is told. Default: 12 s. Calls that may take longer have a time of their own.
    /// </summary>
    /// <remarks>
    /// A time-out says nothing about the outcome: a write may have been applied, may still be applied, or may never
    /// have arrived. Reads can simply be repeated; a write is safe to repeat when it carries preconditions or sets
    /// the same values again, and a branch creation when it carries an operation id.
    /// </remarks>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(12);
}

/// <summary>Checks each field of <see cref="ServingOptions"/>.</summary>
[OptionsValidator]
public sealed partial class ServingOptionsValidator : IValidateOptions<ServingOptions>;

/// <summary>Checks the fields of <see cref="ServingOptions"/> against each other.</summary>
public sealed class ServingOptionsRules : IValidateOptions<ServingOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ServingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.StreamPageBytes > options.MaxResponseBytes)
        {
            return ValidateOptionsResult.Fail(
                $"StreamPageBytes ({options.StreamPageBytes}) is greater than MaxResponseBytes " +
                $"({options.MaxResponseBytes}): a page of a stream is one answer.");
        }

        return options.NodeAnswerTimeout >= options.ResponseTimeout
            ? ValidateOptionsResult.Fail(
                $"NodeAnswerTimeout ({options.NodeAnswerTimeout}) is not shorter than ResponseTimeout " +
                $"({options.ResponseTimeout}): callers would give up before a silent node is passed over.")
            : ValidateOptionsResult.Success;
    }
}
