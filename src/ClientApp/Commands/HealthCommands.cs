using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>health</c>, <c>reopen</c>, <c>open</c> and <c>property</c>.</summary>
internal static class HealthCommands
{
    public static IEnumerable<Command> Create(CommandHost host)
        => [Health(host), Reopen(host), Open(host), Property(host)];

    private static ExampledCommand Health(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "health",
            "Examine the store of a branch: whether it takes writes, and what is wrong. Exits with 1 unless healthy.",
            ["branching health shop", "branching health shop --branch topic --json"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                string name = invocation.Parsed.GetValue(branch)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                StoreHealth health = await Invocation.Store(session, invocation.Database!, name)
                    .GetHealthAsync(cancellationToken);
                Show(invocation, name, health);
                return health.Condition == StoreCondition.Healthy ? ExitCode.Ok : ExitCode.Failed;
            });
    }

    private static ExampledCommand Reopen(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "reopen",
            "Close the store of a branch and open it again, after what was wrong was mended. Fails while writes do.",
            ["branching reopen shop", "branching reopen shop --branch topic"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                string name = invocation.Parsed.GetValue(branch)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                StoreHealth health = await Invocation.Store(session, invocation.Database!, name)
                    .ReopenAsync(cancellationToken);
                Show(invocation, name, health);
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Open(CommandHost host) => new(
        host,
        "open",
        "List the stores that are open on the nodes, with what is open on them.",
        ["branching open", "branching open --json"],
        [],
        async (invocation, cancellationToken) =>
        {
            await using ISession session = await invocation.ConnectAsync(cancellationToken);
            List<(NodeDescription Node, OpenStoreDescription Store)> open = [];
            foreach (NodeDescription node in await session.Grains.GetClusterCoordinator()
                .ListNodesAsync(cancellationToken))
            {
                IReadOnlyList<OpenStoreDescription> stores = await session.Grains
                    .GetGrain<INodeGrain>(node.Address).ListOpenStoresAsync(cancellationToken);
                open.AddRange(stores.Select(store => (node, store)));
            }

            if (invocation.Json)
            {
                invocation.WriteJson(new JsonArray([.. open.Select(one => (JsonNode)ToJson(one.Node, one.Store))]));
            }
            else if (open.Count == 0)
            {
                invocation.Note("no store is open; a store is opened when it is first used");
            }
            else
            {
                invocation.Screen.Table(
                    ["STORE", "NODE", "STATE", ">REFERENCES", "OPEN ON IT", ">UNUSED FOR"],
                    open.Select(one => (IReadOnlyList<string>)
                    [
                        one.Store.Store, one.Node.Name, Word(one.Store.Condition),
                        Screen.Number(one.Store.References), Items(one.Store), Screen.Duration(one.Store.Unused),
                    ]));
            }

            return ExitCode.Ok;
        });

    private static ExampledCommand Property(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> name = new("NAME") { Description = "Name of the property, as RocksDB has it." };
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        return new ExampledCommand(
            host,
            "property",
            "Show one of RocksDB's properties of a store.",
            [
                "branching property shop rocksdb.stats",
                "branching property shop rocksdb.levelstats --branch topic",
            ],
            [database, name, branch, family],
            async (invocation, cancellationToken) =>
            {
                string property = invocation.Parsed.GetValue(name)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                string? value = await Invocation
                    .Store(session, invocation.Database!, invocation.Parsed.GetValue(branch)!)
                    .GetPropertyAsync(property, invocation.Parsed.GetValue(family), cancellationToken);
                if (value is null)
                {
                    throw new UserError(
                        ExitCode.NotFound,
                        $"RocksDB has no property '{property}'",
                        "some that it has: rocksdb.stats, rocksdb.levelstats, rocksdb.num-snapshots",
                        "PropertyNotFound");
                }

                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonObject { ["name"] = property, ["value"] = value });
                }
                else
                {
                    await host.Out.WriteLineAsync(value.TrimEnd('\n'));
                }

                return ExitCode.Ok;
            });
    }

    /// <summary>A condition in one word.</summary>
    public static string Word(StoreCondition condition) => condition switch
    {
        StoreCondition.Healthy => "healthy",
        StoreCondition.Degraded => "degraded",
        StoreCondition.Poisoned => "poisoned",
        StoreCondition.Damaged => "damaged",
        _ => condition.ToString(),
    };

    private static void Show(Invocation invocation, string branch, StoreHealth health)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["branch"] = branch,
                ["state"] = Word(health.Condition),
                ["causes"] = new JsonArray([.. health.Causes.Select(cause => (JsonNode)cause)]),
                ["needsRestart"] = health.NeedsRestart,
                ["directory"] = health.Directory,
            });
            return;
        }

        List<(string, string)> facts =
        [
            ("branch", branch), ("state", Word(health.Condition)),
            .. health.Causes.Select(cause => ("cause", cause)),
        ];
        if (health.NeedsRestart)
        {
            facts.Add(("recovers", "only when the node is restarted"));
        }

        invocation.Screen.Facts(facts);
    }

    private static string Items(OpenStoreDescription store)
    {
        string items = string.Join(", ", store.Items.Where(item => item.Value > 0)
            .OrderBy(item => item.Key, StringComparer.Ordinal)
            .Select(item => $"{Screen.Number(item.Value)} {item.Key}"));
        return items.Length == 0 ? "-" : items;
    }

    private static JsonObject ToJson(NodeDescription node, OpenStoreDescription store) => new()
    {
        ["store"] = store.Store,
        ["node"] = node.Name,
        ["directory"] = store.Directory,
        ["state"] = Word(store.Condition),
        ["references"] = store.References,
        ["unusedMs"] = Math.Round(store.Unused.TotalMilliseconds, 3),
        ["items"] = new JsonObject(store.Items.OrderBy(item => item.Key, StringComparer.Ordinal)
            .Select(item => KeyValuePair.Create(item.Key, (JsonNode?)item.Value))),
    };
}
