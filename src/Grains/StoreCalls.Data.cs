using Branching.Storage;

namespace Branching.Grains;

internal sealed partial class StoreCalls
{
    public ValueTask<GetResponse> GetAsync(GetRequest request, CancellationToken cancellationToken) => ReadAsync(
        request, static (self, branch, request, _) => self.GetAsync(branch.Store, request), cancellationToken);

    public ValueTask<MultiGetResponse> MultiGetAsync(MultiGetRequest request, CancellationToken cancellationToken)
        => ReadAsync(
            request,
            static async (self, branch, request, cancellationToken) =>
            {
                GrainFailure.ThrowIfMissing(request?.Keys, "The list of keys");
                GrainFailure.ThrowIfOutside(request.Keys.Count, MaxItems, "The number of keys of a multi-get");
                return self.Answer(await Task.Run(
                    () => branch.Store.MultiGet(request.ColumnFamily, request.Keys), cancellationToken));
            },
            cancellationToken);

    public ValueTask<WriteResponse> WriteAsync(WriteRequest request, CancellationToken cancellationToken)
        => OnStoreAsync(
        request,
        static async (self, branch, request, cancellationToken) =>
        {
            using WriteGate.Change change = self.BeginChange();
            WriteResult result = await branch.Store.WriteAsync(ToStorage(request), cancellationToken);
            if (result.Applied)
            {
                self._gate!.NoteWritten(BytesOf(request));
            }

            return new WriteResponse(
                result.Applied, result.Applied ? result.Sequence.Value : 0, result.FailedPrecondition);
        },
        cancellationToken);

    public ValueTask<CountResponse> CountAsync(CountRequest request, CancellationToken cancellationToken)
        => ReadAsync(
        request,
        static async (_, branch, request, cancellationToken) =>
        {
            GrainFailure.ThrowIfMissing(request, "The request");
            if (!request.Estimate)
            {
                long count = await Task.Run(
                    () => branch.Store.Count(request.ColumnFamily, ToStorage(request.Range), cancellationToken),
                    cancellationToken);
                return new CountResponse(count, IsEstimate: false);
            }

            CountEstimate about = await Task.Run(
                () => branch.Store.EstimateCount(request.ColumnFamily, ToStorage(request.Range), cancellationToken),
                cancellationToken);
            return new CountResponse(about.Keys, !about.IsExact);
        },
        cancellationToken);

    private static long BytesOf(WriteRequest request)
    {
        long bytes = 0;
        foreach (WriteOperation operation in request.Operations)
        {
            bytes += operation.Key.Length + operation.Value.Length;
        }

        return bytes;
    }

    private async ValueTask<GetResponse> GetAsync(LocalStore store, GetRequest request)
    {
        ValueBuffer buffer = new();
        if (!await store.GetAsync(request.ColumnFamily, request.Key, buffer))
        {
            return default;
        }

        ReadOnlyMemory<byte> value = buffer.Value;
        return value.Length <= node.Options.MaxResponseBytes
            ? new GetResponse(Found: true, value)
            : throw TooLarge(request.Key.Length, value.Length);
    }

    private MultiGetResponse Answer(IReadOnlyList<ReadOnlyMemory<byte>?> values)
    {
        GetResponse[] answers = new GetResponse[values.Count];
        long total = 0;
        for (int i = 0; i < answers.Length; i++)
        {
            if (values[i] is { } value)
            {
                answers[i] = new GetResponse(Found: true, value);
                total += value.Length;
            }
        }

        if (total > node.Options.MaxResponseBytes)
        {
            throw new StorageException(
                Storage.FailureKind.RequestTooLarge,
                $"The {answers.Length} values asked for at once from {Label} have {total} bytes, more than the " +
                $"{node.Options.MaxResponseBytes} that one answer may have (MaxResponseBytes). Ask for fewer keys " +
                $"at once, or read with {nameof(IStoreGrain.StreamAsync)}.");
        }

        return new MultiGetResponse(answers);
    }

    private StorageException TooLarge(int keyBytes, long valueBytes) => new(
        Storage.FailureKind.RequestTooLarge,
        $"The value of a key of {keyBytes} bytes in {Label} has {valueBytes} bytes, more than the " +
        $"{node.Options.MaxResponseBytes} that one answer may have (MaxResponseBytes). Read it with " +
        $"{nameof(IStoreGrain.StreamAsync)}.");

    private static Storage.WriteRequest ToStorage(WriteRequest? request)
    {
        GrainFailure.ThrowIfMissing(request?.Operations, "The list of operations");
        GrainFailure.ThrowIfOutside(request.Operations.Count, MaxItems, "The number of operations of a write");
        Storage.WriteOperation[] operations = new Storage.WriteOperation[request.Operations.Count];
        for (int i = 0; i < operations.Length; i++)
        {
            WriteOperation from = request.Operations[i];
            operations[i] = new Storage.WriteOperation(
                (WriteKind)(int)from.Kind, from.ColumnFamily, from.Key, from.Value, from.TimeToLive);
        }

        Precondition[]? preconditions = null;
        if (request.Preconditions is { Count: > 0 } conditions)
        {
            GrainFailure.ThrowIfOutside(conditions.Count, MaxItems, "The number of preconditions of a write");
            preconditions = new Precondition[conditions.Count];
            for (int i = 0; i < preconditions.Length; i++)
            {
                WritePrecondition from = conditions[i];
                preconditions[i] = new Precondition(
                    (PreconditionKind)(int)from.Kind, from.ColumnFamily, from.Key, from.Value);
            }
        }

        return new Storage.WriteRequest(operations, preconditions, (Durability)(int)request.Durability);
    }

    private static Storage.KeyRange ToStorage(KeyRange range) =>
        new(range.From, range.To, range.FromExclusive, range.ToInclusive);
}
