using System.Text;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>A line of a shell block: what to run, and the exit code the document tells (<c># exit 3</c>).</summary>
internal sealed record ShellLine(string Text, int ExitCode);

/// <summary>
/// As much of a shell as the documents use: <c>branching</c> and <c>./dev run</c> in this process, <c>printf</c>,
/// <c>cat</c>, pipes, <c>&lt;</c> and <c>&gt;</c>, quotes, and comments. The directory of the process is the shell's.
/// </summary>
internal sealed class DocumentShell(
    Func<SessionTarget, CancellationToken, Task<ISession>>? connect = null, Func<string, string?>? variable = null)
{
    private const string ExitMark = "# exit ";

    // No command of a document takes as long; one that hangs is named.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    /// <summary>Cuts the comment off; one of the form <c># exit 3</c> says how the command ends.</summary>
    public static ShellLine Parse(string line)
    {
        int at = line.IndexOf(" #", StringComparison.Ordinal);
        string text = (at < 0 ? line : line[..at]).Trim();
        string comment = at < 0 ? "" : line[(at + 1)..].Trim();
        int exitCode = comment.StartsWith(ExitMark, StringComparison.Ordinal)
            ? int.Parse(comment[ExitMark.Length..], System.Globalization.CultureInfo.InvariantCulture)
            : 0;
        return new ShellLine(text, exitCode);
    }

    /// <summary>Splits at blanks, outside of quotes; operators are words of their own.</summary>
    public static IReadOnlyList<string> Words(string text)
    {
        List<string> words = [];
        var word = new StringBuilder();
        bool inWord = false;
        char quote = '\0';
        foreach (char c in text)
        {
            if (quote != '\0')
            {
                if (c == quote)
                {
                    quote = '\0';
                }
                else
                {
                    word.Append(c);
                }
            }
            else if (c is '\'' or '"')
            {
                quote = c;
                inWord = true;
            }
            else if (c != ' ')
            {
                word.Append(c);
                inWord = true;
            }
            else if (inWord)
            {
                words.Add(word.ToString());
                word.Clear();
                inWord = false;
            }
        }

        if (inWord)
        {
            words.Add(word.ToString());
        }

        return words;
    }

    /// <summary>The words after <c>branching</c> or <c>./dev run</c>; null for another command.</summary>
    public static string[]? BranchingArguments(IReadOnlyList<string> words) => words switch
    {
        ["branching", ..] => [.. words.Skip(1)],
        ["./dev", "run", ..] => [.. words.Skip(2)],
        _ => null,
    };

    /// <summary>Runs a line.</summary>
    /// <returns>The exit code and what a terminal would show.</returns>
    public async Task<(int ExitCode, string Shown)> RunAsync(string line)
    {
        byte[] data = [];
        int exitCode = 0;
        var errors = new StringBuilder();
        foreach (string stage in line.Split(" | "))
        {
            List<string> words = [.. Words(stage)];
            string? from = TakeRedirection(words, "<");
            string? to = TakeRedirection(words, ">");
            data = from is null ? data : await File.ReadAllBytesAsync(from);
            (exitCode, data, string error) = await RunAsync(words, data);
            errors.Append(error);
            if (to is not null)
            {
                await File.WriteAllBytesAsync(to, data);
                data = [];
            }
        }

        return (exitCode, Encoding.UTF8.GetString(data) + errors);
    }

    private async Task<(int ExitCode, byte[] Output, string Error)> RunAsync(IReadOnlyList<string> words, byte[] input)
    {
        if (BranchingArguments(words) is { } arguments)
        {
            Task<CliResult> run = Cli.RunAsync(input, arguments, connect, variable);
            try
            {
                CliResult result = await run.WaitAsync(_patience);
                return (result.ExitCode, result.OutputBytes, result.Error);
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"'{string.Join(' ', words)}' did not end within {_patience}.", e);
            }
        }

        return words switch
        {
            ["printf", string text] => (0, Encoding.UTF8.GetBytes(Unescape(text)), ""),
            ["cat", string file] => (0, await File.ReadAllBytesAsync(file), ""),
            _ => throw new InvalidOperationException(
                $"The documents' shell does not know '{string.Join(' ', words)}'; mark the block as text."),
        };
    }

    private static string? TakeRedirection(List<string> words, string mark)
    {
        int at = words.IndexOf(mark);
        if (at < 0)
        {
            return null;
        }

        string file = words[at + 1];
        words.RemoveRange(at, 2);
        return file;
    }

    private static string Unescape(string text)
        => text.Replace("\\n", "\n", StringComparison.Ordinal)
            .Replace("\\t", "\t", StringComparison.Ordinal)
            .Replace("\\\"", "\"", StringComparison.Ordinal);
}
