using System.Globalization;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>Descriptions as JSON; the field names are documented in docs/cli.md and stay.</summary>
internal static class Descriptions
{
    public static JsonObject ToJson(DatabaseDescription database) => new()
    {
        ["name"] = database.Name,
        ["id"] = Known(database.DatabaseId),
        ["epoch"] = database.Epoch == 0 ? null : database.Epoch,
        ["createdAt"] = Time(database.CreatedAt == default ? null : database.CreatedAt),
        ["createdBy"] = Known(database.CreatedBy),
        ["node"] = Known(database.Node),
        ["branches"] = database.Branches,
        ["sequence"] = database.Sequence,
        ["state"] = SnapshotText.State(database.State),
        ["lastSnapshotAt"] = Time(database.LastSnapshotAt),
        ["lag"] = database.Lag is { } lag
            ? new JsonObject
            {
                ["sequences"] = lag.Sequences,
                ["ageMs"] = lag.Age.TotalMilliseconds,
                ["branchesNeverTaken"] = lag.BranchesNeverTaken,
            }
            : null,
        ["problem"] = database.Problem,
    };

    public static JsonObject ToJson(BranchDescription branch)
    {
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
            ["labels"] = ToJson(branch.Labels),
            ["state"] = State(branch),
            ["linkedFiles"] = branch.LinkedFiles,
            ["copiedFiles"] = branch.CopiedFiles,
            ["durability"] = branch.Durability.ToString().ToLowerInvariant(),
            ["lastSnapshot"] = branch.LastSnapshotId,
            ["lastSnapshotAt"] = Time(branch.LastSnapshotAt),
            ["lagSequences"] = branch.LagSequences,
            ["lagAgeMs"] = branch.LagAge?.TotalMilliseconds,
            ["problem"] = branch.Problem,
        };
        if (branch.Size is { } size)
        {
            json["size"] = ToJson(size);
        }

        return json;
    }

    /// <summary>Names and values, ordered by name.</summary>
    public static JsonObject ToJson(IReadOnlyDictionary<string, string> values)
        => new(values.OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));

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
        ["writtenBytes"] = figures.WrittenBytes,
        ["waitingRequests"] = figures.WaitingRequests,
        ["logBytes"] = figures.LogBytes,
        ["snapshots"] = figures.Snapshots,
        ["oldestSnapshotAt"] = Time(figures.OldestSnapshotAt),
        ["writesStopped"] = figures.WritesStopped,
        ["delayedWriteBytesPerSecond"] = figures.DelayedWriteBytesPerSecond,
        ["backgroundErrors"] = figures.BackgroundErrors,
        ["blockCacheBytes"] = figures.BlockCacheBytes,
        ["tickers"] = figures.Tickers is { } tickers
            ? new JsonObject(tickers.OrderBy(ticker => ticker.Key, StringComparer.Ordinal)
                .Select(ticker => KeyValuePair.Create(ticker.Key, (JsonNode?)ticker.Value)))
            : null,
        ["histograms"] = figures.Histograms is { } histograms ? ToJson(histograms) : null,
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
        ["nodeId"] = node.NodeId,
        ["owned"] = node.Owned is { } owned ? new JsonArray([.. owned.Select(name => (JsonNode)name)]) : null,
        ["sharedStorage"] = node.SharedStorage,
        ["sharedStorageProblem"] = node.SharedStorageProblem,
        ["dirtyStore"] = node.DirtyStore,
        ["quarantined"] = node.Quarantined,
        ["stale"] = new JsonArray([.. (node.Stale ?? []).Select(name => (JsonNode?)name)]),
        ["processId"] = node.ProcessId,
        ["startedAt"] = Time(node.StartedAt == default ? null : node.StartedAt),
    };

    public static string State(BranchDescription branch) => branch.State switch
    {
        BranchState.Ready => "ready",
        BranchState.Deleting => "deleting",
        BranchState.Deleted => "deleted",
        BranchState.Missing => "missing",
        BranchState.Damaged => "damaged",
        BranchState.Lost => "lost",
        _ => branch.State.ToString(),
    };

    public static string Labels(BranchDescription branch) => Labels(branch.Labels);

    public static string Labels(IReadOnlyDictionary<string, string> labels)
        => string.Join(
            ' ', labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"));

    /// <summary>A number, or a dash when it is not known.</summary>
    public static string Number(long? number) => number is { } known ? Screen.Number(known) : "-";

    /// <summary>What is empty because it is not known, as null.</summary>
    public static JsonNode? Known(string text) => text.Length == 0 ? null : text;

    /// <summary>ISO 8601; null for no time.</summary>
    public static JsonNode? Time(DateTimeOffset? time)
        => time?.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
