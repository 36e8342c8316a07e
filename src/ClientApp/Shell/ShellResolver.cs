using System.CommandLine;
using Branching.ClientApp.Commands;

namespace Branching.ClientApp.Shell;

/// <summary>A line of the shell as the command line would have it.</summary>
/// <param name="Command">What runs.</param>
/// <param name="Path">Its name with those of the groups it is in.</param>
/// <param name="Rest">What was typed after that.</param>
/// <param name="Arguments">The words for the command line: with the database and branch in use.</param>
/// <param name="Parsed">What the command line makes of them; not to be invoked.</param>
internal sealed record ResolvedCommand(
    Command Command, string Path, IReadOnlyList<string> Rest, IReadOnlyList<string> Arguments, ParseResult Parsed)
{
    /// <summary>The word given for an argument; null: none.</summary>
    public string? ValueOf(string argument)
        => Command.Arguments.FirstOrDefault(one => one.Name == argument) is { } found
            && Parsed.GetResult(found)?.Tokens is [var word] ? word.Value : null;
}

/// <summary>
/// Turns words of the shell into those of the command line: every command is the one of the same name there, with the
/// database and the branch in use put in. So a command that is new to the command line is one of the shell, too.
/// </summary>
internal sealed class ShellResolver(RootCommand root, ShellState state)
{
    private static readonly string[] _help = ["--help", "-h", "-?"];

    /// <summary>Resolves one command.</summary>
    /// <exception cref="UserError">There is none of that name, or it cannot run here.</exception>
    public ResolvedCommand Resolve(IReadOnlyList<string> typed)
    {
        (Command command, string[] path, string[] rest) = Find(WithoutAlias(typed));
        if (path.Length == 0)
        {
            throw Unknown(typed[0]);
        }

        if (ShellCatalog.Outside.Contains(path[0]))
        {
            throw new UserError(
                ExitCode.Usage, $"'{path[0]}' does not run inside the shell", $"leave it, then: branching {path[0]}");
        }

        string[] options = [.. rest.TakeWhile(word => word != "--")];
        ParseResult given = CommandLine.Parse(root, [.. path, .. rest]);
        if (GlobalOptions.Of(given).Place.FirstOrDefault(option => IsGiven(option, given)) is { } target)
        {
            throw new UserError(
                ExitCode.Usage,
                $"{target.Name} cannot change inside the shell: it works where it was opened",
                "open another shell with it");
        }

        string name = string.Join(' ', path);
        if (options.Any(word => _help.Contains(word, StringComparer.Ordinal))
            || (command.Subcommands.Count > 0 && command.Action is null))
        {
            return Resolved(["--help"], [.. path, "--help"]);
        }

        return Resolved(rest, [.. path, .. Added(command, path[0], given), .. rest]);

        ResolvedCommand Resolved(string[] more, string[] arguments)
            => new(command, name, more, arguments, CommandLine.Parse(root, arguments));
    }

    /// <summary>The command that a line means, without putting anything in; null when none.</summary>
    public (Command Command, string Path)? Look(IReadOnlyList<string> typed)
    {
        (Command command, string[] path, _) = Find(WithoutAlias(typed));
        return path.Length == 0 || ShellCatalog.Outside.Contains(path[0]) ? null : (command, string.Join(' ', path));
    }

    /// <summary>A command line of the program in the words of the shell: without what is put in here.</summary>
    public string Shorten(IReadOnlyList<string> words)
    {
        (Command command, string[] path, string[] rest) = Find(words);
        List<string> kept = [.. rest];
        if (TakesDatabase(command, path.FirstOrDefault() ?? "") && kept.Count > 0 && kept[0] == state.Database)
        {
            kept.RemoveAt(0);
        }

        int branch = kept.IndexOf("--branch");
        if (branch >= 0 && branch + 1 < kept.Count && kept[branch + 1] == state.Branch)
        {
            kept.RemoveRange(branch, 2);
        }

        return string.Join(' ', path.Concat(kept).Select(ShellWords.Quote));
    }

    private static IReadOnlyList<string> WithoutAlias(IReadOnlyList<string> typed)
        => typed.Count > 0 && ShellCatalog.Aliases.TryGetValue(typed[0], out string[]? meant)
            ? [.. meant, .. typed.Skip(1)]
            : typed;

    private (Command Command, string[] Path, string[] More) Find(IReadOnlyList<string> words)
    {
        Command at = root;
        int depth = 0;
        while (depth < words.Count
            && at.Subcommands.FirstOrDefault(child => !child.Hidden && child.Name == words[depth]) is { } next)
        {
            at = next;
            depth++;
        }

        return (at, [.. words.Take(depth)], [.. words.Skip(depth)]);
    }

    private static bool TakesDatabase(Command command, string first)
        => command.Arguments.Count > 0 && command.Arguments[0].Name == CommonSymbols.DatabaseName
            && !ShellCatalog.NamesItsDatabase.Contains(first);

    /// <summary>What goes between a command and what was typed after it.</summary>
    private List<string> Added(Command command, string first, ParseResult given)
    {
        List<string> added = [.. state.Options.Globals];
        if (TakesDatabase(command, first))
        {
            added.Add(state.RequireDatabase());
        }

        // Only where one branch is meant: where several may be named, none is a choice of its own.
        if (command.Options.OfType<Option<string>>().FirstOrDefault(option => option.Name == "--branch") is { } branch
            && !IsGiven(branch, given))
        {
            added.AddRange(["--branch", state.Branch]);
        }

        if (command is { Name: "create", Parents: var parents } && parents.Any(parent => parent.Name == "branch")
            && command.Options.FirstOrDefault(option => option.Name == "--from") is { } from
            && !IsGiven(from, given))
        {
            added.AddRange(["--from", state.Branch]);
        }

        if (state.Options.Yes && command.Options.FirstOrDefault(option => option.Name == "--yes") is { } yes
            && !IsGiven(yes, given))
        {
            added.Add("--yes");
        }

        return added;
    }

    // The parser's answer: it knows every way to write an option, -btopic too.
    private static bool IsGiven(Option option, ParseResult given)
        => given.GetResult(option) is { Implicit: false };

    private UserError Unknown(string word)
    {
        string? near = ShellCatalog.Builtins.Select(builtin => builtin.Name)
            .Concat(ShellCatalog.Aliases.Keys)
            .Concat(root.Subcommands.Where(command => !command.Hidden).Select(command => command.Name))
            .FirstOrDefault(name => name.StartsWith(word, StringComparison.Ordinal)
                || word.StartsWith(name, StringComparison.Ordinal));
        return new UserError(
            ExitCode.Usage,
            $"there is no command '{word}'",
            near is null ? "help shows the commands" : $"did you mean {near}? help shows all");
    }
}
