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
                IReadOnlyList<ColumnFamilyDescription> families = await StoreOf(invocation, session, branch)
                    .DescribeColumnFamiliesAsync(cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonArray([.. families.Select(family => (JsonNode)JsonOf(family))]));
                }
                else
                {
                    Show(invocation, families);
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand CreateOne(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> name = Name();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> merge = new("--merge")
        {
            Description = "Merge operator of its values: add, add-int64, append, or one that the node was given.",
            HelpName = "OPERATOR",
        };
        Option<bool> expires = new("--expires") { Description = "Let its keys expire." };
        Option<string?> lives = new("--default-ttl")
        {
            Description = "How long a key lives that is put without --ttl; implies --expires.",
            HelpName = "DURATION",
        };
        return new ExampledCommand(
            host,
            "create",
            "Add a column family to a branch. How its values merge and whether its keys expire stays as it is then.",
            [
                "branching column create shop prices", "branching column create shop prices --branch topic",
                "branching column create shop visits --merge add",
                "branching column create shop logins --default-ttl 20m",
            ],
            [database, name, branch, merge, expires, lives],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                TimeSpan? byDefault = parsed.GetValue(lives) is { } text
                    ? QuantityText.Duration(text, lives.Name)
                    : null;
                var family = new ColumnFamilyDescription(
                    parsed.GetValue(name)!, parsed.GetValue(merge), parsed.GetValue(expires) || byDefault is not null,
                    byDefault);
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                await StoreOf(invocation, session, branch).AddColumnFamilyAsync(family, cancellationToken);
                return await SayAsync(invocation, "created", family.Name);
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
            "Remove every key of a column family, for good. Asks first.",
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
                long removed = (await store.ClearAsync(
                    new ClearRequest(KeyRange.All, family), cancellationToken)).Removed;
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonObject { ["cleared"] = family, ["removed"] = removed });
                }
                else
                {
                    await host.Out.WriteLineAsync(
                        $"removed {Screen.Count(removed, "key")} of column family {family}");
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

    private static void Show(Invocation invocation, IReadOnlyList<ColumnFamilyDescription> families)
    {
        // Most stores have only plain families; there is nothing more to say of those.
        if (families.All(family => family.Merge is null && !family.Expires))
        {
            invocation.Screen.Table(
                ["NAME", ">KEYS, ESTIMATED"],
                families.Select(family => (IReadOnlyList<string>)
                    [family.Name, Screen.Number(family.EstimatedKeys)]));
            return;
        }

        invocation.Screen.Table(
            ["NAME", ">KEYS, ESTIMATED", "MERGE", "EXPIRES"],
            families.Select(family => (IReadOnlyList<string>)
            [
                family.Name, Screen.Number(family.EstimatedKeys), family.Merge ?? "-",
                !family.Expires ? "-" : family.DefaultTimeToLive is { } lives
                    ? $"after {QuantityText.Show(lives)}"
                    : "key by key",
            ]));
    }

    private static JsonObject JsonOf(ColumnFamilyDescription family) => new()
    {
        ["name"] = family.Name,
        ["estimatedKeys"] = family.EstimatedKeys,
        ["merge"] = family.Merge,
        ["expires"] = family.Expires,
        ["defaultTtlMs"] = family.DefaultTimeToLive is { } lives ? (long)lives.TotalMilliseconds : null,
    };

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
