using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Branching.ClientApp.Shell.Editing;

namespace Branching.ClientApp.Tests.Shell;

/// <summary>A terminal whose keys are given beforehand, and which keeps what its rows show.</summary>
internal sealed partial class FakeConsole(int width = 40, int height = 10) : IShellConsole
{
    private readonly Queue<ConsoleKeyInfo> _keys = [];
    private readonly Queue<(int KeysLeft, Func<Task> Action)> _actions = [];
    private readonly List<StringBuilder> _rows = [new()];
    private readonly StringBuilder _written = new();
    private int _keysGiven;
    private int _row;
    private int _column;

    public int Width => width;

    public int Height => height;

    /// <summary>Keys that were given and not yet asked for.</summary>
    public int KeysLeft => _keys.Count;

    /// <summary>Everything written, control sequences included.</summary>
    public string Written => _written.ToString();

    /// <summary>What the rows show, without blanks at their ends.</summary>
    public IReadOnlyList<string> Rows => [.. _rows.Select(row => row.ToString().TrimEnd())];

    /// <summary>Where the cursor is.</summary>
    public (int Row, int Column) Cursor => (_row, Math.Min(_column, width - 1));

    /// <summary>Types text.</summary>
    public FakeConsole Type(string text)
    {
        foreach (char c in text)
        {
            ConsoleKey key = char.IsAsciiLetter(c)
                ? Enum.Parse<ConsoleKey>(char.ToUpperInvariant(c).ToString())
                : ConsoleKey.None;
            _keys.Enqueue(new ConsoleKeyInfo(c, key, shift: false, alt: false, control: false));
        }

        return this;
    }

    /// <summary>Presses keys that are no signs.</summary>
    public FakeConsole Press(params ConsoleKey[] keys)
    {
        foreach (ConsoleKey key in keys)
        {
            char sign = key switch { ConsoleKey.Enter => '\r', ConsoleKey.Tab => '\t', _ => '\0' };
            _keys.Enqueue(new ConsoleKeyInfo(sign, key, shift: false, alt: false, control: false));
        }

        return this;
    }

    /// <summary>Presses a key together with Ctrl.</summary>
    public FakeConsole Control(ConsoleKey key)
    {
        char sign = key is >= ConsoleKey.A and <= ConsoleKey.Z ? (char)(key - ConsoleKey.A + 1) : '\0';
        _keys.Enqueue(new ConsoleKeyInfo(sign, key, shift: false, alt: false, control: true));
        return this;
    }

    /// <summary>Does something before the next key is given.</summary>
    public FakeConsole Then(Func<Task> action)
    {
        _actions.Enqueue((_keys.Count, action));
        return this;
    }

    public async Task<ConsoleKeyInfo> ReadKeyAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_actions.TryPeek(out (int KeysLeft, Func<Task> Action) next) && _keysGiven == next.KeysLeft)
        {
            _actions.Dequeue();
            await next.Action();
        }

        Assert.True(_keys.Count > 0, $"A key is waited for that no test gives; the terminal shows\n{Show()}");
        _keysGiven++;
        return _keys.Dequeue();
    }

    public void Write(string text)
    {
        _written.Append(text);
        for (int i = 0; i < text.Length;)
        {
            Match sequence = Sequence().Match(text, i);
            if (sequence.Success && sequence.Index == i)
            {
                Obey(sequence);
                i += sequence.Length;
            }
            else
            {
                Put(text[i++]);
            }
        }
    }

    public string Show() => string.Join('\n', Rows);

    private void Obey(Match sequence)
    {
        int by = sequence.Groups["by"].Value is { Length: > 0 } digits
            ? int.Parse(digits, CultureInfo.InvariantCulture)
            : 1;
        switch (sequence.Groups["what"].Value)
        {
            case "A":
                _row = Math.Max(0, _row - by);
                break;
            case "C":
                _column = Math.Min(width - 1, _column + by);
                break;
            case "H":
                (_row, _column) = (0, 0);
                break;
            case "K":
                Cut(_row);
                break;
            default:
                // J without a number: from the cursor on; with 2: everything.
                int from = by == 2 && sequence.Groups["by"].Length > 0 ? 0 : _row;
                for (int row = from; row < _rows.Count; row++)
                {
                    Cut(row, row > _row || from == 0 ? 0 : _column);
                }

                break;
        }
    }

    private void Cut(int row, int? column = null)
    {
        int at = column ?? _column;
        if (_rows[row].Length > at)
        {
            _rows[row].Length = at;
        }
    }

    private void Put(char c)
    {
        switch (c)
        {
            case '\r':
                _column = 0;
                return;
            case '\n':
                NextRow();
                return;
        }

        if (_column >= width)
        {
            NextRow();
            _column = 0;
        }

        StringBuilder row = _rows[_row];
        while (row.Length <= _column)
        {
            row.Append(' ');
        }

        row[_column++] = c;
    }

    private void NextRow()
    {
        if (++_row == _rows.Count)
        {
            _rows.Add(new StringBuilder());
        }
    }

    [GeneratedRegex(@"\x1b\[(?<by>[0-9]*)(?<what>[A-Z])", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Sequence();
}
