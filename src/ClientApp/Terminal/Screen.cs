using System.Globalization;
using Spectre.Console;

namespace Branching.ClientApp.Terminal;

/// <summary>Tables and trees: drawn on a terminal, plain aligned text anywhere else.</summary>
internal sealed class Screen
{
    // Wide enough that no row is ever folded where a program may read it.
    private const int PlainWidth = 4096;

    private readonly CommandHost _host;

    public Screen(CommandHost host)
    {
        _host = host;
        Out = Open(host.Out, host.OutputIsTerminal);
        if (host.OutputIsTerminal && host.TerminalWidth is { } width)
        {
            Out.Profile.Width = width;
        }
    }

    public IAnsiConsole Out { get; }

    /// <summary>A console over a writer; without a terminal it has neither colours nor a width.</summary>
    public static IAnsiConsole Open(TextWriter writer, bool isTerminal)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = isTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!isTerminal)
        {
            console.Profile.Width = PlainWidth;
        }

        return console;
    }

    /// <summary>
    /// Writes a table. A column whose name begins with '&gt;' is aligned to the right. On a terminal that is too narrow
    /// each row stands below its first cell: cells folded in the middle of a name cannot be read.
    /// </summary>
    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        if (!_host.OutputIsTerminal)
        {
            PlainTable(columns, [.. rows]);
            return;
        }

        IReadOnlyList<IReadOnlyList<string>> all = [.. rows];
        if (WidthOf(columns, all) > Out.Profile.Width)
        {
            Records(columns, all);
            return;
        }

        Table table = new Table().RoundedBorder();
        foreach (string column in columns)
        {
            var header = new TableColumn($"[bold]{Markup.Escape(column.TrimStart('>'))}[/]");
            table.AddColumn(column.StartsWith('>') ? header.RightAligned() : header);
        }

        foreach (IReadOnlyList<string> row in all)
        {
            table.AddRow(row.Select(cell => new Text(cell)).ToArray());
        }

        Out.Write(table);
    }

    /// <summary>Writes names with their values below each other.</summary>
    public void Facts(IEnumerable<(string Name, string Value)> facts)
    {
        (string Name, string Value)[] all = [.. facts];
        int width = all.Max(fact => fact.Name.Length);
        foreach ((string name, string value) in all)
        {
            _host.Out.WriteLine($"{name.PadRight(width)}  {value}");
        }
    }

    /// <summary>A number of bytes for people.</summary>
    public static string Bytes(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = bytes;
        int unit = 0;
        while (Math.Abs(value) >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }

    /// <summary>A number for people.</summary>
    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>How many there are of something, for people.</summary>
    public static string Count(long value, string singular, string? plural = null)
        => value == 1 ? $"1 {singular}" : $"{Number(value)} {plural ?? singular + "s"}";

    /// <summary>A time for people, in UTC.</summary>
    public static string Time(DateTimeOffset time)
        => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>A duration for people.</summary>
    public static string Duration(TimeSpan elapsed)
        => elapsed.TotalSeconds < 1
            ? elapsed.TotalMilliseconds.ToString("0.0 ms", CultureInfo.InvariantCulture)
            : elapsed.TotalSeconds.ToString("0.00 s", CultureInfo.InvariantCulture);

    private static int WidthOf(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        // A border before each cell and after the last, and a blank on both sides of each.
        int width = 1;
        for (int i = 0; i < columns.Count; i++)
        {
            width += 3 + rows.Select(row => row[i].Length).Append(columns[i].TrimStart('>').Length).Max();
        }

        return width;
    }

    private void Records(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        string[] names = [.. columns.Select(column => column.TrimStart('>').ToLowerInvariant())];
        int width = names.Skip(1).Max(name => name.Length);
        foreach (IReadOnlyList<string> row in rows)
        {
            Out.Write(new Text(row[0] + Environment.NewLine, new Style(decoration: Decoration.Bold)));
            for (int i = 1; i < names.Length; i++)
            {
                if (row[i].Length > 0)
                {
                    Out.Write(new Text($"  {names[i].PadRight(width)}  {row[i]}{Environment.NewLine}"));
                }
            }
        }
    }

    private void PlainTable(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. columns.Select((column, i) => rows.Select(row => row[i].Length)
            .Append(column.TrimStart('>').Length).Max())];
        foreach (IReadOnlyList<string> row in rows.Prepend([.. columns.Select(column => column.TrimStart('>'))]))
        {
            IEnumerable<string> cells = row.Select((cell, i) =>
                columns[i].StartsWith('>') ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
            _host.Out.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }
}
