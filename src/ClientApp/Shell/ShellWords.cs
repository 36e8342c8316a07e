using System.Globalization;
using System.Text;
using Branching.ClientApp.Formats;

namespace Branching.ClientApp.Shell;

/// <summary>A word of a line.</summary>
/// <param name="Text">What it stands for; bytes that are no text as <see cref="RawText"/> has them.</param>
/// <param name="Start">Where it begins in the line.</param>
/// <param name="End">The position after it.</param>
internal readonly record struct ShellWord(string Text, int Start, int End);

/// <summary>What is wrong with a line.</summary>
/// <param name="Message">For people.</param>
/// <param name="Column">Where, from 1.</param>
internal sealed record ShellProblem(string Message, int Column);

/// <summary>A line split into commands and words.</summary>
/// <param name="Commands">The words of each command that has any.</param>
/// <param name="Problem">What is wrong; the commands are those read so far. Null: nothing.</param>
/// <param name="LastIsOpen">Whether the line ends inside its last word, or just after it: what completion
/// extends.</param>
internal sealed record ShellText(
    IReadOnlyList<IReadOnlyList<ShellWord>> Commands, ShellProblem? Problem, bool LastIsOpen);

/// <summary>
/// Splits lines of the shell: blanks separate words, <c>;</c> separates commands, <c>#</c> at the beginning of a word
/// begins a comment. Between <c>'</c> everything stands for itself. Elsewhere a backslash begins an escape: those of
/// tab-separated files (<c>\t \n \r \\ \0 \xHH</c>), so that what <c>scan</c> shows can be typed again, and before
/// any sign that is neither a letter nor a digit, that sign.
/// </summary>
internal static class ShellWords
{
    /// <summary>Splits a text, which may have several lines.</summary>
    public static ShellText Parse(string text) => new Reader(text).Read();

    /// <summary>Whether a text ends inside quotes, so that more lines belong to it.</summary>
    public static bool IsUnfinished(string text)
        => Parse(text).Problem is { } problem && problem.Message.StartsWith("a quote", StringComparison.Ordinal);

    /// <summary>Writes a word so that it is read back as it is.</summary>
    public static string Quote(string word)
    {
        if (word.Length > 0 && word.All(IsPlain))
        {
            return word;
        }

        var quoted = new StringBuilder("\"");
        foreach (char c in word)
        {
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\t' => quoted.Append("\\t"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\0' => quoted.Append("\\0"),
                >= '\uDC80' and <= '\uDCFF' when !HasPairs(word) => quoted.Append(
                    CultureInfo.InvariantCulture, $"\\x{c - 0xDC00:x2}"),
                _ when char.IsControl(c) && c < 0x80 => quoted.Append(
                    CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }

    private static bool HasPairs(string word) => word.Any(char.IsHighSurrogate);

    private static bool IsPlain(char c)
        => char.IsAsciiLetterOrDigit(c) || "-_./:=,@+".Contains(c, StringComparison.Ordinal);

    private sealed class Reader(string text)
    {
        private readonly List<IReadOnlyList<ShellWord>> _commands = [];
        private readonly StringBuilder _word = new();
        private List<ShellWord> _words = [];
        private int _start = -1;
        private char _quote;
        private int _quotedAt;
        private ShellProblem? _problem;

        public ShellText Read()
        {
            for (int i = 0; i < text.Length && _problem is null;)
            {
                i = _quote == '\0' ? Plain(i) : Quoted(i);
            }

            bool open = _start >= 0;
            if (_quote != '\0')
            {
                _problem ??= new ShellProblem("a quote is not closed", _quotedAt + 1);
            }

            EndCommand(text.Length);
            return new ShellText(_commands, _problem, open);
        }

        private int Plain(int i)
        {
            char c = text[i];
            switch (c)
            {
                case '\'' or '"':
                    Begin(i);
                    _quote = c;
                    _quotedAt = i;
                    return i + 1;
                case '\\':
                    Begin(i);
                    return Escape(i);
                case ';' or '\n':
                    EndCommand(i);
                    return i + 1;
                case '#' when _start < 0:
                    int end = text.IndexOf('\n', i);
                    return end < 0 ? text.Length : end;
                case var blank when char.IsWhiteSpace(blank):
                    EndWord(i);
                    return i + 1;
                default:
                    Begin(i);
                    _word.Append(c);
                    return i + 1;
            }
        }

        private int Quoted(int i)
        {
            char c = text[i];
            if (c == _quote)
            {
                _quote = '\0';
                return i + 1;
            }

            if (c == '\\' && _quote == '"')
            {
                return Escape(i);
            }

            _word.Append(c);
            return i + 1;
        }

        private int Escape(int i)
        {
            char escaped = i + 1 < text.Length ? text[i + 1] : '\0';
            switch (escaped)
            {
                case 't':
                    _word.Append('\t');
                    return i + 2;
                case 'n':
                    _word.Append('\n');
                    return i + 2;
                case 'r':
                    _word.Append('\r');
                    return i + 2;
                case '0':
                    _word.Append('\0');
                    return i + 2;
                case 'x' when TryHex(i + 2, out byte value):
                    RawText.Append(_word, value);
                    return i + 4;
                case var letter when letter == '\0' || char.IsLetterOrDigit(letter):
                    _problem = new ShellProblem(
                        i + 1 < text.Length ? $"'\\{letter}' is no escape" : "nothing follows the backslash", i + 1);
                    return text.Length;
                default:
                    _word.Append(escaped);
                    return i + 2;
            }
        }

        private bool TryHex(int i, out byte value)
        {
            value = 0;
            return i + 2 <= text.Length && byte.TryParse(
                text.AsSpan(i, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        }

        private void Begin(int i)
        {
            if (_start < 0)
            {
                _start = i;
            }
        }

        private void EndWord(int end)
        {
            if (_start >= 0)
            {
                _words.Add(new ShellWord(_word.ToString(), _start, end));
                _word.Clear();
                _start = -1;
            }
        }

        private void EndCommand(int end)
        {
            EndWord(end);
            if (_words.Count > 0)
            {
                _commands.Add(_words);
                _words = [];
            }
        }
    }
}
