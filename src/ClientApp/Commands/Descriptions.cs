using System.Globalization;
using System.Text.Json.Nodes;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>Descriptions as JSON; the field names are documented in docs/cli.md and stay.</summary>
internal static class Descriptions
{
    public static JsonObject ToJson(DatabaseDescription database) => new()
    {
        ["name"] = database.Name,
        ["id"] = database.DatabaseId,
        ["epoch"] = database.Epoch,
        ["createdAt"] = Time(database.CreatedAt),
        ["createdBy"] = database.CreatedBy,
        ["node"] = database.Node,
        ["branches"] = database.Branches,
        ["sequence"] = database.Sequence,
    };

    public static JsonObject ToJson(BranchDescription branch)
    {
        var labels = new JsonObject();
        foreach ((string name, string value) in branch.Labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            labels[name] = value;
        }

        var json = new JsonObject
        {
            ["database"] = branch.Database,
            ["name"] = branch.Name,
            ["storeId"] = branch.StoreId,
            ["parent"] = branch.Parent,
            ["parentStoreId"] = branch.ParentStoreId,
            ["branchSequence"] = branch.BranchSequence,
            ["depth"] = branch.Depth,
            ["createdAt"] = Time(branch.CreatedAt),
            ["createdBy"] = branch.CreatedBy,
            ["labels"] = labels,
            ["state"] = State(branch),
            ["linkedFiles"] = branch.LinkedFiles,
            ["copiedFiles"] = branch.CopiedFiles,
        };
        if (branch.Size is { } size)
        {
            json["size"] = ToJson(size);
        }

        return json;
    }

    public static JsonObject ToJson(BranchSize size) => new()
    {
        ["totalBytes"] = size.TotalBytes,
        ["sharedBytes"] = size.SharedBytes,
        ["uniqueBytes"] = size.UniqueBytes,
        ["files"] = size.Files,
    };

    public static JsonObject ToJson(StoreFigures figures) => new()
    {
        ["sequence"] = figures.Sequence,
        ["estimatedKeys"] = figures.EstimatedKeys,
        ["memtableBytes"] = figures.MemtableBytes,
        ["tableBytes"] = figures.TableBytes,
        ["level0Files"] = figures.Level0Files,
        ["pendingCompactionBytes"] = figures.PendingCompactionBytes,
        ["openIterators"] = figures.OpenIterators,
        ["writes"] = figures.Writes,
        ["writeGroups"] = figures.WriteGroups,
        ["syncs"] = figures.Syncs,
        ["poisoned"] = figures.Poisoned,
    };

    public static JsonObject ToJson(NodeDescription node) => new()
    {
        ["name"] = node.Name,
        ["address"] = node.Address,
        ["dataRoot"] = node.DataRoot,
        ["databases"] = new JsonArray([.. node.Databases.Select(name => (JsonNode)name)]),
        ["openStores"] = node.OpenStores,
        ["maxOpenStores"] = node.MaxOpenStores,
        ["freeBytes"] = node.FreeBytes,
        ["nativeVersion"] = node.NativeVersion,
    };

    public static string State(BranchDescription branch) => branch.State switch
    {
        BranchState.Ready => "ready",
        BranchState.Deleting => "deleting",
        BranchState.Deleted => "deleted",
        BranchState.Missing => "missing",
        BranchState.Damaged => "damaged",
        _ => branch.State.ToString(),
    };

    public static string Labels(BranchDescription branch)
        => string.Join(
            ' ', branch.Labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"));

    private static string Time(DateTimeOffset time)
        => time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
