using Branching.Storage;

namespace Branching.Grains;

/// <summary>Maps Storage's records to the wire, and checks what callers say about themselves.</summary>
internal static class Descriptions
{
    public const int MaxCreatedByLength = 256;
    public const int MaxOperationIdLength = 128;
    public const int MaxLabels = 64;
    public const int MaxLabelNameLength = 128;
    public const int MaxLabelValueLength = 1024;

    public static BranchDescription Of(Database database, BranchRecord record, Storage.BranchSize? size = null)
    {
        bool counted = database.SurvivesItsNode
            && record is { Durability: Storage.BranchDurability.Durable, State: Storage.BranchState.Ready };
        return Of(database, record, size, counted ? database.GetLag(record) : null);
    }

    private static BranchDescription Of(
        Database database, BranchRecord record, Storage.BranchSize? size, SnapshotLag? lag) => new(
        database.Name.Value,
        record.Name.Value,
        record.Id.ToString(),
        record.ParentName?.Value,
        record.ParentId?.ToString(),
        record.BranchSequence.Value,
        record.Depth,
        record.CreatedAt,
        record.CreatedBy,
        record.Labels,
        record.State == Storage.BranchState.Ready && database.DamageOf(record.Id) is not null
            ? BranchState.Damaged
            : (BranchState)(int)record.State,
        record.LinkedFiles,
        record.CopiedFiles,
        size is { } measured
            ? new BranchSize(measured.TotalBytes, measured.SharedBytes, measured.UniqueBytes, measured.Files)
            : null,
        (BranchDurability)(int)record.Durability,
        lag?.Snapshot?.ToString(),
        lag?.SnapshottedAt,
        lag?.Sequences,
        lag?.Behind,
        database.DamageOf(record.Id));

    /// <summary>Branches with their lag, which also those have that nobody opened yet.</summary>
    /// <param name="database">Of which.</param>
    /// <param name="find">The branches; asked when the lag is known.</param>
    /// <param name="cancellationToken">Ends looking for the lag.</param>
    public static async Task<IReadOnlyList<BranchDescription>> OfAsync(
        Database database, Func<Database, IEnumerable<BranchRecord>> find, CancellationToken cancellationToken)
    {
        await database.LookForLagAsync(branch: null, cancellationToken);
        return find(database).Select(record => Of(database, record)).ToArray();
    }

    /// <summary>What of a database is not on shared storage. Asks no disk.</summary>
    public static DatabaseLag LagOf(Database database)
    {
        SnapshotLag lag = database.GetLag();
        return new DatabaseLag(lag.Sequences, lag.Behind, database.ListBranches().Count(record =>
            record is { Durability: Storage.BranchDurability.Durable, State: Storage.BranchState.Ready }
            && database.GetLag(record).Snapshotted is null));
    }

    public static void CheckCreatedBy(string? createdBy)
    {
        GrainFailure.ThrowIfMissing(createdBy, "CreatedBy");
        if (createdBy.Length > MaxCreatedByLength)
        {
            throw GrainFailure.Refused(
                $"CreatedBy has {createdBy.Length} characters; at most {MaxCreatedByLength} are allowed.");
        }
    }

    public static void CheckOperationId(string? operationId)
    {
        if (operationId is not null && operationId.Length is 0 or > MaxOperationIdLength)
        {
            throw GrainFailure.Refused(
                $"OperationId has {operationId!.Length} characters; 1 to {MaxOperationIdLength} are allowed, or " +
                $"leave it out.");
        }
    }

    public static void CheckLabels(IReadOnlyDictionary<string, string>? labels)
    {
        if (labels is null)
        {
            return;
        }

        if (labels.Count > MaxLabels)
        {
            throw GrainFailure.Refused($"There are {labels.Count} labels; at most {MaxLabels} are allowed.");
        }

        foreach ((string name, string value) in labels)
        {
            if (name.Length is 0 or > MaxLabelNameLength)
            {
                throw GrainFailure.Refused(
                    $"A label's name has {name.Length} characters; 1 to {MaxLabelNameLength} are allowed.");
            }

            GrainFailure.ThrowIfMissing(value, $"The value of label '{name}'");
            if (value.Length > MaxLabelValueLength)
            {
                throw GrainFailure.Refused(
                    $"The value of label '{name}' has {value.Length} characters; at most {MaxLabelValueLength:N0} " +
                    $"are allowed.");
            }
        }
    }
}
