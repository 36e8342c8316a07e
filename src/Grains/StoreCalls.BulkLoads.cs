using System.Collections.Concurrent;
using Branching.Storage;
using Branching.Storage.Bulk;

namespace Branching.Grains;

internal sealed partial class StoreCalls
{
    // Each may hold the memory of one sort and the disk space of what it has sorted.
    private const int MaxLoads = 4;

    // A timer gives up what its client forgot, beside the grain's turns.
    private readonly ConcurrentDictionary<Guid, OpenBulkLoad> _loads = new();

    public ValueTask<Guid> BeginBulkLoadAsync(BulkLoadRequest request, CancellationToken cancellationToken)
        => RunAsync(
            request,
            static async (self, request, cancellationToken) =>
            {
                GrainFailure.ThrowIfMissing(request, "The request");
                if (self._loads.Count >= MaxLoads)
                {
                    throw new StorageException(
                        Storage.FailureKind.Overloaded,
                        $"{MaxLoads} bulk loads into {self.Label} are under way, and that is the most. Nothing was " +
                        "changed; begin this one when another one has ended.");
                }

                Database found = await self.GetDatabaseAsync(cancellationToken);
                BulkLoadOptions options = new() { ColumnFamily = request.ColumnFamily };
                BulkLoad load = await found.BeginBulkLoadAsync(
                    BranchName.Parse(self.Branch), options, cancellationToken);
                OpenBulkLoad open = new(load, self.Clock, self.Forget);
                self._loads[open.Id] = open;
                return open.Id;
            },
            cancellationToken);

    public ValueTask<bool> AddToBulkLoadAsync(BulkLoadPart part, CancellationToken cancellationToken)
        => RunAsync(
            part,
            static async (self, part, cancellationToken) =>
            {
                GrainFailure.ThrowIfMissing(part?.Entries, "The list of records");
                GrainFailure.ThrowIfOutside(part.Entries.Count, MaxItems, "The number of records of a part");
                await self.LoadOf(part.Load).AddAsync(part, cancellationToken);
                return true;
            },
            cancellationToken);

    public ValueTask<BulkLoadResponse> CompleteBulkLoadAsync(Guid load, CancellationToken cancellationToken)
        => RunAsync(
            load,
            static async (self, id, cancellationToken) =>
            {
                OpenBulkLoad load = self.LoadOf(id);
                try
                {
                    using WriteGate.Change change = self.BeginChange();
                    BulkLoadResult result = await load.CompleteAsync(cancellationToken);
                    self._gate!.NoteWritten(load.Bytes);
                    return new BulkLoadResponse(result.Records, result.Keys, result.Tables, result.Sequence.Value);
                }
                finally
                {
                    await self.EndAsync(load);
                }
            },
            cancellationToken);

    public ValueTask<bool> AbandonBulkLoadAsync(Guid load, CancellationToken cancellationToken) => RunAsync(
        load,
        static async (self, id, _) =>
        {
            if (self._loads.TryGetValue(id, out OpenBulkLoad? load))
            {
                await self.EndAsync(load);
            }

            return true;
        },
        cancellationToken);

    /// <summary>Gives up the loads that are under way; the store is no longer held by them.</summary>
    private async Task AbandonLoadsAsync()
    {
        foreach (OpenBulkLoad load in _loads.Values)
        {
            await EndAsync(load);
        }
    }

    private OpenBulkLoad LoadOf(Guid id) => _loads.TryGetValue(id, out OpenBulkLoad? load)
        ? load
        : throw new StorageException(
            Storage.FailureKind.InvalidContinuation,
            $"Bulk load {id} into {Label} is not under way: it was completed or given up, or the database has moved " +
            "or was opened again since. Unless it was completed nothing of it was loaded; begin it again.");

    private async Task EndAsync(OpenBulkLoad load)
    {
        if (_loads.TryRemove(load.Id, out _))
        {
            try
            {
                await load.DisposeAsync();
            }
            catch (StorageException e)
            {
                // What it left the next start removes, and there is nobody to tell.
                node.Logger.LoadNotClosed(e, Label);
            }
        }
    }

    private void Forget(OpenBulkLoad load) => _ = Task.Run(() => EndAsync(load));
}
