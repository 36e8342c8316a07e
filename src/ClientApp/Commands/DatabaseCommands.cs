using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>create</c>, <c>drop</c> and <c>databases</c>.</summary>
internal static class DatabaseCommands
{
    public static IEnumerable<Command> Create(CommandHost host) => [CreateOne(host), Drop(host), List(host)];

    /// <summary>Who creates something, for the record.</summary>
    public static string Creator => $"{Environment.UserName}@{Environment.MachineName}";

    private static ExampledCommand CreateOne(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        return new ExampledCommand(
            host,
            "create",
            "Create an empty database.",
            ["branching create shop", "branching create shop --data /srv/branching"],
            [database],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken, creates: true);
                DatabaseDescription created = await session.Grains.GetDatabase(invocation.Database!)
                    .CreateAsync(new CreateDatabaseRequest(Creator), cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(Descriptions.ToJson(created));
                }
                else
                {
                    await host.Out.WriteLineAsync($"created database {created.Name}");
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Drop(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "drop",
            "Remove a database with all its branches, for good. Asks first.",
            ["branching drop shop", "branching drop shop --yes"],
            [database, yes],
            async (invocation, cancellationToken) =>
            {
                string name = invocation.Database!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IDatabaseGrain grain = session.Grains.GetDatabase(name);
                bool isConfirmed = invocation.Parsed.GetValue(yes);

                // Only the question needs to know what goes with it, for which it is brought up.
                string holdings = isConfirmed ? "" : await HoldingsAsync(grain, cancellationToken);
                CommonSymbols.Confirm(
                    invocation,
                    isConfirmed,
                    $"Drop database {name}{holdings}, for good?",
                    invocation.Command("drop", name, "--yes"));
                await grain.DropAsync(cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonObject { ["dropped"] = name });
                }
                else
                {
                    await host.Out.WriteLineAsync($"dropped database {name}");
                }

                return ExitCode.Ok;
            });
    }

    /// <summary>What goes with a database, for the question; one that nobody can serve can be dropped, too.</summary>
    private static async Task<string> HoldingsAsync(IDatabaseGrain grain, CancellationToken cancellationToken)
    {
        try
        {
            DatabaseDescription description = await grain.DescribeAsync(cancellationToken);
            return $" with its {description.Branches} stores";
        }
        catch (BranchingException failure) when (failure.Kind is FailureKind.NothingToRestore
            or FailureKind.SnapshotDamaged or FailureKind.SnapshotIncompatible or FailureKind.Corruption
            or FailureKind.UnknownStore or FailureKind.MissingStore)
        {
            return $", which cannot be served ({failure.Message.TrimEnd('.')})";
        }
    }

    private static ExampledCommand List(CommandHost host) => new(
        host,
        "databases",
        "List the databases.",
        ["branching databases", "branching databases --json"],
        [],
        async (invocation, cancellationToken) =>
        {
            IReadOnlyList<DatabaseDescription> databases = [];
            SessionTarget target = invocation.Target;
            if (target.MayHoldDatabases)
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken, looks: true);
                databases = await session.Grains.GetClusterCoordinator().ListDatabasesAsync(cancellationToken);
                databases = await WithHeldOnesAsync(session, databases, target.Cluster is null, cancellationToken);
            }

            if (invocation.Json)
            {
                invocation.WriteJson(new JsonArray([.. databases.Select(Descriptions.ToJson)]));
            }
            else if (databases.Count == 0)
            {
                invocation.Note($"no databases yet; {invocation.Command("create", "NAME")} creates one");
            }
            else
            {
                invocation.Screen.Table(
                    [
                        "NAME", "STATE", ">BRANCHES", ">SEQUENCE", "CREATED", "BY", "NODE", "LAST SNAPSHOT", ">LAG",
                        "PROBLEM",
                    ],
                    databases.Select(d => (IReadOnlyList<string>)
                    [
                        d.Name, SnapshotText.State(d.State), Descriptions.Number(d.Branches),
                        Descriptions.Number((long?)d.Sequence),
                        d.CreatedAt == default ? "-" : Screen.Time(d.CreatedAt), d.CreatedBy, d.Node,
                        SnapshotText.TimeOrDash(d.LastSnapshotAt),
                        SnapshotText.Lag(d.Lag), d.Problem ?? "",
                    ]));
                SnapshotText.NoteWithoutSharedStorage(
                    invocation, databases.All(d => d.Lag is not null || d.State != DatabaseState.Serving));
            }

            return ExitCode.Ok;
        });

    /// <summary>
    /// Adds databases that a node holds and cannot serve, with the reason. A node of this process has just started and
    /// owns nothing yet: what its own disk holds is brought up, so that its figures are known; what is on shared
    /// storage alone is left at rest.
    /// </summary>
    private static async Task<IReadOnlyList<DatabaseDescription>> WithHeldOnesAsync(
        ISession session,
        IReadOnlyList<DatabaseDescription> databases,
        bool bringUp,
        CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeDescription> nodes = await session.Grains.GetClusterCoordinator()
            .ListNodesAsync(cancellationToken);
        var all = databases.ToDictionary(database => database.Name, StringComparer.Ordinal);
        foreach (NodeDescription node in nodes)
        {
            foreach (string name in node.Databases)
            {
                bool isListed = all.TryGetValue(name, out DatabaseDescription? known);
                if (!isListed || (bringUp && known!.State == DatabaseState.AtRest))
                {
                    known ??= new DatabaseDescription(name, "", 0, default, "", node.Name, null, null);
                    all[name] = await DescribeAsync(session, known, cancellationToken);
                }
            }
        }

        return [.. all.Values.OrderBy(database => database.Name, StringComparer.Ordinal)];
    }

    private static async Task<DatabaseDescription> DescribeAsync(
        ISession session, DatabaseDescription known, CancellationToken cancellationToken)
    {
        try
        {
            return await session.Grains.GetDatabase(known.Name).DescribeAsync(cancellationToken);
        }
        catch (BranchingException failure)
        {
            // One database that cannot be brought up does not hide the others.
            return known with { State = DatabaseState.Failed, Problem = failure.Message };
        }
    }
}
