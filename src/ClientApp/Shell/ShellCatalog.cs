using System.CommandLine;

namespace Branching.ClientApp.Shell;

/// <summary>A command that only the shell has.</summary>
/// <param name="Name">Its first word.</param>
/// <param name="Usage">Name and arguments.</param>
/// <param name="Description">What it does, in one line.</param>
/// <param name="Changes">Whether it can change data.</param>
internal sealed record ShellBuiltin(string Name, string Usage, string Description, bool Changes = false);

/// <summary>What the shell knows of commands: its own, shorter names for others, and which of them only read.</summary>
internal static class ShellCatalog
{
    /// <summary>Commands that only the shell has.</summary>
    public static IReadOnlyList<ShellBuiltin> Builtins { get; } =
    [
        new("use", "use [DATABASE[/BRANCH]]", "Go to a database and branch; without one, say where you are."),
        new("branch", "branch [NAME]", "Go to another branch of this database; without one, say where you are."),
        new(
            "begin", "begin",
            "Begin a transaction: get, exists, scan, count, put and delete belong to it until it ends.",
            Changes: true),
        new("commit", "commit", "Apply the transaction's writes all together, unless what it read has changed.",
            Changes: true),
        new("rollback", "rollback", "Forget the transaction's writes."),
        new("history", "history", "Show former lines."),
        new("help", "help [COMMAND]", "Show the commands, or one of them."),
        new("version", "version", "Show the version of the program."),
        new("exit", "exit", "Leave; Ctrl-D does too. A transaction that is open is rolled back."),
    ];

    /// <summary>Other names of commands.</summary>
    public static IReadOnlyDictionary<string, string[]> Aliases { get; } =
        new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["query"] = ["scan"],
            ["remove"] = ["delete"],
            ["branches"] = ["branch", "list"],
            ["tree"] = ["branch", "tree"],
            ["snapshots"] = ["snapshot", "list"],
            ["backups"] = ["backup", "list"],
            ["columns"] = ["column", "list"],
            ["prop"] = ["property"],
            ["log"] = ["changes"],
            ["purge-logs"] = ["changes", "purge"],
            ["quit"] = ["exit"],
            ["?"] = ["help"],
        };

    /// <summary>Commands that make no sense inside the shell.</summary>
    public static IReadOnlySet<string> Outside { get; } =
        new HashSet<string>(["shell", "serve", "demo", "demo-writer"], StringComparer.Ordinal);

    /// <summary>Commands that name their database themselves: what makes or destroys one, or means the
    /// cluster.</summary>
    public static IReadOnlySet<string> NamesItsDatabase { get; } =
        new HashSet<string>(["create", "drop", "databases", "cluster", "quarantine"], StringComparer.Ordinal);

    /// <summary>Commands that belong to a transaction while one is open.</summary>
    public static IReadOnlySet<string> Transactional { get; } =
        new HashSet<string>(["get", "exists", "scan", "count", "put", "delete"], StringComparer.Ordinal);

    /// <summary>Why a command does not belong to a transaction.</summary>
    public static string WhyOutside(string path) => _reading.Contains(path)
        ? "its commit could not check what that shows"
        : "what that does happens at once, and no rollback would take it back";

    // Whatever is not named here counts as changing something: a new command is refused by a read-only shell until
    // somebody has thought about it.
    private static readonly HashSet<string> _reading = new(
    [
        "get", "exists", "scan", "count", "size", "stats", "health", "property", "databases", "export",
        "branch list", "branch tree", "branch show", "column list",
        "snapshot list", "snapshot show", "snapshot verify", "schedule show",
        "cluster nodes", "cluster databases", "cluster failovers", "quarantine list",
        "backup list", "backup verify", "backup show", "backup export",
        "changes", "changes list", "changes show", "changes follow", "changes validate", "changes stats",
        "open",
    ], StringComparer.Ordinal);

    // Options that keep a command from changing anything.
    private static readonly string[] _trials = ["--dry-run", "--verify-only"];

    // Commands that change something only when one of these options is given.
    private static readonly Dictionary<string, string[]> _changingWith = new(StringComparer.Ordinal)
    {
        ["changes consumers"] = ["--create", "--acknowledge", "--remove"],
    };

    /// <summary>Whether a command changes nothing but the file that it is told to write to.</summary>
    public static bool OnlyReads(string path, ParseResult parsed)
    {
        if (_reading.Contains(path))
        {
            return true;
        }

        // What the words mean is not known when they cannot be read.
        IList<Option> options = parsed.CommandResult.Command.Options;
        return parsed.Errors.Count == 0
            && (options.OfType<Option<bool>>().Any(
                    option => _trials.Contains(option.Name, StringComparer.Ordinal) && parsed.GetValue(option))
                || (_changingWith.TryGetValue(path, out string[]? changing) && !options.Any(
                    option => changing.Contains(option.Name, StringComparer.Ordinal)
                        && parsed.GetResult(option) is { Implicit: false })));
    }
}
