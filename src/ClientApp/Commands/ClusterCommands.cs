using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>cluster nodes</c>, <c>databases</c>, <c>failovers</c>, <c>move</c> and <c>drain</c>.</summary>
internal static class ClusterCommands
{
    public static Command Create(CommandHost host) => new ExampledCommand(
        "cluster",
        "Nodes, who owns what, failovers, and moving databases.",
        [
            "branching cluster nodes --cluster 127.0.0.1:30000",
            "branching cluster failovers --cluster 127.0.0.1:30000",
            "branching cluster move shop node-b --cluster 127.0.0.1:30000",
        ],
        [Nodes(host), Databases(host), Failovers(host), Move(host), Drain(host)]);

    private static ExampledCommand Nodes(CommandHost host) => new(
        host,
        "nodes",
        "List the live nodes.",
        ["branching cluster nodes", "branching cluster nodes --json"],
        [],
        async (invocation, cancellationToken) =>
        {
            await using ISession session = await invocation.ConnectAsync(cancellationToken);
            IReadOnlyList<NodeDescription> nodes = await session.Grains.GetClusterCoordinator()
                .ListNodesAsync(cancellationToken);
            if (invocation.Json)
            {
                invocation.WriteJson(new JsonArray([.. nodes.Select(Descriptions.ToJson)]));
                return ExitCode.Ok;
            }

            invocation.Screen.Table(
                [
                    "NODE", "ADDRESS", ">HOLDS", ">OWNS", ">FREE", "SHARED STORAGE", "DIRTY STORE", ">QUARANTINED",
                    "STARTED",
                ],
                nodes.Select(node => (IReadOnlyList<string>)
                [
                    node.Name, node.Address, Screen.Number(node.Databases.Count),
                    Screen.Number(node.Owned?.Count ?? node.Databases.Count), Screen.Bytes(node.FreeBytes),
                    node.SharedStorageProblem ?? node.SharedStorage ?? "none", node.DirtyStore,
                    Screen.Number(node.Quarantined), node.StartedAt == default ? "-" : Screen.Time(node.StartedAt),
                ]));
            foreach (NodeDescription node in nodes.Where(node => node.Stale is { Count: > 0 }))
            {
                invocation.Host.Out.WriteLine(
                    $"node {node.Name} holds stale copies, which are not served: {string.Join(", ", node.Stale!)}");
            }

            SnapshotText.NoteWithoutSharedStorage(invocation, nodes.All(node => node.SharedStorage is not null));
            return ExitCode.Ok;
        });

    private static ExampledCommand Databases(CommandHost host) => new(
        host,
        "databases",
        "List the databases with their owners and what is not on shared storage.",
        ["branching cluster databases", "branching cluster databases --json"],
        [],
        async (invocation, cancellationToken) =>
        {
            await using ISession session = await invocation.ConnectAsync(cancellationToken);
            IReadOnlyList<DatabaseDescription> databases = await session.Grains.GetClusterCoordinator()
                .ListDatabasesAsync(cancellationToken);
            if (invocation.Json)
            {
                invocation.WriteJson(new JsonArray([.. databases.Select(Descriptions.ToJson)]));
                return ExitCode.Ok;
            }

            invocation.Screen.Table(
                ["NAME", "STATE", "NODE", ">EPOCH", ">BRANCHES", ">SEQUENCE", "LAST SNAPSHOT", ">LAG", "PROBLEM"],
                databases.Select(d => (IReadOnlyList<string>)
                [
                    d.Name, SnapshotText.State(d.State), d.Node,
                    Descriptions.Number(d.Epoch == 0 ? null : (long)d.Epoch), Descriptions.Number(d.Branches),
                    Descriptions.Number((long?)d.Sequence),
                    SnapshotText.TimeOrDash(d.LastSnapshotAt), SnapshotText.Lag(d.Lag), d.Problem ?? "",
                ]));
            return ExitCode.Ok;
        });

    private static ExampledCommand Failovers(CommandHost host)
    {
        Argument<string?> database = new(CommonSymbols.DatabaseName)
        {
            Description = "Only those of this database.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        return new ExampledCommand(
            host,
            "failovers",
            "List failovers, newest first: how long each step took and what was not yet snapshotted.",
            ["branching cluster failovers", "branching cluster failovers shop --json"],
            [database],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IReadOnlyList<FailoverRecord> failovers = await session.Grains.GetClusterCoordinator()
                    .ListFailoversAsync(invocation.Database, cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonArray([.. failovers.Select(SnapshotJson.ToJson)]));
                }
                else if (failovers.Count == 0)
                {
                    invocation.Note("no failovers");
                }
                else
                {
                    invocation.Screen.Table(
                        [
                            "DATABASE", "DETECTED", "FROM", "TO", "STATE", ">FENCED", ">RESTORED", ">SERVING",
                            ">SEQUENCE", ">BRANCHES", ">NOT SNAPSHOTTED", "NOTE",
                        ],
                        failovers.Select(Row));
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Move(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> node = new("NODE") { Description = "Name of the node that is to own it." };
        return new ExampledCommand(
            host,
            "move",
            "Move a database to another node; writes pause for the last snapshot. Ephemeral branches stay behind.",
            [
                "branching cluster move shop node-b --cluster 127.0.0.1:30000",
                "branching cluster move shop node-b --json",
            ],
            [database, node],
            async (invocation, cancellationToken) =>
            {
                string target = invocation.Parsed.GetValue(node)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IClusterCoordinatorGrain grain = session.Grains.GetClusterCoordinator();
                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    $"moving {invocation.Database} to {target}",
                    () => grain.MoveDatabaseAsync(invocation.Database!, target, cancellationToken),
                    cancellationToken);
                return Report(invocation, done.Moved ?? []);
            });
    }

    private static ExampledCommand Drain(CommandHost host)
    {
        Argument<string> node = new("NODE") { Description = "Name of the node." };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "drain",
            "Move all databases of a node to the others. Asks first.",
            [
                "branching cluster drain node-a --yes --cluster 127.0.0.1:30000",
                "branching cluster drain node-a",
            ],
            [node, yes],
            async (invocation, cancellationToken) =>
            {
                string name = invocation.Parsed.GetValue(node)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IClusterCoordinatorGrain grain = session.Grains.GetClusterCoordinator();
                IReadOnlyList<NodeDescription> nodes = await grain.ListNodesAsync(cancellationToken);
                NodeDescription drained = nodes.FirstOrDefault(one => one.Name == name)
                    ?? throw new UserError(
                        ExitCode.NotFound,
                        $"there is no live node '{name}'",
                        "those that live: " + string.Join(' ', nodes.Select(one => one.Name)),
                        "NodeNotFound");
                CommonSymbols.Confirm(
                    invocation,
                    invocation.Parsed.GetValue(yes),
                    $"Move all {Screen.Count((drained.Owned ?? drained.Databases).Count, "database")} of node {name} "
                        + "to the others?",
                    invocation.Again("--yes"));
                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    $"draining {name}", () => grain.DrainNodeAsync(name, cancellationToken), cancellationToken);
                return Report(invocation, done.Moved ?? []);
            });
    }

    private static int Report(Invocation invocation, IReadOnlyList<MoveOutcome> moves)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonArray([.. moves.Select(SnapshotJson.ToJson)]));
        }

        foreach (MoveOutcome move in invocation.Json ? [] : moves)
        {
            string left = move.LeftBehind.Count == 0
                ? ""
                : $"; ephemeral branches left behind: {string.Join(' ', move.LeftBehind)}";
            invocation.Host.Out.WriteLine(move.Succeeded
                ? $"moved database {move.Database}{From(move)} to {move.ToNode} in "
                    + $"{Screen.Duration(move.Duration)}: writes paused for {Screen.Duration(move.WritePause)}, "
                    + $"{Screen.Bytes(move.SentBytes)} sent, sequence {Screen.Number((long)move.Sequence)}{left}"
                : $"database {move.Database} stays on {move.FromNode}: {move.Problem}");
        }

        return moves.All(move => move.Succeeded) ? ExitCode.Ok : ExitCode.Failed;
    }

    private static string From(MoveOutcome move)
        => move.FromNode.Length == 0 ? ", which was at rest," : $" from {move.FromNode}";

    private static IReadOnlyList<string> Row(FailoverRecord one)
    {
        string lost = one.LostBranches is { Count: > 0 } branches ? $"lost: {string.Join(' ', branches)}" : "";
        return
        [
            one.Database, Screen.Time(one.DetectedAt), one.FromNode, one.ToNode ?? "-",
            one.State.ToString().ToLowerInvariant(), After(one, one.FencedAt), After(one, one.RestoredAt),
            After(one, one.ServingAt), Screen.Number((long)one.LastSequence), Screen.Number(one.Branches),
            one.UnsnapshottedSequences is { } sequences
                ? SnapshotText.Lag(sequences, one.UnsnapshottedAge ?? TimeSpan.Zero)
                : "unknown",
            one.Problem ?? lost,
        ];
    }

    private static string After(FailoverRecord failover, DateTimeOffset? step)
        => step is { } at ? Screen.Duration(at - failover.DetectedAt) : "-";
}
