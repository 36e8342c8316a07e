using System.Globalization;

namespace Branching.Bench;

/// <summary>Latencies in rounds, each with a part in which something else was done and a part without it.</summary>
/// <remarks>
/// A disk stalls now and then for as long as hundreds of puts take, whatever is done. Such a stall decides the high
/// percentiles of all puts together; of the rounds it decides one, so their median says what the something else costs.
/// </remarks>
internal sealed class BesideRounds
{
    private readonly List<(Samples Without, Samples With)> _rounds = [];

    /// <summary>Every put of the parts without.</summary>
    public Samples Without { get; } = new();

    /// <summary>Every put of the parts with it.</summary>
    public Samples With { get; } = new();

    public void Add(Samples without, Samples with)
    {
        _rounds.Add((without, with));
        Without.AddRange(without);
        With.AddRange(with);
    }

    /// <summary>With / without at a percentile: of the rounds, and of all puts together.</summary>
    public string Ratio(double percent)
    {
        Samples with = new(_rounds.Select(round => round.With.Percentile(percent)));
        Samples without = new(_rounds.Select(round => round.Without.Percentile(percent)));
        double ofAll = With.Percentile(percent) / Without.Percentile(percent);
        return string.Create(CultureInfo.InvariantCulture,
            $"{with.DividedBy(without).Ratio()} in the median of {with.Count} rounds, {ofAll:F2} of all puts together");
    }
}
