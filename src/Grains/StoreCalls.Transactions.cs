using Branching.Storage;
using Branching.Storage.Transactions;

namespace Branching.Grains;

internal sealed partial class StoreCalls
{
    public ValueTask<TransactionReadResponse> ReadForTransactionAsync(
        TransactionReadRequest request, CancellationToken cancellationToken) => OnStoreAsync(
        request,
        static async (self, branch, request, cancellationToken) =>
        {
            GrainFailure.ThrowIfMissing(request?.Keys, "The list of keys");
            if (request.Keys.Count > MaxItems)
            {
                GrainFailure.ThrowIfOutside(request.Keys.Count, MaxItems, "The number of keys of a read");
            }

            (string? ColumnFamily, ReadOnlyMemory<byte> Key)[] keys =
                [.. request.Keys.Select(key => (key.ColumnFamily, key.Key))];
            TransactionReads reads = await Task.Run(() => branch.Store.ReadForCommit(keys), cancellationToken);
            return new TransactionReadResponse(
                self.Answer(reads.Values).Values, reads.Sequence.Value, TokenOf(branch, reads.Life));
        },
        cancellationToken);

    public ValueTask<CommitResponse> CommitAsync(CommitRequest request, CancellationToken cancellationToken)
        => OnStoreAsync(
        request,
        static async (self, branch, request, cancellationToken) =>
        {
            ReadSetCommit commit = ToStorage(request, branch);
            using WriteGate.Change change = self.BeginChange();
            CommitResult result = await branch.Store.CommitAsync(commit, cancellationToken);
            if (result.Committed)
            {
                self._gate!.NoteWritten(request.Operations.Sum(
                    operation => (long)operation.Key.Length + operation.Value.Length));
            }

            return new CommitResponse(
                result.Committed, result.Committed ? result.Sequence.Value : 0, ToWire(result.Conflict));
        },
        cancellationToken);

    private static byte[] TokenOf(OpenBranch branch, Guid life) => new TransactionToken(
        branch.Database.Id, branch.Database.Epoch, branch.Lease.Branch.Id, life).ToBytes();

    private static ReadSetCommit ToStorage(CommitRequest? request, OpenBranch branch)
    {
        GrainFailure.ThrowIfMissing(request?.Reads, "The list of reads");
        GrainFailure.ThrowIfMissing(request.Operations, "The list of operations");
        if (request.Reads.Count + request.Operations.Count is var count && count > MaxItems)
        {
            GrainFailure.ThrowIfOutside(count, MaxItems, "The number of reads and operations of a commit");
        }

        if (request.Ranges is { Count: > OptimisticTransaction.MaxRanges } ranges)
        {
            GrainFailure.ThrowIfOutside(
                ranges.Count, OptimisticTransaction.MaxRanges, "The number of ranges of a commit");
        }

        TransactionToken token = TransactionToken.Parse(
            request.Token, branch.Database.Id, branch.Lease.Branch.Id);

        // In another epoch the sequences may count other writes, so the store must not take them for its own.
        Guid life = token.Epoch == branch.Database.Epoch ? token.Life : Guid.Empty;
        return new ReadSetCommit(
            request.Id,
            life,
            [.. request.Reads.Select(read => new KeyRead(read.ColumnFamily, read.Key, new Sequence(read.Sequence)))],
            request.Operations.Count == 0
                ? []
                : ToStorage(new WriteRequest(request.Operations)).Operations,
            (Durability)(int)request.Durability,
            request.IsRepeated,
            [.. (request.Ranges ?? []).Select(range => new RangeRead(
                range.ColumnFamily, range.From, range.To, new Sequence(range.Sequence)))]);
    }

    private static CommitConflict? ToWire(TransactionConflict? conflict) => conflict is null
        ? null
        : new CommitConflict(
            (CommitConflictKind)(int)conflict.Kind, conflict.Key, conflict.Written.Value, conflict.ColumnFamily);
}
