using System.CommandLine;
using Branching.ClientApp.Shell.Editing;
using Branching.Grains;

namespace Branching.ClientApp.Shell;

/// <summary>Names that completion offers.</summary>
internal interface IShellNames
{
    Task<IReadOnlyList<string>> DatabasesAsync(CancellationToken cancellationToken);

    Task<IReadOnlyList<string>> BranchesAsync(string database, CancellationToken cancellationToken);

    Task<IReadOnlyList<string>> ColumnFamiliesAsync(CancellationToken cancellationToken);
}

/// <summary>Completes commands, options, and the names of databases, branches and column families.</summary>
internal sealed class ShellCompleter(ShellState state, RootCommand root, IShellNames names)
{
    // A Tab that takes longer than this is worse than one that offers nothing.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    private static readonly string[] _branchOptions = ["--branch", "-b"];

    private static readonly string[] _familyOptions = ["--column-family"];

    // After these the next word is a branch of the database in use.
    private static readonly string[] _branchCommands = ["branch show", "branch delete"];

    private static readonly string[] _familyCommands = ["column drop", "column clear"];

    private readonly ShellResolver _resolver = new(root, state);

    /// <summary>Completes the word that ends at a position of a line.</summary>
    public async Task<Completion> CompleteAsync(string line, int cursor, CancellationToken cancellationToken)
    {
        ShellText text = ShellWords.Parse(line[..cursor]);
        IReadOnlyList<ShellWord> words = text.Commands.Count > 0 && !EndsBefore(text, line[..cursor])
            ? text.Commands[^1]
            : [];
        ShellWord? open = text.LastIsOpen && words.Count > 0 ? words[^1] : null;
        string[] before = [.. (open is null ? words : words.SkipLast(1)).Select(word => word.Text)];
        string typed = open?.Text ?? "";
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_patience);
        IEnumerable<string> candidates;
        try
        {
            candidates = await CandidatesAsync(before, typed, deadline.Token);
        }
        catch (Exception failure) when (failure is BranchingException or TimeoutException
            || (failure is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Names that cannot be had now are not offered; the command itself will say why.
            candidates = [];
        }

        string[] fitting = [.. candidates.Where(one => one.StartsWith(typed, StringComparison.Ordinal))
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        int start = open?.Start ?? cursor;
        return new Completion(start, cursor - start, [.. fitting.Select(ShellWords.Quote)]);
    }

    // Whether a command has ended before the end of the text: after "get a;" a new one begins.
    private static bool EndsBefore(ShellText text, string line)
        => !text.LastIsOpen && line.AsSpan(text.Commands[^1][^1].End).Contains(';');

    private async Task<IEnumerable<string>> CandidatesAsync(
        string[] before, string typed, CancellationToken cancellationToken)
    {
        if (before.Length == 0)
        {
            return Commands();
        }

        (Command Command, string Path)? meant = _resolver.Look(before);
        bool isBranch = _branchOptions.Contains(before[^1], StringComparer.Ordinal)
            || (before[^1] == "--from" && meant?.Path == "branch create"); // Elsewhere a key, or a place in a log.
        if (isBranch && state.Database is { } own)
        {
            return await names.BranchesAsync(own, cancellationToken);
        }

        if (_familyOptions.Contains(before[^1], StringComparer.Ordinal) && state.Database is not null)
        {
            return await names.ColumnFamiliesAsync(cancellationToken);
        }

        switch (before)
        {
            case ["use"]:
                return await PlacesAsync(typed, cancellationToken);
            case ["help"]:
                return Commands();
            case ["branch"] when state.Database is { } database:
                return Below("branch").Concat(await names.BranchesAsync(database, cancellationToken));
            case ["drop"]:
                return await names.DatabasesAsync(cancellationToken);
        }

        return meant is var (command, path)
            ? await ArgumentsAsync(command, path, typed, cancellationToken)
            : [];
    }

    private async Task<IEnumerable<string>> ArgumentsAsync(
        Command command, string path, string typed, CancellationToken cancellationToken)
    {
        if (typed.StartsWith('-'))
        {
            return command.Options.Where(option => !option.Hidden).Select(option => option.Name)
                .Append(GlobalOptions.JsonName);
        }

        if (command.Subcommands.Count > 0)
        {
            return Below(path);
        }

        if (_branchCommands.Contains(path, StringComparer.Ordinal) && state.Database is { } database)
        {
            return await names.BranchesAsync(database, cancellationToken);
        }

        return _familyCommands.Contains(path, StringComparer.Ordinal) && state.Database is not null
            ? await names.ColumnFamiliesAsync(cancellationToken)
            : [];
    }

    private IEnumerable<string> Commands()
        => ShellCatalog.Builtins.Select(own => own.Name)
            .Concat(ShellCatalog.Aliases.Where(alias => _resolver.Look(alias.Value) is not null).Select(a => a.Key))
            .Concat(root.Subcommands.Where(command => !command.Hidden && !ShellCatalog.Outside.Contains(command.Name))
                .Select(command => command.Name));

    private IEnumerable<string> Below(string path)
        => _resolver.Look(path.Split(' ')) is var (command, _)
            ? command.Subcommands.Where(child => !child.Hidden).Select(child => child.Name)
            : [];

    private async Task<IEnumerable<string>> PlacesAsync(string typed, CancellationToken cancellationToken)
    {
        int slash = typed.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
        {
            return await names.DatabasesAsync(cancellationToken);
        }

        string database = typed[..slash];
        return (await names.BranchesAsync(database, cancellationToken)).Select(branch => $"{database}/{branch}");
    }
}

/// <summary>The names that the grains know.</summary>
internal sealed class GrainNames(ShellState state) : IShellNames
{
    public async Task<IReadOnlyList<string>> DatabasesAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeDescription> nodes = await state.Session.Grains.GetClusterCoordinator()
            .ListNodesAsync(cancellationToken);
        return [.. nodes.SelectMany(node => node.Databases)];
    }

    public async Task<IReadOnlyList<string>> BranchesAsync(string database, CancellationToken cancellationToken)
        => [.. (await state.Session.Grains.GetDatabase(database).ListBranchesAsync(cancellationToken))
            .Select(branch => branch.Name)];

    public async Task<IReadOnlyList<string>> ColumnFamiliesAsync(CancellationToken cancellationToken)
        => await state.RequireStore().ListColumnFamiliesAsync(cancellationToken);
}
