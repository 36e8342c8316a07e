using System.Globalization;
using Branching.ClientApp.Terminal;

namespace Branching.ClientApp.Commands;

/// <summary>Durations, sizes and times as they are written on the command line.</summary>
internal static class QuantityText
{
    private static readonly (string Unit, TimeSpan Length)[] _durations =
    [
        ("ms", TimeSpan.FromMilliseconds(1)), ("s", TimeSpan.FromSeconds(1)), ("m", TimeSpan.FromMinutes(1)),
        ("h", TimeSpan.FromHours(1)), ("d", TimeSpan.FromDays(1)), ("w", TimeSpan.FromDays(7)),
    ];

    private static readonly (string Unit, long Bytes)[] _sizes =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40),
        ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
    ];

    /// <summary>A duration such as 90s, 15m, 6h, 1d or 2w.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static TimeSpan Duration(string text, string option)
    {
        foreach ((string unit, TimeSpan length) in _durations)
        {
            if (TryNumber(text, unit, out double number) && number * length.TotalDays <= 3650)
            {
                return length * number;
            }
        }

        throw new UserError(
            ExitCode.Usage, $"{option} '{text}' is not a duration", "write it like 90s, 15m, 6h, 1d or 2w");
    }

    /// <summary>A number of bytes such as 4096, 64MiB or 1.5GB.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static long Size(string text, string option)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
        {
            return bytes;
        }

        foreach ((string unit, long length) in _sizes)
        {
            if (TryNumber(text, unit, out double number) && number * length < long.MaxValue)
            {
                return (long)(number * length);
            }
        }

        throw new UserError(ExitCode.Usage, $"{option} '{text}' is not a size", "write it like 4096, 64MiB or 1.5GB");
    }

    /// <summary>A number of bytes above zero.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static long PositiveSize(string text, string option)
        => Size(text, option) is > 0 and var bytes
            ? bytes
            : throw new UserError(
                ExitCode.Usage, $"{option} must be more than 0", "write it like 4096, 64MiB or 1.5GB");

    /// <summary>A time in ISO 8601; without a zone it is UTC.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static DateTimeOffset Time(string text, string option)
        => DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
            ? time.ToUniversalTime()
            : throw new UserError(
                ExitCode.Usage, $"{option} '{text}' is not a time", "write it like 2026-11-21T15:04:05Z");

    /// <summary>A duration as it is written on the command line.</summary>
    public static string Show(TimeSpan duration)
    {
        foreach ((string unit, TimeSpan length) in _durations.Reverse())
        {
            if (duration >= length && duration.Ticks % length.Ticks == 0)
            {
                return $"{Screen.Number(duration.Ticks / length.Ticks)}{unit}";
            }
        }

        return Screen.Duration(duration);
    }

    private static bool TryNumber(string text, string unit, out double number)
    {
        number = 0;
        return text.EndsWith(unit, StringComparison.Ordinal)
            && double.TryParse(
                text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number)
            && number > 0;
    }
}
