using System.CommandLine;
using System.Globalization;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>The options that name a place in a change log.</summary>
internal sealed class ChangePlaceOptions
{
    private const string Example = "write first, now, a sequence such as 17, or a position as --json shows it";

    public Option<string?> From { get; } = new("--from")
    {
        Description = "Begin with 'first', 'now', the entry of a sequence, or behind a position. Default: first.",
        HelpName = "PLACE",
    };

    public Option<string?> Since { get; } = new("--since")
    {
        Description = "Begin with the first entry of this time, or of so long ago.",
        HelpName = "TIME|DURATION",
    };

    public Option<string?> Consumer { get; } = new("--consumer")
    {
        Description = "Begin behind what this consumer has acknowledged.",
        HelpName = "NAME",
    };

    public IReadOnlyList<Symbol> All => [From, Since, Consumer];

    /// <summary>The place asked for.</summary>
    /// <exception cref="UserError">More than one is named, or one is malformed.</exception>
    public ChangeFrom Parse(ParseResult parsed, DateTimeOffset now)
    {
        string? from = parsed.GetValue(From);
        string? since = parsed.GetValue(Since);
        string? consumer = parsed.GetValue(Consumer);
        return (from, since, consumer) switch
        {
            (null, null, null) or ("first", null, null) => ChangeFrom.First,
            ("now", null, null) => ChangeFrom.Now,
            ({ } place, null, null) when ulong.TryParse(
                place, NumberStyles.None, CultureInfo.InvariantCulture, out ulong sequence)
                => ChangeFrom.Sequence(sequence),
            ({ } place, null, null) => ChangeFrom.Position(Bytes(place, "--from")),
            (null, { } text, null) => ChangeFrom.Since(TimeOf(text, now)),
            (null, null, { } name) => ChangeFrom.Consumer(name),
            _ => throw new UserError(
                ExitCode.Usage, "--from, --since and --consumer exclude each other", "name one place to begin at"),
        };
    }

    /// <summary>The position that an acknowledgement needs.</summary>
    /// <exception cref="UserError">It is missing, malformed or not needed.</exception>
    public static byte[] PositionOf(string? position, string? acknowledges)
        => (position, acknowledges) switch
        {
            (null, null) => [],
            ({ } text, { }) => Bytes(text, "--position"),
            _ => throw new UserError(
                ExitCode.Usage, "--acknowledge and --position belong together", "give the position of the last change"),
        };

    private static DateTimeOffset TimeOf(string text, DateTimeOffset now)
        => text.Contains(':', StringComparison.Ordinal) || text.Contains('-', StringComparison.Ordinal)
            ? QuantityText.Time(text, "--since")
            : now - QuantityText.Duration(text, "--since");

    private static byte[] Bytes(string text, string option)
    {
        try
        {
            return Convert.FromHexString(text);
        }
        catch (FormatException)
        {
            throw new UserError(ExitCode.Usage, $"{option} '{text}' is no place in a change log", Example);
        }
    }
}
