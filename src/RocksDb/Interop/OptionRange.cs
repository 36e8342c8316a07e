using System.Runtime.CompilerServices;

namespace Branching.RocksDb.Interop;

/// <summary>Refuses an option out of its documented range, by its name.</summary>
internal static class OptionRange
{
    /// <exception cref="ArgumentOutOfRangeException">Less than <paramref name="minimum"/>.</exception>
    public static void AtLeast(
        double minimum, double value, [CallerArgumentExpression(nameof(value))] string? option = null)
    {
        if (!(value >= minimum))
        {
            throw new ArgumentOutOfRangeException(nameof(value), value, $"{option} must be {minimum:F0} or more.");
        }
    }
}
