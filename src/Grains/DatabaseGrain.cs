using Branching.Storage;

namespace Branching.Grains;

/// <summary>A database on the node that holds it; its data calls are those of the main store.</summary>
[PlacedWithDatabase]
internal sealed class DatabaseGrain(ServingNode node) : StoreGrain(node), IDatabaseGrain
{
    protected override BranchKey Target => new(this.GetPrimaryKeyString(), BranchKey.Main);

    public ValueTask<DatabaseDescription> CreateAsync(
        CreateDatabaseRequest request, CancellationToken cancellationToken = default)
        => Calls.RunAsync(
            (Grain: this, Request: request),
            static async (calls, call, cancellationToken) =>
            {
                (DatabaseGrain grain, CreateDatabaseRequest? request) = call;
                Descriptions.CheckCreatedBy(request?.CreatedBy);
                DatabaseName name = DatabaseName.Parse(grain.Target.Database);
                if (!grain.Node.Databases.IsShared && !grain.Node.Storage.Root.Contains(name))
                {
                    // Placement may be out of date; a second database of this name must not come to be.
                    await calls.ThrowIfElsewhereAsync(cancellationToken);
                }

                Database database = await grain.Node.Storage.Root.CreateDatabaseAsync(
                    name, request!.CreatedBy, cancellationToken);
                grain.Node.Logger.DatabaseCreated(name.Value, grain.Node.Silo.Name, request.CreatedBy);
                return await grain.DescribeAsync(database, cancellationToken);
            },
            cancellationToken);

    public ValueTask<DatabaseDescription> DescribeAsync(CancellationToken cancellationToken = default)
        => Calls.RunAsync(
        this,
        static async (calls, grain, cancellationToken) =>
            await grain.DescribeAsync(await calls.GetDatabaseAsync(cancellationToken), cancellationToken),
        cancellationToken);

    public async ValueTask DropAsync(CancellationToken cancellationToken = default) => await Calls.RunAsync(
        this,
        static async (calls, grain, cancellationToken) =>
        {
            // Open streams hold the stores; they are this grain's own and end with the database.
            await calls.CloseStreamsAsync();
            DatabaseName name = DatabaseName.Parse(grain.Target.Database);
            if (grain.Node.Databases.IsShared)
            {
                // Only its owner may end a database for all nodes; whoever is asked first becomes that.
                try
                {
                    await calls.GetDatabaseAsync(cancellationToken);
                }
                catch (StorageException e) when (IsUnservable(e.Kind))
                {
                    // Nobody can serve it, and its name would be taken for ever. Dropping it claims it without bringing
                    // it up; an owner that renews its lease forbids that, too.
                    grain.Node.Logger.UnservableDatabaseDropped(name.Value, e.Message);
                }
            }

            using WriteGate.Change change = calls.BeginChange();
            await grain.Node.Storage.Root.DropDatabaseAsync(name, cancellationToken);
            grain.Node.Logger.DatabaseDropped(name.Value, grain.Node.Silo.Name);
            grain.DeactivateOnIdle();
            return true;
        },
        cancellationToken);

    // What stays true however often it is tried, on whichever node.
    private static bool IsUnservable(Storage.FailureKind kind) => kind is Storage.FailureKind.NothingToRestore
        or Storage.FailureKind.SnapshotDamaged or Storage.FailureKind.SnapshotIncompatible
        or Storage.FailureKind.Corruption or Storage.FailureKind.UnknownStore or Storage.FailureKind.MissingStore;

    public ValueTask<IReadOnlyList<BranchDescription>> ListBranchesAsync(CancellationToken cancellationToken = default)
        => Calls.RunAsync(
            0,
            static async (calls, _, cancellationToken) => await Descriptions.OfAsync(
                await calls.GetDatabaseAsync(cancellationToken),
                static database => database.ListBranches(),
                cancellationToken),
            cancellationToken);

    public ValueTask<IReadOnlyList<BranchDescription>> GetLineageAsync(CancellationToken cancellationToken = default)
        => Calls.RunAsync(
            0,
            static async (calls, _, cancellationToken) => await Descriptions.OfAsync(
                await calls.GetDatabaseAsync(cancellationToken),
                // A child is one step deeper than its parent, so ordering by depth puts parents first.
                static database => database.ListBranches(includeDeleted: true).OrderBy(record => record.Depth),
                cancellationToken),
            cancellationToken);

    private async ValueTask<DatabaseDescription> DescribeAsync(Database database, CancellationToken cancellationToken)
    {
        await database.LookForLagAsync(branch: null, cancellationToken);
        string? problem = null;
        Sequence sequence;
        try
        {
            using StoreLease main = await database.AcquireAsync(BranchName.Main, cancellationToken);
            sequence = main.Store.LastAcknowledged;
        }
        catch (StorageException e) when (Database.IsDamage(e))
        {
            // Its branches have stores of their own, and serve.
            problem = $"its main store is damaged: {e.Message}";
            sequence = database.GetLag(BranchName.Main).Acknowledged ?? default;
        }

        return new DatabaseDescription(
            database.Name.Value,
            database.Id.ToString(),
            database.Epoch.Value,
            database.CreatedAt,
            database.CreatedBy,
            Node.Silo.Name,
            database.ListBranches().Count,
            sequence.Value,
            problem is null ? DatabaseState.Serving : DatabaseState.Failed,
            database.SurvivesItsNode ? Descriptions.LagOf(database) : null,
            database.GetLag(BranchName.Main).SnapshottedAt,
            problem);
    }
}
