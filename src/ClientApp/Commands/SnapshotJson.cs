using System.Text.Json.Nodes;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>Snapshots, policies, failovers and moves as JSON; the field names are documented and stay.</summary>
internal static class SnapshotJson
{
    public static JsonObject ToJson(SnapshotDescription snapshot) => new()
    {
        ["id"] = snapshot.SnapshotId,
        ["branch"] = snapshot.Branch,
        ["storeId"] = snapshot.StoreId,
        ["epoch"] = snapshot.Epoch,
        ["sequence"] = snapshot.Sequence,
        ["takenAt"] = Descriptions.Time(snapshot.TakenAt),
        ["node"] = snapshot.Node,
        ["files"] = snapshot.Files,
        ["totalBytes"] = snapshot.TotalBytes,
        ["sentBytes"] = snapshot.SentBytes,
        ["labels"] = Descriptions.ToJson(snapshot.Labels),
        ["pins"] = new JsonArray([.. snapshot.Pins.Select(ToJson)]),
        ["verified"] = snapshot.Verified is { } verified ? ToJson(verified) : null,
        ["problem"] = snapshot.Problem,
    };

    public static JsonObject ToJson(SnapshotDetails details)
    {
        JsonObject json = ToJson(details.Snapshot);
        json["database"] = details.Database;
        json["databaseId"] = details.DatabaseId;
        json["format"] = details.Format;
        json["program"] = details.Program;
        json["rocksDbVersion"] = details.RocksDbVersion;
        json["parentStoreId"] = details.ParentStoreId;
        json["parentSequence"] = details.ParentSequence;
        json["depth"] = details.Depth;
        json["options"] = Descriptions.ToJson(details.Options);
        json["fileList"] = new JsonArray([.. details.FileList.Select(file => (JsonNode)new JsonObject
        {
            ["name"] = file.Name,
            ["role"] = file.Role,
            ["bytes"] = file.Bytes,
            ["sha256"] = file.Sha256,
            ["object"] = file.ObjectName,
        })]);
        json["manifestSha256"] = details.ManifestSha256;
        return json;
    }

    public static JsonObject ToJson(SnapshotPin pin) => new()
    {
        ["pinId"] = pin.PinId,
        ["snapshot"] = pin.SnapshotId,
        ["reason"] = pin.Reason,
        ["createdBy"] = pin.CreatedBy,
        ["createdAt"] = Descriptions.Time(pin.CreatedAt),
        ["expiresAt"] = Descriptions.Time(pin.ExpiresAt),
    };

    public static JsonObject ToJson(VerificationOutcome verified) => new()
    {
        ["snapshot"] = verified.SnapshotId,
        ["kind"] = verified.Kind.ToString().ToLowerInvariant(),
        ["good"] = verified.Good,
        ["findings"] = Array(verified.Findings),
        ["verifiedAt"] = Descriptions.Time(verified.VerifiedAt),
        ["bytes"] = verified.Bytes,
    };

    public static JsonObject ToJson(TakenSnapshot taken) => new()
    {
        ["branch"] = taken.Branch,
        ["snapshot"] = taken.SnapshotId,
        ["sequence"] = taken.Sequence,
        ["unchanged"] = taken.Unchanged,
        ["files"] = taken.Files,
        ["totalBytes"] = taken.TotalBytes,
        ["sentFiles"] = taken.SentFiles,
        ["sentBytes"] = taken.SentBytes,
        ["problem"] = taken.Problem,
    };

    public static JsonObject ToJson(CopyOutcome copied) => new()
    {
        ["snapshot"] = copied.SnapshotId,
        ["target"] = copied.Target,
        ["sentFiles"] = copied.SentFiles,
        ["sentBytes"] = copied.SentBytes,
        ["totalBytes"] = copied.TotalBytes,
    };

    public static JsonObject ToJson(RestoreOutcome restored) => new()
    {
        ["dryRun"] = restored.DryRun,
        ["database"] = restored.Database,
        ["stores"] = new JsonArray([.. restored.Stores.Select(store => (JsonNode)new JsonObject
        {
            ["branch"] = store.Branch,
            ["snapshot"] = store.SnapshotId,
            ["sequence"] = store.Sequence,
            ["fetchedBytes"] = store.FetchedBytes,
            ["linkedBytes"] = store.LinkedBytes,
        })]),
        ["neededBytes"] = restored.NeededBytes,
        ["freeBytes"] = restored.FreeBytes,
        ["quarantine"] = restored.Quarantine,
        ["steps"] = Array(restored.Steps),
    };

    public static JsonObject ToJson(CollectionOutcome collected) => new()
    {
        ["dryRun"] = collected.DryRun,
        ["snapshots"] = Array(collected.Snapshots),
        ["objects"] = collected.Objects,
        ["bytes"] = collected.Bytes,
        ["keptSnapshots"] = collected.KeptSnapshots,
        ["keptBecause"] = Array(collected.KeptBecause),
        ["stopped"] = collected.Stopped,
    };

    public static JsonObject ToJson(SnapshotPolicy policy) => new()
    {
        ["everyMs"] = policy.Every?.TotalMilliseconds,
        ["everyBytes"] = policy.EveryBytes,
        ["keepLast"] = policy.KeepLast,
        ["keepHourly"] = policy.KeepHourly,
        ["keepDaily"] = policy.KeepDaily,
        ["keepWeekly"] = policy.KeepWeekly,
        ["verifyEveryMs"] = policy.VerifyEvery?.TotalMilliseconds,
        ["verifyKind"] = policy.VerifyKind.ToString().ToLowerInvariant(),
        ["collectEveryMs"] = policy.CollectEvery?.TotalMilliseconds,
    };

    public static JsonObject ToJson(SnapshotStatus status) => new()
    {
        ["policy"] = ToJson(status.Policy),
        ["isDefaultPolicy"] = status.IsDefaultPolicy,
        ["healthy"] = status.Healthy,
        ["problems"] = Array(status.Problems),
        ["nextDueAt"] = Descriptions.Time(status.NextDueAt),
        ["lastSuccessAt"] = Descriptions.Time(status.LastSuccessAt),
        ["lastVerifiedAt"] = Descriptions.Time(status.LastVerifiedAt),
        ["lastCollectedAt"] = Descriptions.Time(status.LastCollectedAt),
        ["consecutiveFailures"] = status.ConsecutiveFailures,
        ["retryAt"] = Descriptions.Time(status.RetryAt),
        ["lastFailure"] = status.LastFailure,
        ["bytesSinceSnapshot"] = status.BytesSinceSnapshot,
        ["lag"] = new JsonArray([.. status.Lag.Select(lag => (JsonNode)new JsonObject
        {
            ["branch"] = lag.Branch,
            ["storeId"] = lag.StoreId,
            ["durability"] = lag.Durability.ToString().ToLowerInvariant(),
            ["sequence"] = lag.Sequence,
            ["snapshot"] = lag.SnapshotId,
            ["snapshotSequence"] = lag.SnapshotSequence,
            ["snapshotAt"] = Descriptions.Time(lag.SnapshotAt),
            ["sequences"] = lag.Sequences,
            ["ageMs"] = lag.Age.TotalMilliseconds,
        })]),
    };

    public static JsonObject ToJson(SnapshotRun run) => new()
    {
        ["kind"] = run.Kind.ToString().ToLowerInvariant(),
        ["trigger"] = run.Trigger,
        ["startedAt"] = Descriptions.Time(run.StartedAt),
        ["durationMs"] = run.Duration.TotalMilliseconds,
        ["bytes"] = run.Bytes,
        ["state"] = run.State.ToString().ToLowerInvariant(),
        ["message"] = run.Message,
        ["node"] = run.Node,
    };

    public static JsonObject ToJson(FailoverRecord failover) => new()
    {
        ["id"] = failover.FailoverId,
        ["database"] = failover.Database,
        ["fromNode"] = failover.FromNode,
        ["toNode"] = failover.ToNode,
        ["fromEpoch"] = failover.FromEpoch,
        ["toEpoch"] = failover.ToEpoch,
        ["state"] = failover.State.ToString().ToLowerInvariant(),
        ["attempts"] = failover.Attempts,
        ["detectedAt"] = Descriptions.Time(failover.DetectedAt),
        ["fencedAt"] = Descriptions.Time(failover.FencedAt),
        ["restoredAt"] = Descriptions.Time(failover.RestoredAt),
        ["servingAt"] = Descriptions.Time(failover.ServingAt),
        ["lastSequence"] = failover.LastSequence,
        ["branches"] = failover.Branches,
        ["lostBranches"] = Array(failover.LostBranches ?? []),
        ["unsnapshottedSequences"] = failover.UnsnapshottedSequences,
        ["unsnapshottedAgeMs"] = failover.UnsnapshottedAge?.TotalMilliseconds,
        ["problem"] = failover.Problem,
    };

    public static JsonObject ToJson(MoveOutcome moved) => new()
    {
        ["database"] = moved.Database,
        ["fromNode"] = Descriptions.Known(moved.FromNode),
        ["toNode"] = moved.ToNode,
        ["succeeded"] = moved.Succeeded,
        ["writePauseMs"] = moved.WritePause.TotalMilliseconds,
        ["durationMs"] = moved.Duration.TotalMilliseconds,
        ["sentBytes"] = moved.SentBytes,
        ["epoch"] = moved.Epoch,
        ["sequence"] = moved.Sequence,
        ["leftBehind"] = Array(moved.LeftBehind),
        ["problem"] = moved.Problem,
    };

    private static JsonArray Array(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode)text)];
}
