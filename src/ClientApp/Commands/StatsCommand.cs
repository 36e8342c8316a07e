using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>stats</c>.</summary>
internal static class StatsCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string?> database = new(CommonSymbols.DatabaseName)
        {
            Description = "Name of the database; left out, the nodes are shown.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "stats",
            "Show figures of a store, or of the nodes.",
            ["branching stats", "branching stats shop", "branching stats shop --branch topic --json"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                if (invocation.Database is { } name)
                {
                    await ShowStoreAsync(
                        invocation, session, name, invocation.Parsed.GetValue(branch)!, cancellationToken);
                }
                else
                {
                    await ShowNodesAsync(invocation, session, cancellationToken);
                }

                return ExitCode.Ok;
            });
    }

    private static async Task ShowStoreAsync(
        Invocation invocation, ISession session, string name, string branchName, CancellationToken cancellationToken)
    {
        DatabaseDescription database = await session.Grains.GetDatabase(name).DescribeAsync(cancellationToken);
        IStoreGrain store = Invocation.Store(session, name, branchName);
        StoreFigures figures = await store.GetFiguresAsync(cancellationToken);
        IReadOnlyList<string> families = await store.ListColumnFamiliesAsync(cancellationToken);
        BranchDescription branch = await session.Grains.GetBranch(name, branchName)
            .DescribeAsync(includeSize: true, cancellationToken);
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["database"] = Descriptions.ToJson(database),
                ["branch"] = Descriptions.ToJson(branch),
                ["columnFamilies"] = new JsonArray([.. families.Select(family => (JsonNode)family)]),
                ["figures"] = Descriptions.ToJson(figures),
            });
            return;
        }

        BranchSize size = branch.Size ?? new BranchSize(0, 0, 0, 0);
        List<(string, string)> facts =
        [
            ("database", $"{database.Name} ({database.DatabaseId}), {Screen.Count(database.Branches ?? 0, "store")}, "
                + $"on {database.Node}"),
            ("branch", branch.Name),
            ("sequence", Screen.Number((long)figures.Sequence)),
            ("keys, estimated", Screen.Number(figures.EstimatedKeys)),
            ("column families", string.Join(' ', families)),
            ("memtables", Screen.Bytes(figures.MemtableBytes)),
            ("table files", $"{Screen.Bytes(figures.TableBytes)}, {figures.Level0Files} in level 0"),
            ("to compact", Screen.Bytes(figures.PendingCompactionBytes)),
            ("on disk", $"{Screen.Bytes(size.TotalBytes)}: {Screen.Bytes(size.SharedBytes)} shared, "
                + $"{Screen.Bytes(size.UniqueBytes)} its own"),
            ("writes since opened", $"{Screen.Number(figures.Writes)} in {Screen.Count(figures.WriteGroups, "group")}, "
                + Screen.Count(figures.Syncs, "sync")),
        ];
        facts.AddRange(More(figures));
        if (figures.Poisoned is { } why)
        {
            facts.Add(("refuses writes", why));
        }

        invocation.Screen.Facts(facts);
    }

    private static IEnumerable<(string, string)> More(StoreFigures figures)
    {
        yield return ("write-ahead log", $"{Screen.Bytes(figures.LogBytes)} in files, "
            + $"{Screen.Bytes(figures.WrittenBytes)} written since opened");
        yield return ("block cache", $"{Screen.Bytes(figures.BlockCacheBytes)}, shared by the node's stores");
        yield return ("open", $"{figures.OpenIterators} scans, {figures.Snapshots} snapshots"
            + (figures.OldestSnapshotAt is { } oldest ? $", the oldest of {Screen.Time(oldest)}" : ""));
        yield return ("waiting writes", Screen.Number(figures.WaitingRequests));
        if (figures.WritesStopped || figures.DelayedWriteBytesPerSecond > 0)
        {
            yield return ("stalled", figures.WritesStopped
                ? "writes are stopped until compaction has caught up"
                : $"writes are slowed to {Screen.Bytes(figures.DelayedWriteBytesPerSecond)}/s");
        }

        if (figures.BackgroundErrors > 0)
        {
            yield return ("background errors", Screen.Number(figures.BackgroundErrors));
        }

        foreach ((string name, long value) in Ordered(figures.Tickers).Where(ticker => ticker.Value > 0))
        {
            yield return (name, Screen.Number(value));
        }

        foreach ((string name, string value) in Ordered(figures.Histograms))
        {
            yield return (name, value);
        }
    }

    private static IEnumerable<KeyValuePair<string, T>> Ordered<T>(IReadOnlyDictionary<string, T>? values)
        => values?.OrderBy(pair => pair.Key, StringComparer.Ordinal) ?? Enumerable.Empty<KeyValuePair<string, T>>();

    private static async Task ShowNodesAsync(
        Invocation invocation, ISession session, CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeDescription> nodes = await session.Grains.GetClusterCoordinator().ListNodesAsync(
            cancellationToken);
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonArray([.. nodes.Select(Descriptions.ToJson)]));
            return;
        }

        invocation.Screen.Table(
            ["NODE", "ADDRESS", "DATA ROOT", ">DATABASES", ">OPEN STORES", ">FREE", "ROCKSDB"],
            nodes.Select(node => (IReadOnlyList<string>)
            [
                node.Name, node.Address, node.DataRoot, Screen.Number(node.Databases.Count),
                $"{node.OpenStores} of {node.MaxOpenStores}", Screen.Bytes(node.FreeBytes), node.NativeVersion,
            ]));
    }
}
