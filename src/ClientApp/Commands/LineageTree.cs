using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;
using Spectre.Console;

namespace Branching.ClientApp.Commands;

/// <summary>Draws a database's lineage.</summary>
internal static class LineageTree
{
    /// <summary>The tree; on a terminal in colour.</summary>
    /// <param name="host">Where to.</param>
    /// <param name="lineage">Every store of the database.</param>
    /// <param name="note">What to add to a branch's line; null for nothing.</param>
    public static void Draw(
        CommandHost host, IReadOnlyList<BranchDescription> lineage, Func<BranchDescription, string?> note)
    {
        IAnsiConsole console = Screen.Open(host.Out, host.OutputIsTerminal);
        foreach (BranchDescription root in Roots(lineage))
        {
            var tree = new Tree(new Markup(Line(root, note)))
            {
                Guide = host.OutputIsTerminal ? TreeGuide.Line : TreeGuide.Ascii,
            };
            AddChildren(tree, root, lineage, note);
            console.Write(tree);
        }
    }

    /// <summary>
    /// The tree of the main store as nested objects; stores whose parents are not known stand beside it, as main stores
    /// that were replaced do.
    /// </summary>
    public static JsonObject ToJson(IReadOnlyList<BranchDescription> lineage)
    {
        BranchDescription[] roots = [.. Roots(lineage)];
        BranchDescription main = Array.Find(roots, root => IsMain(root) && root.State != BranchState.Deleted)
            ?? roots[0];
        JsonObject json = ToJson(main, lineage);
        json["otherRoots"] = new JsonArray(
            [.. roots.Where(root => root != main).Select(root => ToJson(root, lineage))]);
        return json;
    }

    private static JsonObject ToJson(BranchDescription branch, IReadOnlyList<BranchDescription> lineage)
    {
        JsonObject json = Descriptions.ToJson(branch);
        json["children"] = new JsonArray([.. Children(branch, lineage).Select(child => ToJson(child, lineage))]);
        return json;
    }

    private static void AddChildren(
        IHasTreeNodes node,
        BranchDescription branch,
        IReadOnlyList<BranchDescription> lineage,
        Func<BranchDescription, string?> note)
    {
        foreach (BranchDescription child in Children(branch, lineage))
        {
            AddChildren(node.AddNode(new Markup(Line(child, note))), child, lineage, note);
        }
    }

    private static IEnumerable<BranchDescription> Roots(IReadOnlyList<BranchDescription> lineage)
    {
        var known = lineage.Select(branch => branch.StoreId).ToHashSet(StringComparer.Ordinal);
        return lineage.Where(branch => branch.ParentStoreId is null || !known.Contains(branch.ParentStoreId));
    }

    private static IEnumerable<BranchDescription> Children(
        BranchDescription branch, IReadOnlyList<BranchDescription> lineage)
        => lineage.Where(child => child.ParentStoreId == branch.StoreId)
            .OrderBy(child => child.Name, StringComparer.Ordinal);

    private static bool IsMain(BranchDescription branch) => branch.Name == BranchKey.Main;

    private static string Line(BranchDescription branch, Func<BranchDescription, string?> note)
    {
        string line = $"[bold]{Markup.Escape(branch.Name)}[/]";
        if (branch.Parent is not null)
        {
            line += $" [dim]at {Screen.Number((long)branch.BranchSequence)}, {Screen.Time(branch.CreatedAt)}[/]";
        }

        if (branch.State != BranchState.Ready)
        {
            // The main store is never deleted: a restore puts another one in its place.
            bool isReplaced = IsMain(branch) && branch.State == BranchState.Deleted;
            line += $" [red]({(isReplaced ? "replaced" : Descriptions.State(branch))})[/]";
        }

        if (branch.Durability == BranchDurability.Ephemeral)
        {
            line += " [yellow](ephemeral)[/]";
        }

        if (branch.Labels.Count > 0)
        {
            line += $" [blue]{Markup.Escape(Descriptions.Labels(branch))}[/]";
        }

        return note(branch) is { } more ? $"{line} {Markup.Escape(more)}" : line;
    }
}
