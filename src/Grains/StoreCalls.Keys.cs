using Branching.Storage;

namespace Branching.Grains;

internal sealed partial class StoreCalls
{
    private const int MaxBatchKeys = 1_000_000;

    public ValueTask<InspectResponse> InspectAsync(InspectRequest request, CancellationToken cancellationToken)
        => OnStoreAsync(
            request,
            static async (_, branch, request, cancellationToken) =>
            {
                GrainFailure.ThrowIfMissing(request?.Keys, "The list of keys");
                GrainFailure.ThrowIfOutside(request.Keys.Count, MaxItems, "The number of keys of an inspection");
                return await Task.Run(() => Inspect(branch.Store, request), cancellationToken);
            },
            cancellationToken);

    public ValueTask<GetResponse> TakeAsync(TakeRequest request, CancellationToken cancellationToken) => OnStoreAsync(
        request,
        static async (self, branch, request, cancellationToken) =>
        {
            using WriteGate.Change change = self.BeginChange();
            if (branch.Store.TryGetLength(request.ColumnFamily, request.Key.Span, out long length)
                && length > self.MaxResponseBytes)
            {
                throw self.TooLarge(request.Key.Length, length);
            }

            ValueBuffer buffer = new();
            WriteResult result = await branch.Store.TakeAsync(
                request.ColumnFamily, request.Key, buffer, (Durability)(int)request.Durability, cancellationToken);
            if (!result.Applied)
            {
                return default;
            }

            self._gate!.NoteWritten(request.Key.Length);
            return new GetResponse(Found: true, buffer.Value);
        },
        cancellationToken);

    public ValueTask<long> MeasureAsync(MeasureRequest request, CancellationToken cancellationToken) => ReadAsync(
        request,
        static async (_, branch, request, cancellationToken) =>
        {
            GrainFailure.ThrowIfMissing(request, "The request");
            return await Task.Run(
                () => branch.Store.MeasureRange(request.ColumnFamily, ToStorage(request.Range)), cancellationToken);
        },
        cancellationToken);

    public ValueTask<ClearResponse> ClearAsync(ClearRequest request, CancellationToken cancellationToken)
        => OnStoreAsync(
            request,
            static async (self, branch, request, cancellationToken) =>
            {
                GrainFailure.ThrowIfMissing(request, "The request");
                GrainFailure.ThrowIfOutside(request.BatchKeys, MaxBatchKeys, "The number of keys of a step");
                using WriteGate.Change change = self.BeginChange();
                ClearResult cleared = await branch.Store.ClearAsync(
                    request.ColumnFamily, ToStorage(request.Range), request.BatchKeys, Durability.Sync,
                    cancellationToken);
                return new ClearResponse(cleared.Removed, cleared.Steps);
            },
            cancellationToken);

    public ValueTask<IReadOnlyList<ColumnFamilyDescription>> DescribeColumnFamiliesAsync(
        CancellationToken cancellationToken) => OnStoreAsync(
            0,
            static async (_, branch, _, cancellationToken) => await Task.Run(
                () => (IReadOnlyList<ColumnFamilyDescription>)branch.Store.DescribeFamilies().Select(
                    family => new ColumnFamilyDescription(
                        family.Name, family.Settings.Merge, family.Settings.Expires,
                        family.Settings.DefaultTimeToLive, family.EstimatedKeys)).ToArray(),
                cancellationToken),
            cancellationToken);

    public ValueTask<bool> AddColumnFamilyAsync(ColumnFamilyDescription family, CancellationToken cancellationToken)
        => BlockingAsync(
            family,
            static (store, family) =>
            {
                GrainFailure.ThrowIfMissing(family?.Name, "The name of the column family");
                store.CreateColumnFamily(family.Name, new FamilySettings
                {
                    Merge = family.Merge,
                    Expires = family.Expires,
                    DefaultTimeToLive = family.DefaultTimeToLive,
                });
            },
            cancellationToken);

    // The lengths are of one moment; what is left of a life is asked for where there is one to be left.
    private static InspectResponse Inspect(LocalStore store, InspectRequest request)
    {
        IReadOnlyList<long?> lengths = store.MultiGetLength(request.ColumnFamily, request.Keys);
        bool expires = store.Expires(request.ColumnFamily);
        KeyInspection[] keys = new KeyInspection[lengths.Count];
        for (int i = 0; i < keys.Length; i++)
        {
            TimeSpan? lives = null;
            bool exists = lengths[i] is not null
                && (!expires || store.TryGetTimeToLive(request.ColumnFamily, request.Keys[i].Span, out lives));
            keys[i] = exists ? new KeyInspection(Exists: true, lengths[i]!.Value, lives) : default;
        }

        return new InspectResponse(keys);
    }
}
