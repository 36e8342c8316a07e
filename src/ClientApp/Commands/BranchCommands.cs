using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>branch create</c>, <c>list</c>, <c>tree</c>, <c>show</c> and <c>delete</c>.</summary>
internal static class BranchCommands
{
    /// <summary>The name of the argument that names a branch.</summary>
    public const string BranchName = "NAME";

    public static Command Create(CommandHost host) => new ExampledCommand(
        "branch",
        "Create, list, show and delete branches.",
        [
            "branching branch create shop topic",
            "branching branch tree shop",
            "branching branch delete shop topic --yes",
        ],
        [CreateOne(host), List(host), Tree(host), Show(host), Delete(host)]);

    private static ExampledCommand CreateOne(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> name = Name();
        Option<string> from = new("--from")
        {
            Description = "The branch to begin from.",
            HelpName = "BRANCH",
            DefaultValueFactory = _ => BranchKey.Main,
        };
        Option<string[]> label = CommonSymbols.Label("A label of the branch; may be given several times.");
        Option<bool> ephemeral = new("--ephemeral")
        {
            Description = "Never snapshotted: gone with its node. For tests.",
        };
        return new ExampledCommand(
            host,
            "create",
            "Create a writable branch: it begins with everything its parent holds now.",
            [
                "branching branch create shop topic", "branching branch create shop topic/deep --from topic",
                "branching branch create shop review --label pull-request=41 --label owner=ada",
                "branching branch create shop scratch --ephemeral",
            ],
            [database, name, from, label, ephemeral],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                var request = new CreateBranchRequest(
                    parsed.GetValue(from)!,
                    DatabaseCommands.Creator,
                    CommonSymbols.Pairs(parsed.GetValue(label)),
                    Durability: parsed.GetValue(ephemeral) ? BranchDurability.Ephemeral : null);
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                long started = host.Time.GetTimestamp();
                BranchDescription created = await session.Grains.GetBranch(invocation.Database!, parsed.GetValue(name)!)
                    .CreateAsync(request, cancellationToken);
                TimeSpan elapsed = host.Time.GetElapsedTime(started);
                if (invocation.Json)
                {
                    JsonObject json = Descriptions.ToJson(created);
                    json["elapsedMs"] = Math.Round(elapsed.TotalMilliseconds, 3);
                    invocation.WriteJson(json);
                }
                else
                {
                    await host.Out.WriteLineAsync(
                        $"created branch {created.Name} from {created.Parent} at sequence "
                        + $"{Screen.Number((long)created.BranchSequence)} in "
                        + $"{Screen.Duration(elapsed)} "
                        + $"({Screen.Count(created.LinkedFiles, "file")} linked, {created.CopiedFiles} copied)");
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand List(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        return new ExampledCommand(
            host,
            "list",
            "List the branches of a database.",
            ["branching branch list shop", "branching branch list shop --json"],
            [database],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IDatabaseGrain owner = session.Grains.GetDatabase(invocation.Database!);

                // Opens the main store, so that its damage is known when the branches are listed.
                bool shared = (await owner.DescribeAsync(cancellationToken)).Lag is not null;
                IReadOnlyList<BranchDescription> branches = await owner.ListBranchesAsync(cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonArray([.. branches.Select(Descriptions.ToJson)]));
                    return ExitCode.Ok;
                }

                invocation.Screen.Table(
                    [
                        "NAME", "PARENT", ">AT SEQUENCE", "CREATED", "BY", "STATE", "DURABILITY", "LAST SNAPSHOT",
                        ">LAG", "LABELS",
                    ],
                    branches.Select(b => (IReadOnlyList<string>)
                    [
                        b.Name, b.Parent ?? "", b.Parent is null ? "" : Screen.Number((long)b.BranchSequence),
                        Screen.Time(b.CreatedAt), b.CreatedBy, Descriptions.State(b),
                        SnapshotText.Durability(b, shared), SnapshotText.TimeOrDash(b.LastSnapshotAt),
                        SnapshotText.Lag(b, shared), Descriptions.Labels(b),
                    ]));
                foreach (BranchDescription branch in branches.Where(branch => branch.Problem is not null))
                {
                    invocation.Note($"{branch.Name}: {branch.Problem!.ReplaceLineEndings(" ")}");
                }

                SnapshotText.NoteWithoutSharedStorage(invocation, shared);
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Tree(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        return new ExampledCommand(
            host,
            "tree",
            "Draw who was branched from whom.",
            ["branching branch tree shop", "branching branch tree shop --json"],
            [database],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IReadOnlyList<BranchDescription> lineage = await session.Grains.GetDatabase(invocation.Database!)
                    .GetLineageAsync(cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(LineageTree.ToJson(lineage));
                }
                else
                {
                    LineageTree.Draw(host, lineage, branch => null);
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Show(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> name = Name();
        return new ExampledCommand(
            host,
            "show",
            "Show a branch: where it came from, its children, what its files take.",
            ["branching branch show shop topic", "branching branch show shop main --json"],
            [database, name],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IBranchGrain grain = session.Grains.GetBranch(invocation.Database!, invocation.Parsed.GetValue(name)!);

                // Opens the main store, so that its damage is known when it is the branch.
                bool shared = (await session.Grains.GetDatabase(invocation.Database!).DescribeAsync(cancellationToken))
                    .Lag is not null;
                BranchDescription branch = await grain.DescribeAsync(includeSize: true, cancellationToken);
                IReadOnlyList<BranchDescription> children = await grain.ListChildrenAsync(cancellationToken);
                if (invocation.Json)
                {
                    JsonObject json = Descriptions.ToJson(branch);
                    json["children"] = new JsonArray([.. children.Select(child => (JsonNode)child.Name)]);
                    invocation.WriteJson(json);
                    return ExitCode.Ok;
                }

                invocation.Screen.Facts(Facts(branch, children, shared));
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Delete(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> name = Name();
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "delete",
            "Delete a branch, for good. Its children stay whole. Asks first.",
            ["branching branch delete shop topic", "branching branch delete shop topic --yes"],
            [database, name, yes],
            async (invocation, cancellationToken) =>
            {
                string branch = invocation.Parsed.GetValue(name)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IBranchGrain grain = session.Grains.GetBranch(invocation.Database!, branch);
                await grain.DescribeAsync(includeSize: false, cancellationToken);
                CommonSymbols.Confirm(
                    invocation,
                    invocation.Parsed.GetValue(yes),
                    $"Delete branch {branch} of database {invocation.Database}, for good?",
                    invocation.Command("branch", "delete", invocation.Database!, branch, "--yes"));
                await grain.DeleteAsync(cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonObject { ["deleted"] = branch });
                }
                else
                {
                    await host.Out.WriteLineAsync($"deleted branch {branch}");
                }

                return ExitCode.Ok;
            });
    }

    private static Argument<string> Name() => new(BranchName) { Description = "Name of the branch." };

    private static IEnumerable<(string Name, string Value)> Facts(
        BranchDescription branch, IReadOnlyList<BranchDescription> children, bool shared)
    {
        yield return ("branch", branch.Name);
        yield return ("database", branch.Database);
        yield return ("state", Descriptions.State(branch));
        if (branch.Problem is { } problem)
        {
            yield return ("problem", problem);
        }

        if (branch.Parent is not null)
        {
            yield return ("parent", $"{branch.Parent} at sequence {Screen.Number((long)branch.BranchSequence)}");
        }

        yield return (
            "children", children.Count == 0 ? "none" : string.Join(' ', children.Select(child => child.Name)));
        yield return ("created", $"{Screen.Time(branch.CreatedAt)} by {branch.CreatedBy}");
        yield return ("durability", branch.Durability == BranchDurability.Durable && !shared
            ? "this node only: there is no shared storage"
            : SnapshotText.Durability(branch, shared));
        if (shared && branch.Durability == BranchDurability.Durable)
        {
            yield return ("last snapshot", branch.LastSnapshotAt is { } taken
                ? $"{Screen.Time(taken)} {branch.LastSnapshotId}".TrimEnd()
                : "none yet");
            yield return ("lag", SnapshotText.Lag(branch, shared));
        }

        if (branch.Labels.Count > 0)
        {
            yield return ("labels", Descriptions.Labels(branch));
        }

        yield return ("store", branch.StoreId);
        if (branch.Parent is not null)
        {
            yield return ("files at creation", $"{branch.LinkedFiles} linked, {branch.CopiedFiles} copied");
        }

        if (branch.Size is { } size)
        {
            yield return ("size", $"{Screen.Bytes(size.TotalBytes)} in {size.Files} files: "
                + $"{Screen.Bytes(size.SharedBytes)} shared, {Screen.Bytes(size.UniqueBytes)} its own");
        }
    }
}
