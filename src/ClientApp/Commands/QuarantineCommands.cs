using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>quarantine list</c> and <c>quarantine delete</c>.</summary>
internal static class QuarantineCommands
{
    public static Command Create(CommandHost host) => new ExampledCommand(
        "quarantine",
        "Databases and stores that were set aside whole: what they are, why, and deleting them.",
        ["branching quarantine list", "branching quarantine delete 20261122T101500Z-1b2c3d4e --yes"],
        [List(host), Delete(host)]);

    private static ExampledCommand List(CommandHost host) => new(
        host,
        "list",
        "List what was set aside on each node, newest first, with its reason and size.",
        ["branching quarantine list", "branching quarantine list --json"],
        [],
        async (invocation, cancellationToken) =>
        {
            await using ISession session = await invocation.ConnectAsync(cancellationToken, looks: true);
            IReadOnlyList<SetAside> all = await FindAsync(session, cancellationToken);
            if (invocation.Json)
            {
                invocation.WriteJson(new JsonArray([.. all.Select(ToJson)]));
                return ExitCode.Ok;
            }

            if (all.Count == 0)
            {
                invocation.Note("nothing is in quarantine");
                return ExitCode.Ok;
            }

            invocation.Screen.Table(
                ["ID", "NODE", "DATABASE", "WHAT", "SET ASIDE", ">SIZE", ">FREES", "REASON"],
                all.Select(one => (IReadOnlyList<string>)
                [
                    one.Entry.QuarantineId, one.Node.Name, one.Entry.Database, What(one.Entry),
                    SnapshotText.TimeOrDash(one.At),
                    Screen.Bytes(one.Entry.Bytes), Screen.Bytes(one.Entry.FreedBytes), one.Entry.Reason,
                ]));
            invocation.Note(
                "each is a directory of that name in a quarantine/ of its data root: copy out what you need, then "
                + invocation.Command("quarantine", "delete", all[0].Entry.QuarantineId));
            return ExitCode.Ok;
        });

    private static ExampledCommand Delete(CommandHost host)
    {
        Argument<string> id = new("ID") { Description = "What it is called by; 'quarantine list' shows it." };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "delete",
            "Delete what was set aside, for good. It may be the only copy of what is in it. Asks first.",
            [
                "branching quarantine delete 20261122T101500Z-1b2c3d4e --yes",
                "branching quarantine delete 20261122T101500Z-1b2c3d4e",
            ],
            [id, yes],
            async (invocation, cancellationToken) =>
            {
                string asked = invocation.Parsed.GetValue(id)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                SetAside found = (await FindAsync(session, cancellationToken))
                    .FirstOrDefault(one => one.Entry.QuarantineId == asked)
                    ?? throw new UserError(
                        ExitCode.NotFound,
                        $"nothing in quarantine is called '{asked}'",
                        invocation.Command("quarantine", "list"),
                        "QuarantineNotFound");
                CommonSymbols.Confirm(
                    invocation,
                    invocation.Parsed.GetValue(yes),
                    $"Delete {What(found.Entry)} of database {found.Entry.Database}, "
                        + $"{Screen.Bytes(found.Entry.Bytes)} in {found.Entry.Path}, for good?",
                    invocation.Again("--yes"));
                QuarantineDescription deleted = await session.Grains.GetGrain<INodeGrain>(found.Node.Address)
                    .DeleteQuarantinedAsync(asked, cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(ToJson(found with { Entry = deleted }));
                    return ExitCode.Ok;
                }

                invocation.Host.Out.WriteLine(
                    $"deleted {asked}: {What(deleted)} of database {deleted.Database}; "
                    + $"{Screen.Bytes(deleted.FreedBytes)} are free again");
                return ExitCode.Ok;
            });
    }

    private static async Task<IReadOnlyList<SetAside>> FindAsync(
        ISession session, CancellationToken cancellationToken)
    {
        List<SetAside> all = [];
        foreach (NodeDescription node in await session.Grains.GetClusterCoordinator().ListNodesAsync(cancellationToken))
        {
            IReadOnlyList<QuarantineDescription> there = await session.Grains.GetGrain<INodeGrain>(node.Address)
                .ListQuarantineAsync(cancellationToken);
            all.AddRange(there.Select(entry => new SetAside(node, entry)));
        }

        return [.. all.OrderByDescending(one => one.Entry.QuarantinedAt)];
    }

    private static string What(QuarantineDescription entry) => entry.From.Split('/') switch
    {
        ["databases", _] => "the whole database",
        ["stores", var store] => $"store {store}",
        _ => entry.From.Length == 0 ? "something" : entry.From,
    };

    private static JsonObject ToJson(SetAside one) => new()
    {
        ["id"] = one.Entry.QuarantineId,
        ["node"] = one.Node.Name,
        ["database"] = one.Entry.Database,
        ["from"] = one.Entry.From,
        ["path"] = one.Entry.Path,
        ["at"] = Descriptions.Time(one.At),
        ["reason"] = one.Entry.Reason,
        ["epoch"] = one.Entry.Epoch,
        ["bytes"] = one.Entry.Bytes,
        ["freedBytes"] = one.Entry.FreedBytes,
    };

    private sealed record SetAside(NodeDescription Node, QuarantineDescription Entry)
    {
        /// <summary>Null: its reason cannot be read.</summary>
        public DateTimeOffset? At => Entry.QuarantinedAt == default ? null : Entry.QuarantinedAt;
    }
}
