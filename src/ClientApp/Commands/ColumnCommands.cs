using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>column list</c>, <c>create</c>, <c>drop</c> and <c>clear</c>.</summary>
internal static class ColumnCommands
{
    private const string DefaultFamily = "default";

    public static Command Create(CommandHost host) => new ExampledCommand(
        "column",
        "List, create, empty and drop the column families of a branch.",
        [
            "branching column list shop",
            "branching column create shop prices",
            "branching column clear shop --yes",
        ],
        [List(host), CreateOne(host), Drop(host), Clear(host)]);

    private static ExampledCommand List(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "list",
            "List the column families of a branch, with an estimate of their keys.",
            ["branching column list shop", "branching column list shop --branch topic --json"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = StoreOf(invocation, session, branch);
                List<(string Name, long Keys)> families = [];
                foreach (string name in await store.ListColumnFamiliesAsync(cancellationToken))
                {
                    CountResponse counted = await store.CountAsync(
                        new CountRequest(KeyRange.All, Estimate: true, name), cancellationToken);
                    families.Add((name, counted.Count));
                }

                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonArray([.. families.Select(family => (JsonNode)new JsonObject
                    {
                        ["name"] = family.Name,
                        ["estimatedKeys"] = family.Keys,
                    })]));
                }
                else
                {
                    invocation.Screen.Table(
                        ["NAME", ">KEYS, ESTIMATED"],
                        families.Select(family => (IReadOnlyList<string>)
                            [family.Name, Screen.Number(family.Keys)]));
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand CreateOne(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> name = Name();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "create",
            "Add a column family to a branch.",
            ["branching column create shop prices", "branching column create shop prices --branch topic"],
            [database, name, branch],
            async (invocation, cancellationToken) =>
            {
                string family = invocation.Parsed.GetValue(name)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                await StoreOf(invocation, session, branch).CreateColumnFamilyAsync(family, cancellationToken);
                return await SayAsync(invocation, "created", family);
            });
    }

    private static ExampledCommand Drop(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> name = Name();
        Option<string> branch = CommonSymbols.Branch();
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "drop",
            "Remove a column family with all its keys, for good. Asks first.",
            ["branching column drop shop users", "branching column drop shop users --yes"],
            [database, name, branch, yes],
            async (invocation, cancellationToken) =>
            {
                string family = invocation.Parsed.GetValue(name)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = StoreOf(invocation, session, branch);
                await EnsureThereAsync(invocation, store, family, cancellationToken);
                CommonSymbols.Confirm(
                    invocation,
                    invocation.Parsed.GetValue(yes),
                    $"Drop column family {family} of branch {invocation.Parsed.GetValue(branch)} of database "
                    + $"{invocation.Database} with all its keys, for good?",
                    invocation.Again("--yes"));
                await store.DropColumnFamilyAsync(family, cancellationToken);
                return await SayAsync(invocation, "dropped", family);
            });
    }

    private static ExampledCommand Clear(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string?> name = new("NAME")
        {
            Description = "Name of the column family; the default one when left out.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string> branch = CommonSymbols.Branch();
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "clear",
            "Remove every key of a column family, for good, in one step. Asks first.",
            ["branching column clear shop", "branching column clear shop users --branch topic --yes"],
            [database, name, branch, yes],
            async (invocation, cancellationToken) =>
            {
                string family = invocation.Parsed.GetValue(name) ?? DefaultFamily;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = StoreOf(invocation, session, branch);
                await EnsureThereAsync(invocation, store, family, cancellationToken);
                CommonSymbols.Confirm(
                    invocation,
                    invocation.Parsed.GetValue(yes),
                    $"Remove every key of column family {family} of branch {invocation.Parsed.GetValue(branch)} of "
                    + $"database {invocation.Database}, for good?",
                    invocation.Again("--yes"));
                long removed = await ClearAsync(store, family, cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonObject { ["cleared"] = family, ["removed"] = removed });
                }
                else
                {
                    await host.Out.WriteLineAsync(
                        $"removed {Screen.Number(removed)} keys of column family {family}");
                }

                return ExitCode.Ok;
            });
    }

    private static Argument<string> Name() => new("NAME") { Description = "Name of the column family." };

    private static IStoreGrain StoreOf(Invocation invocation, ISession session, Option<string> branch)
        => Invocation.Store(session, invocation.Database!, invocation.Parsed.GetValue(branch)!);

    private static async Task EnsureThereAsync(
        Invocation invocation, IStoreGrain store, string family, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> families = await store.ListColumnFamiliesAsync(cancellationToken);
        if (!families.Contains(family, StringComparer.Ordinal))
        {
            throw new UserError(
                ExitCode.NotFound,
                $"there is no column family '{family}'; there are: {string.Join(' ', families)}",
                invocation.Command("column", "list", invocation.Database!),
                nameof(FailureKind.ColumnFamilyNotFound));
        }
    }

    /// <summary>Removes what is there now, from the first key to the last; what is written meanwhile may
    /// stay.</summary>
    private static async Task<long> ClearAsync(
        IStoreGrain store, string family, CancellationToken cancellationToken)
    {
        ScanResponse first = await store.ScanAsync(Edge(family, reverse: false), cancellationToken);
        ScanResponse last = await store.ScanAsync(Edge(family, reverse: true), cancellationToken);
        if (first.Entries.Count == 0 || last.Entries.Count == 0)
        {
            return 0;
        }

        ReadOnlyMemory<byte> from = first.Entries[0].Key;
        ReadOnlyMemory<byte> to = last.Entries[0].Key;
        CountResponse counted = await store.CountAsync(
            new CountRequest(new KeyRange(from, to, ToInclusive: true), ColumnFamily: family), cancellationToken);
        await store.WriteAsync(
            new WriteRequest(
            [
                new WriteOperation(WriteOperationKind.DeleteRange, from, to, family),
                new WriteOperation(WriteOperationKind.Delete, to, default, family),
            ]),
            cancellationToken);
        return counted.Count;
    }

    private static ScanRequest Edge(string family, bool reverse)
        => new(KeyRange.All, Limit: 1, reverse, KeysOnly: true, ColumnFamily: family);

    private static async Task<int> SayAsync(Invocation invocation, string done, string family)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject { [done] = family });
        }
        else
        {
            await invocation.Host.Out.WriteLineAsync($"{done} column family {family}");
        }

        return ExitCode.Ok;
    }
}
