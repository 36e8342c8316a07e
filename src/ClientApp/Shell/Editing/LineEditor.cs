using System.Globalization;
using System.Text;

namespace Branching.ClientApp.Shell.Editing;

/// <summary>What completion offers.</summary>
/// <param name="Start">Where the part begins that a candidate takes the place of.</param>
/// <param name="Length">How long that part is.</param>
/// <param name="Candidates">In the order to show them.</param>
internal sealed record Completion(int Start, int Length, IReadOnlyList<string> Candidates)
{
    public static Completion None { get; } = new(0, 0, []);
}

/// <summary>How the editing of a line ended.</summary>
internal enum LineEnd
{
    /// <summary>Enter.</summary>
    Entered,

    /// <summary>Ctrl-C: the line is given up.</summary>
    GivenUp,

    /// <summary>Ctrl-D on an empty line: there are no more.</summary>
    Closed,
}

/// <summary>
/// Reads a line from a terminal: cursor keys, Home and End, words with Ctrl or Alt, cutting and pasting, history with
/// the up and down keys, completion with Tab. The keys are those of Emacs, as in most shells.
/// </summary>
/// <param name="console">The terminal.</param>
/// <param name="history">Former lines.</param>
/// <param name="complete">Completes the text at a position.</param>
internal sealed class LineEditor(
    IShellConsole console,
    ShellHistory history,
    Func<string, int, CancellationToken, Task<Completion>> complete)
{
    /// <summary>Reads one line.</summary>
    public async Task<(LineEnd End, string Line)> ReadAsync(string prompt, CancellationToken cancellationToken)
    {
        var line = new LineBuffer();
        var view = new LineView(console, prompt);
        HistoryWalk walk = history.Walk();
        view.Draw(line);
        while (true)
        {
            ConsoleKeyInfo key = await console.ReadKeyAsync(cancellationToken);
            bool control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
            if (key.Key == ConsoleKey.Enter || key.KeyChar is '\r' or '\n')
            {
                view.Leave(line);
                return (LineEnd.Entered, line.Text);
            }

            if (control && key.Key == ConsoleKey.C)
            {
                console.Write("^C");
                view.Leave(line);
                return (LineEnd.GivenUp, "");
            }

            if (control && key.Key == ConsoleKey.D && line.Text.Length == 0)
            {
                console.Write("\r\n");
                return (LineEnd.Closed, "");
            }

            if (control && key.Key == ConsoleKey.L)
            {
                view.Clear(line);
            }
            else if (key.Key == ConsoleKey.Tab)
            {
                await CompleteAsync(line, view, cancellationToken);
            }
            else if (Edit(line, walk, key))
            {
                view.Draw(line);
            }
        }
    }

    /// <summary>Changes the line as a key says.</summary>
    /// <returns>Whether the line must be drawn again.</returns>
    private static bool Edit(LineBuffer line, HistoryWalk walk, ConsoleKeyInfo key)
    {
        bool control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
        bool byWord = control || key.Modifiers.HasFlag(ConsoleModifiers.Alt);
        Action? change = key.Key switch
        {
            ConsoleKey.LeftArrow => byWord ? line.WordLeft : line.Left,
            ConsoleKey.RightArrow => byWord ? line.WordRight : line.Right,
            ConsoleKey.Home => line.Home,
            ConsoleKey.End => line.End,
            ConsoleKey.Backspace => byWord ? line.CutWord : line.Backspace,
            ConsoleKey.Delete => line.Delete,
            ConsoleKey.UpArrow => () => line.Set(walk.Back(line.Text)),
            ConsoleKey.DownArrow => () => line.Set(walk.Forward(line.Text)),
            ConsoleKey.Escape => () => line.Set(""),
            _ when control => ControlKey(line, walk, key.Key),
            _ when byWord => AltKey(line, key.Key),
            _ => null,
        };
        if (change is not null)
        {
            change();
            return true;
        }

        if (control || byWord || char.IsControl(key.KeyChar))
        {
            return false;
        }

        line.Insert(key.KeyChar.ToString());

        // Half of a sign cannot be drawn; the other half is the next key.
        return !char.IsHighSurrogate(key.KeyChar);
    }

    private static Action? ControlKey(LineBuffer line, HistoryWalk walk, ConsoleKey key) => key switch
    {
        ConsoleKey.A => line.Home,
        ConsoleKey.E => line.End,
        ConsoleKey.B => line.Left,
        ConsoleKey.F => line.Right,
        ConsoleKey.D => line.Delete,
        ConsoleKey.H => line.Backspace,
        ConsoleKey.K => line.CutToEnd,
        ConsoleKey.U => line.CutToStart,
        ConsoleKey.W => line.CutWord,
        ConsoleKey.Y => line.Paste,
        ConsoleKey.P => () => line.Set(walk.Back(line.Text)),
        ConsoleKey.N => () => line.Set(walk.Forward(line.Text)),
        _ => null,
    };

    private static Action? AltKey(LineBuffer line, ConsoleKey key) => key switch
    {
        ConsoleKey.B => line.WordLeft,
        ConsoleKey.F => line.WordRight,
        _ => null,
    };

    private async Task CompleteAsync(LineBuffer line, LineView view, CancellationToken cancellationToken)
    {
        Completion found = await complete(line.Text, line.Cursor, cancellationToken);
        if (found.Candidates.Count == 0)
        {
            return;
        }

        string typed = line.Text.Substring(found.Start, found.Length);
        string common = CommonStart(found.Candidates);
        string put = found.Candidates.Count == 1 ? common + " " : common;
        if (put.Length > typed.Length || found.Candidates.Count == 1)
        {
            line.Replace(found.Start, found.Length, put);
            view.Draw(line);
        }
        else
        {
            view.ShowBelow(line, Columns(found.Candidates, console.Width));
        }
    }

    private static string CommonStart(IReadOnlyList<string> candidates)
        => candidates.Aggregate((common, next) => common[..common.AsSpan().CommonPrefixLength(next)]);

    private static string Columns(IReadOnlyList<string> candidates, int width)
    {
        const int most = 100;
        string[] shown = [.. candidates.Take(most)];
        int cell = shown.Max(candidate => candidate.Length) + 2;
        int columns = Math.Max(1, width / cell);
        var text = new StringBuilder();
        foreach (string[] row in shown.Chunk(columns))
        {
            text.AppendLine(string.Concat(row.Select(candidate => candidate.PadRight(cell))).TrimEnd());
        }

        return candidates.Count > most
            ? text.AppendLine(CultureInfo.InvariantCulture, $"… and {candidates.Count - most} more").ToString()
            : text.ToString();
    }
}
