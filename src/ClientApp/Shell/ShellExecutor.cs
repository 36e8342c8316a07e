using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Shell;

/// <summary>Runs single commands of the shell.</summary>
internal sealed class ShellExecutor(ShellState state, IReadOnlyList<string> history)
{
    // Only looked at: what runs is of a tree with its own command's streams.
    private readonly RootCommand _root = CommandLine.CreateRoot(state.Invocation.Host);

    /// <summary>Runs one command.</summary>
    /// <param name="words">Its words.</param>
    /// <param name="host">Where it reads and writes; its sessions are the shell's.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Its exit code; what went wrong has been told.</returns>
    public async Task<int> RunAsync(
        IReadOnlyList<string> words, CommandHost host, CancellationToken cancellationToken)
    {
        var resolver = new ShellResolver(_root, state);
        using CommandHost inside = host.For(new ShellSession(state), new ShellWording(resolver, words));
        var invocation = new Invocation(inside, state.Invocation.Parsed) { Database = state.Database };
        return await CommandLine.RunAsync(
            invocation, (_, token) => DispatchAsync(words, inside, invocation, token), cancellationToken);
    }

    private async Task<int> DispatchAsync(
        IReadOnlyList<string> typed, CommandHost host, Invocation invocation, CancellationToken cancellationToken)
    {
        string[] words = ShellCatalog.Aliases.TryGetValue(typed[0], out string[]? meant)
            ? [.. meant, .. typed.Skip(1)]
            : [.. typed];
        if (state.Options.ReadOnly && ShellCatalog.Builtins.Any(own => own.Name == words[0] && own.Changes))
        {
            throw ReadOnly(words[0]);
        }

        switch (words)
        {
            case ["use", .. var rest]:
                return await UseAsync(invocation, rest, cancellationToken);
            case ["branch"]:
                return ShowPlace(invocation);
            case ["branch", var name] when !IsSubcommand(name):
                await state.UseAsync(state.RequireDatabase(), name, cancellationToken);
                return ShowPlace(invocation);
            case ["begin"]:
                return Begin(invocation);
            case ["commit"]:
                return await CommitAsync(invocation, cancellationToken);
            case ["rollback"]:
                return RollBack(invocation);
            case ["history"]:
                return ShowHistory(invocation);
            case ["help", .. var rest]:
                return await HelpAsync(rest, host, cancellationToken);
            case ["version"]:
                return ShowVersion(invocation);
            case ["exit"]:
                state.IsLeaving = true;
                return ExitCode.Ok;
            case [var own, ..] when own is not "branch" && ShellCatalog.Builtins.Any(b => b.Name == own):
                throw new UserError(ExitCode.Usage, $"'{own}' takes no arguments", $"help {own}");
            default:
                return await RunCommandAsync(words, host, cancellationToken);
        }
    }

    private bool IsSubcommand(string name)
        => name.StartsWith('-') || _root.Subcommands.Single(command => command.Name == "branch")
            .Subcommands.Any(command => command.Name == name);

    private async Task<int> RunCommandAsync(
        string[] words, CommandHost host, CancellationToken cancellationToken)
    {
        ResolvedCommand resolved = new ShellResolver(_root, state).Resolve(words);
        bool isHelp = resolved.Rest is ["--help"];
        if (!isHelp && state.Options.ReadOnly && !ShellCatalog.OnlyReads(resolved.Path, resolved.Parsed))
        {
            throw ReadOnly(resolved.Path);
        }

        if (!isHelp && state.Transaction is not null && !ShellCatalog.Transactional.Contains(resolved.Path))
        {
            throw new UserError(
                ExitCode.Usage,
                $"{resolved.Path} does not belong to a transaction, and one is open: "
                    + ShellCatalog.WhyOutside(resolved.Path),
                "commit or rollback first; inside of it there are get, exists, scan, count, put and delete");
        }

        if (!isHelp && state.Transaction is not null && AsksForLife(resolved))
        {
            throw new UserError(
                ExitCode.Usage, "how long a key will live is not known inside a transaction",
                "leave --ttl out, or commit or rollback first");
        }

        int exitCode = await CommandLine.RunInsideAsync(resolved.Arguments, host, cancellationToken);
        if (state.Transaction is { IsLost: true })
        {
            state.Transaction = null;
        }

        if (exitCode == ExitCode.Ok && !isHelp)
        {
            state.LeaveIfGone(resolved);
        }

        return exitCode;
    }

    private static bool AsksForLife(ResolvedCommand resolved) => resolved.Path == "get"
        && resolved.Command.Options.Any(
            option => option.Name == "--ttl" && resolved.Parsed.GetResult(option) is { Implicit: false });

    private static UserError ReadOnly(string what) => new(
        ExitCode.Refused,
        $"{what} was refused: it can change something, and this shell is read-only. Nothing was changed",
        "open the shell without --read-only",
        "ReadOnlyShell");

    private async Task<int> UseAsync(
        Invocation invocation, string[] rest, CancellationToken cancellationToken)
    {
        switch (rest)
        {
            case []:
                return ShowPlace(invocation);
            case [var place]:
                (string database, string branch) = PlaceOf(place);
                await state.UseAsync(database, branch, cancellationToken);
                return ShowPlace(invocation);
            default:
                throw new UserError(ExitCode.Usage, "use takes one name", "use DATABASE/BRANCH");
        }
    }

    /// <summary>The database and the branch of <c>DATABASE[/BRANCH]</c>.</summary>
    public static (string Database, string Branch) PlaceOf(string text)
        => BranchKey.TryParse(text, out BranchKey key) && key.Branch.Length > 0
            ? (key.Database, key.Branch)
            : (text.TrimEnd('/'), BranchKey.Main);

    private int ShowPlace(Invocation invocation)
    {
        string database = state.RequireDatabase();
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["database"] = database,
                ["branch"] = state.Branch,
                ["transaction"] = state.Transaction is not null,
            });
        }
        else
        {
            invocation.Note($"on branch {state.Branch} of database {database}");
        }

        return ExitCode.Ok;
    }

    private int Begin(Invocation invocation)
    {
        if (state.Transaction is not null)
        {
            throw new UserError(ExitCode.Usage, "a transaction is open already", "commit or rollback first");
        }

        state.Transaction = new ShellTransaction(
            state.Session.Grains, state.RequireDatabase(), state.Branch, state.RequireStore());
        invocation.Note(
            "began a transaction; get, exists, scan, count, put and delete belong to it until commit or rollback");
        return ExitCode.Ok;
    }

    private async Task<int> CommitAsync(Invocation invocation, CancellationToken cancellationToken)
    {
        ShellTransaction transaction = RequireTransaction();
        state.Transaction = null;
        CommitResponse answer = await transaction.CommitAsync(cancellationToken);
        int writes = transaction.Writes;
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["committed"] = true,
                ["writes"] = writes,
                ["sequence"] = answer.Sequence,
            });
        }
        else
        {
            invocation.Note($"committed {Screen.Count(writes, "write")}");
        }

        return ExitCode.Ok;
    }

    private int RollBack(Invocation invocation)
    {
        ShellTransaction transaction = RequireTransaction();
        state.Transaction = null;
        int writes = transaction.Writes;
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject { ["rolledBack"] = true, ["writes"] = writes });
        }
        else
        {
            invocation.Note($"rolled back {Screen.Count(writes, "write")}");
        }

        return ExitCode.Ok;
    }

    private ShellTransaction RequireTransaction()
        => state.Transaction ?? throw new UserError(ExitCode.Usage, "no transaction is open", "begin");

    private int ShowHistory(Invocation invocation)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonArray([.. history.Select(line => (JsonNode)line)]));
        }
        else
        {
            foreach (string line in history)
            {
                invocation.Host.Out.WriteLine(line);
            }
        }

        return ExitCode.Ok;
    }

    private static int ShowVersion(Invocation invocation)
    {
        string version = CommandLine.Version;
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject { ["version"] = version });
        }
        else
        {
            invocation.Host.Out.WriteLine($"branching {version}");
        }

        return ExitCode.Ok;
    }

    private async Task<int> HelpAsync(string[] rest, CommandHost host, CancellationToken cancellationToken)
    {
        if (rest is [])
        {
            ShellHelp.Write(host.Out, _root);
            return ExitCode.Ok;
        }

        if (rest is [var name] && ShellCatalog.Builtins.FirstOrDefault(own => own.Name == name) is { } builtin)
        {
            host.Out.WriteLine(builtin.Usage);
            host.Out.WriteLine($"  {builtin.Description}");
            if (name != "branch")
            {
                return ExitCode.Ok;
            }
        }

        host.Out.WriteLine("In the shell the database and the branch in use are put in for DATABASE and --branch.");
        host.Out.WriteLine();
        return await RunCommandAsync([.. rest, "--help"], host, cancellationToken);
    }

    /// <summary>The shell's session for one command, which may not close it.</summary>
    private sealed class ShellSession(ShellState state) : ISession
    {
        public IGrainFactory Grains => state.Grains;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>Advice in the words of the shell.</summary>
    private sealed class ShellWording(ShellResolver resolver, IReadOnlyList<string> typed) : ICommandWording
    {
        public string Command(IReadOnlyList<string> words) => resolver.Shorten(words);

        public string Again(IReadOnlyList<string> more)
            => string.Join(' ', Invocation.Extend(typed, more).Select(ShellWords.Quote));

        public string Help(IReadOnlyList<string> path) => string.Join(' ', path.Prepend("help"));

        public string Elsewhere(string option) => $"open another shell with {option} DIR";
    }
}
