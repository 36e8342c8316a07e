using System.Globalization;

namespace Branching.Bench;

/// <summary>Numbers measured for the same question, and what is said about them.</summary>
internal sealed class Samples
{
    private readonly List<double> _values = [];
    private double[]? _sorted;

    public Samples(params IEnumerable<double> values) => _values.AddRange(values);

    public int Count => _values.Count;

    public double Median => Percentile(50);

    public double Least => Sorted()[0];

    public double Most => Sorted()[^1];

    public IReadOnlyList<double> InOrder => _values;

    public void Add(double value)
    {
        _values.Add(value);
        _sorted = null;
    }

    public void AddRange(Samples others)
    {
        _values.AddRange(others._values);
        _sorted = null;
    }

    /// <summary>By nearest rank; the median of an even count is the mean of the two in the middle.</summary>
    public double Percentile(double percent)
    {
        double[] sorted = Sorted();
        if (sorted.Length == 0)
        {
            return double.NaN;
        }

        if (percent == 50 && sorted.Length % 2 == 0)
        {
            return (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
        }

        int rank = (int)Math.Ceiling(percent / 100 * sorted.Length);
        return sorted[Math.Clamp(rank - 1, 0, sorted.Length - 1)];
    }

    public Samples DividedBy(Samples other)
        => new(_values.Zip(other._values, (mine, theirs) => mine / theirs));

    public string Rate()
        => string.Create(CultureInfo.InvariantCulture, $"{Median:N0}/s (spread {Least:N0} to {Most:N0})");

    public string Ratio()
        => string.Create(CultureInfo.InvariantCulture, $"{Median:F2} (spread {Least:F2} to {Most:F2})");

    private double[] Sorted() => _sorted ??= [.. _values.Order()];
}
