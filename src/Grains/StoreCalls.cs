using Branching.Storage;

namespace Branching.Grains;

/// <summary>
/// The calls of <see cref="IStoreGrain"/> on one branch of one database: checks, asks Storage, maps the answer.
/// </summary>
/// <remarks>
/// RocksDB calls block, so all but a read that memory can answer run on the thread pool, never on a grain's turn.
/// A call for a database that is not on this node learns from the other nodes whether it lives elsewhere.
/// </remarks>
internal sealed partial class StoreCalls(ServingNode node, string database, string branch, Action leave)
{
    private WriteGate? _gate;

    /// <summary>Most entries, keys, operations or preconditions of one call.</summary>
    public const int MaxItems = 100_000;

    private TimeProvider Clock => node.Time;

    private string Label
        => branch == BranchKey.Main ? $"database '{database}'" : $"branch '{branch}' of database '{database}'";

    /// <summary>The database on this node; not before it may be answered for.</summary>
    public async ValueTask<Database> GetDatabaseAsync(CancellationToken cancellationToken)
    {
        Database found = await node.Databases.GetAsync(DatabaseName.Parse(database), cancellationToken);
        await found.WaitForLeaseAsync(cancellationToken);
        return found;
    }

    /// <summary>Begins a change of the database, unless changes pause; dispose the answer when it has ended.</summary>
    public WriteGate.Change BeginChange() => (_gate ??= node.Databases.GateOf(database)).Enter();

    /// <summary>Runs a call; whatever fails in it becomes a <see cref="BranchingException"/> here.</summary>
    public async ValueTask<TAnswer> RunAsync<TArgument, TAnswer>(
        TArgument argument,
        Func<StoreCalls, TArgument, CancellationToken, ValueTask<TAnswer>> call,
        CancellationToken cancellationToken)
    {
        try
        {
            return await call(this, argument, cancellationToken);
        }
        catch (Exception e) when (IsForeign(e, cancellationToken))
        {
            throw await FailureOfAsync(e, cancellationToken);
        }
    }

    /// <summary>
    /// Runs a call that only reads on the open store. When the lease ran out in the middle of it, it is repeated once
    /// the lease is valid again, so that a late renewal costs the caller time and not its answer.
    /// </summary>
    private ValueTask<TAnswer> ReadAsync<TArgument, TAnswer>(
        TArgument argument,
        Func<StoreCalls, OpenBranch, TArgument, CancellationToken, ValueTask<TAnswer>> call,
        CancellationToken cancellationToken)
        => OnStoreAsync(
            (argument, call),
            static async (self, branch, state, cancellationToken) =>
            {
                while (true)
                {
                    try
                    {
                        return await state.call(self, branch, state.argument, cancellationToken);
                    }
                    catch (StorageException e) when (e.Kind == Storage.FailureKind.LeaseExpired)
                    {
                        await branch.Database.WaitForLeaseAsync(cancellationToken);
                    }
                }
            },
            cancellationToken);

    /// <summary>Runs a call on the open store.</summary>
    private ValueTask<TAnswer> OnStoreAsync<TArgument, TAnswer>(
        TArgument argument,
        Func<StoreCalls, OpenBranch, TArgument, CancellationToken, ValueTask<TAnswer>> call,
        CancellationToken cancellationToken)
        => RunAsync(
            (argument, call),
            static async (self, state, cancellationToken) =>
            {
                (Database found, StoreLease lease) = await self.AcquireAsync(cancellationToken);
                using (lease)
                {
                    return await state.call(self, new OpenBranch(found, lease), state.argument, cancellationToken);
                }
            },
            cancellationToken);

    private async ValueTask<(Database Database, StoreLease Lease)> AcquireAsync(CancellationToken cancellationToken)
    {
        Database found = await GetDatabaseAsync(cancellationToken);
        return (found, await found.AcquireAsync(BranchName.Parse(branch), cancellationToken));
    }

    private static bool IsForeign(Exception e, CancellationToken cancellationToken) =>
        e is not BranchingException
            && (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested);

    private async ValueTask<BranchingException> FailureOfAsync(Exception e, CancellationToken cancellationToken)
    {
        BranchingException failure;
        if (e is StorageException storage)
        {
            failure = storage.Kind switch
            {
                Storage.FailureKind.DatabaseNotFound => await NotHereAsync(storage, cancellationToken),
                // Another node owns it, or will in a moment: the next call finds it.
                Storage.FailureKind.NotOwner => new BranchingException(FailureKind.Moved, storage.Message, true),
                // The next call finds the new owner; what became of a write that was under way, nobody knows.
                Storage.FailureKind.Fenced => new BranchingException(FailureKind.Fenced, storage.Message, true),
                _ => GrainFailure.From(storage),
            };
        }
        else
        {
            node.Logger.UnforeseenFailure(e, Label);
            failure = new BranchingException(
                FailureKind.Internal, $"A call on {Label} failed in a way the program does not foresee: {e.Message}");
        }

        if (failure.Kind is FailureKind.DatabaseNotFound or FailureKind.InvalidName
            or FailureKind.Moved or FailureKind.Closed or FailureKind.Fenced or FailureKind.NothingToRestore)
        {
            // The next call is placed anew, where the database lives by then.
            leave();
        }

        node.Instruments.CallFailed(failure.Kind);
        return failure;
    }

    /// <summary>Why a database is not here: it lives elsewhere, that cannot be told now, or it does not
    /// exist.</summary>
    private async ValueTask<BranchingException> NotHereAsync(
        StorageException absent, CancellationToken cancellationToken)
    {
        NodeAnswer[] others = await node.Locator.AskOthersAsync(database, cancellationToken);
        if (DatabasePlacementRule.Holder(others) is { } holder)
        {
            return new BranchingException(
                FailureKind.Moved,
                $"Database '{database}' lives on node {holder.Name}, not on {node.Silo.Name}. Try again.",
                isTransient: true);
        }

        return Silent(others) is { } silent
            ? new BranchingException(
                FailureKind.Closed, $"Whether database '{database}' exists cannot be told now: {silent}", true)
            : GrainFailure.From(absent);
    }

    /// <summary>Throws unless every other node says that it does not hold the database.</summary>
    public async ValueTask ThrowIfElsewhereAsync(CancellationToken cancellationToken)
    {
        NodeAnswer[] others = await node.Locator.AskOthersAsync(database, cancellationToken);
        if (DatabasePlacementRule.Holder(others) is { } holder)
        {
            leave();
            throw new StorageException(
                Storage.FailureKind.DatabaseExists, $"Database '{database}' exists already, on node {holder.Name}.");
        }

        if (Silent(others) is { } silent)
        {
            leave();
            throw new BranchingException(
                FailureKind.Closed,
                $"Database '{database}' was not created: whether it exists cannot be told now: {silent}",
                isTransient: true);
        }
    }

    private static string? Silent(NodeAnswer[] answers)
    {
        string[] names = [.. answers.Where(answer => answer.Holds is null).Select(answer => answer.Name)
            .Order(StringComparer.Ordinal)];
        return names.Length == 0
            ? null
            : $"node {string.Join(", ", names)} does not answer. Nothing was changed; try again.";
    }

    /// <summary>A database with one of its branches, open for the time of a call.</summary>
    private readonly record struct OpenBranch(Database Database, StoreLease Lease)
    {
        public LocalStore Store => Lease.Store;
    }
}
