using System.CommandLine;
using Branching.ClientApp.Formats;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>Arguments and options that several commands have in common.</summary>
internal static class CommonSymbols
{
    public const string DatabaseName = "DATABASE";

    public static Argument<string?> Database() => new(DatabaseName)
    {
        Description = "Name of the database.",
        Arity = ArgumentArity.ExactlyOne,
    };

    public static Option<string> Branch() => new("--branch", "-b")
    {
        Description = "The branch; 'main' is the database's main store.",
        HelpName = "BRANCH",
        DefaultValueFactory = _ => BranchKey.Main,
    };

    public static Option<string?> ColumnFamily() => new("--column-family")
    {
        Description = "The column family; the default one when left out.",
        HelpName = "NAME",
    };

    public static Option<bool> Hex() => new("--hex")
    {
        Description = "Keys and values are hexadecimal, given and shown.",
    };

    public static Option<bool> Base64() => new("--base64")
    {
        Description = "Keys and values are base64, given and shown.",
    };

    public static Option<bool> Yes() => new("--yes", "-y")
    {
        Description = "Do not ask.",
    };

    public static Option<string[]> Label(string description) => new("--label", "-l")
    {
        Description = description,
        HelpName = "NAME=VALUE",
    };

    public static Option<RecordFormat?> Format() => new("--format", "-f")
    {
        Description = "tsv, ndjson or csv; from the file's name when left out.",
        HelpName = "tsv|ndjson|csv",
    };

    /// <summary>The format asked for, or the one that a file's name ends in.</summary>
    /// <exception cref="UserError">Neither tells.</exception>
    public static RecordFormat FormatOf(RecordFormat? asked, string? file)
        => asked ?? Path.GetExtension(file)?.ToUpperInvariant() switch
        {
            ".TSV" or ".TAB" => RecordFormat.Tsv,
            ".NDJSON" or ".JSONL" => RecordFormat.Ndjson,
            ".CSV" => RecordFormat.Csv,
            _ => throw new UserError(
                ExitCode.Usage,
                $"the name '{file ?? "-"}' does not tell its format",
                "add --format tsv, ndjson or csv"),
        };

    /// <summary>Words of the form NAME=VALUE as names and values; null when there are none.</summary>
    /// <exception cref="UserError">One has another form, or a name comes twice.</exception>
    public static Dictionary<string, string>? Pairs(string[]? words)
    {
        if (words is null or [])
        {
            return null;
        }

        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string word in words)
        {
            int equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || !result.TryAdd(word[..equals], word[(equals + 1)..]))
            {
                throw new UserError(
                    ExitCode.Usage,
                    equals <= 0 ? $"'{word}' is not NAME=VALUE" : $"'{word[..equals]}' is given twice",
                    "write it like --label owner=ada");
            }
        }

        return result;
    }

    /// <summary>Asks before something is destroyed.</summary>
    /// <exception cref="UserError">There is nobody to ask, or the answer was no.</exception>
    public static void Confirm(Invocation invocation, bool yes, string question, string commandWithYes)
    {
        if (yes)
        {
            return;
        }

        CommandHost host = invocation.Host;
        if (!host.InputIsTerminal || !host.ErrorIsTerminal)
        {
            throw new UserError(
                ExitCode.Refused,
                $"{question} Nobody can be asked without a terminal; nothing was changed",
                commandWithYes,
                "NotConfirmed");
        }

        host.Error.Write($"{question} [y/N] ");
        using var reader = new StreamReader(host.Input, leaveOpen: true);
        string answer = reader.ReadLine() ?? "";
        if (!answer.Trim().StartsWith("y", StringComparison.OrdinalIgnoreCase))
        {
            throw new UserError(ExitCode.Refused, "not confirmed; nothing was changed", commandWithYes, "NotConfirmed");
        }
    }
}
