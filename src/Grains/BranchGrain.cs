using Branching.Storage;

namespace Branching.Grains;

/// <summary>One branch, on the node that holds its database.</summary>
[PlacedWithDatabase]
internal sealed class BranchGrain(ServingNode node) : StoreGrain(node), IBranchGrain
{
    // A key without a slash names no database: the empty name is refused by every call.
    protected override BranchKey Target =>
        BranchKey.TryParse(this.GetPrimaryKeyString(), out BranchKey key)
            ? key
            : new BranchKey("", this.GetPrimaryKeyString());

    public ValueTask<BranchDescription> CreateAsync(
        CreateBranchRequest request, CancellationToken cancellationToken = default)
        => Calls.RunAsync(
            (Target, request),
            static async (calls, call, cancellationToken) =>
            {
                (BranchKey target, CreateBranchRequest? request) = call;
                GrainFailure.ThrowIfMissing(request, "The request");
                Descriptions.CheckCreatedBy(request.CreatedBy);
                Descriptions.CheckLabels(request.Labels);
                Descriptions.CheckOperationId(request.OperationId);
                GrainFailure.ThrowIfMissing(request.Parent, "The parent");
                Database database = await calls.GetDatabaseAsync(cancellationToken);
                using WriteGate.Change change = calls.BeginChange();
                CreateBranch create = new(
                    BranchName.Parse(target.Branch),
                    BranchName.Parse(request.Parent),
                    request.CreatedBy,
                    request.Labels,
                    request.OperationId,
                    (Storage.BranchDurability?)(int?)request.Durability,
                    request.ChangeLog);
                return Descriptions.Of(database, await database.CreateBranchAsync(create, cancellationToken));
            },
            cancellationToken);

    public ValueTask<BranchDescription> DescribeAsync(
        bool includeSize = false, CancellationToken cancellationToken = default)
        => Calls.RunAsync(
            (Target, includeSize),
            static async (calls, call, cancellationToken) =>
            {
                Database database = await calls.GetDatabaseAsync(cancellationToken);
                BranchRecord record = database.GetBranch(BranchName.Parse(call.Target.Branch));
                await database.LookForLagAsync(record.Name, cancellationToken);
                return Descriptions.Of(
                    database,
                    record,
                    call.includeSize ? await database.MeasureAsync(record.Name, cancellationToken) : null);
            },
            cancellationToken);

    public ValueTask<IReadOnlyList<BranchDescription>> ListChildrenAsync(CancellationToken cancellationToken = default)
        => Calls.RunAsync(
            Target,
            static async (calls, target, cancellationToken) => await Descriptions.OfAsync(
                await calls.GetDatabaseAsync(cancellationToken),
                database => database.GetChildren(BranchName.Parse(target.Branch))
                    .Where(record => record.State != Storage.BranchState.Deleted),
                cancellationToken),
            cancellationToken);

    public async ValueTask DeleteAsync(CancellationToken cancellationToken = default) => await Calls.RunAsync(
        this,
        static async (calls, grain, cancellationToken) =>
        {
            Database database = await calls.GetDatabaseAsync(cancellationToken);
            using WriteGate.Change change = calls.BeginChange();
            BranchName name = BranchName.Parse(grain.Target.Branch);
            if (database.TryGetBranch(name, out _))
            {
                // Open streams hold the store; they are this grain's own and end with the branch.
                await calls.CloseStreamsAsync();
            }

            await database.DeleteBranchAsync(name, cancellationToken);
            grain.DeactivateOnIdle();
            return true;
        },
        cancellationToken);
}
