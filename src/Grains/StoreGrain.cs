namespace Branching.Grains;

/// <summary>The data calls that the main store and branches have in common.</summary>
internal abstract partial class StoreGrain(ServingNode node) : Grain
{
    protected ServingNode Node { get; } = node;

    protected StoreCalls Calls { get; private set; } = null!;

    /// <summary>The database and the branch that the grain's key names.</summary>
    protected abstract BranchKey Target { get; }

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        BranchKey target = Target;
        // Not just deactivated: callers that remember this node would only bring it to life here again.
        Calls = new StoreCalls(Node, target.Database, target.Branch, MigrateOnIdle);
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
        => await Calls.CloseStreamsAsync();

    public ValueTask<GetResponse> GetAsync(GetRequest request, CancellationToken cancellationToken = default)
        => Calls.GetAsync(request, cancellationToken);

    public ValueTask<MultiGetResponse> MultiGetAsync(
        MultiGetRequest request, CancellationToken cancellationToken = default)
        => Calls.MultiGetAsync(request, cancellationToken);

    public ValueTask<WriteResponse> WriteAsync(WriteRequest request, CancellationToken cancellationToken = default)
        => Calls.WriteAsync(request, cancellationToken);

    public ValueTask<TransactionReadResponse> ReadForTransactionAsync(
        TransactionReadRequest request, CancellationToken cancellationToken = default)
        => Calls.ReadForTransactionAsync(request, cancellationToken);

    public ValueTask<CommitResponse> CommitAsync(CommitRequest request, CancellationToken cancellationToken = default)
        => Calls.CommitAsync(request, cancellationToken);

    public ValueTask<ScanResponse> ScanAsync(ScanRequest request, CancellationToken cancellationToken = default)
        => Calls.ScanAsync(request, cancellationToken);

    public IAsyncEnumerable<IReadOnlyList<Entry>> StreamAsync(
        StreamRequest request, CancellationToken cancellationToken = default)
        => Calls.StreamAsync(request, cancellationToken);

    public ValueTask<CountResponse> CountAsync(CountRequest request, CancellationToken cancellationToken = default)
        => Calls.CountAsync(request, cancellationToken);

    public ValueTask<InspectResponse> InspectAsync(
        InspectRequest request, CancellationToken cancellationToken = default)
        => Calls.InspectAsync(request, cancellationToken);

    public ValueTask<GetResponse> TakeAsync(TakeRequest request, CancellationToken cancellationToken = default)
        => Calls.TakeAsync(request, cancellationToken);

    public ValueTask<long> MeasureAsync(MeasureRequest request, CancellationToken cancellationToken = default)
        => Calls.MeasureAsync(request, cancellationToken);

    public ValueTask<ClearResponse> ClearAsync(ClearRequest request, CancellationToken cancellationToken = default)
        => Calls.ClearAsync(request, cancellationToken);

    public ValueTask<Guid> BeginBulkLoadAsync(BulkLoadRequest request, CancellationToken cancellationToken = default)
        => Calls.BeginBulkLoadAsync(request, cancellationToken);

    public async ValueTask AddToBulkLoadAsync(BulkLoadPart part, CancellationToken cancellationToken = default)
        => await Calls.AddToBulkLoadAsync(part, cancellationToken);

    public ValueTask<BulkLoadResponse> CompleteBulkLoadAsync(Guid load, CancellationToken cancellationToken = default)
        => Calls.CompleteBulkLoadAsync(load, cancellationToken);

    public async ValueTask AbandonBulkLoadAsync(Guid load, CancellationToken cancellationToken = default)
        => await Calls.AbandonBulkLoadAsync(load, cancellationToken);

    public ValueTask<IReadOnlyList<ColumnFamilyDescription>> DescribeColumnFamiliesAsync(
        CancellationToken cancellationToken = default)
        => Calls.DescribeColumnFamiliesAsync(cancellationToken);

    public async ValueTask AddColumnFamilyAsync(
        ColumnFamilyDescription family, CancellationToken cancellationToken = default)
        => await Calls.AddColumnFamilyAsync(family, cancellationToken);

    public ValueTask<IReadOnlyList<string>> ListColumnFamiliesAsync(CancellationToken cancellationToken = default)
        => Calls.ListColumnFamiliesAsync(cancellationToken);

    public async ValueTask CreateColumnFamilyAsync(string name, CancellationToken cancellationToken = default)
        => await Calls.CreateColumnFamilyAsync(name, cancellationToken);

    public async ValueTask DropColumnFamilyAsync(string name, CancellationToken cancellationToken = default)
        => await Calls.DropColumnFamilyAsync(name, cancellationToken);

    public async ValueTask FlushAsync(CancellationToken cancellationToken = default)
        => await Calls.FlushAsync(cancellationToken);

    public async ValueTask CompactAsync(
        KeyRange range, string? columnFamily = null, CancellationToken cancellationToken = default)
        => await Calls.CompactAsync(range, columnFamily, cancellationToken);

    public ValueTask<StoreFigures> GetFiguresAsync(CancellationToken cancellationToken = default)
        => Calls.GetFiguresAsync(cancellationToken);

    public ValueTask<StoreHealth> GetHealthAsync(CancellationToken cancellationToken = default)
        => Calls.GetHealthAsync(cancellationToken);

    public ValueTask<StoreHealth> ReopenAsync(CancellationToken cancellationToken = default)
        => Calls.ReopenAsync(cancellationToken);

    public ValueTask<string?> GetPropertyAsync(
        string name, string? columnFamily = null, CancellationToken cancellationToken = default)
        => Calls.GetPropertyAsync(name, columnFamily, cancellationToken);
}
