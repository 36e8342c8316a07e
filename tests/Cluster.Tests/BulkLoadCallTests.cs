namespace Branching.Cluster.Tests;

public sealed class BulkLoadCallTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    [Fact]
    public async Task A_load_is_visible_all_at_once_and_a_part_sent_again_counts_once()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        await store.PutAsync("b", "old");
        Guid load = await store.BeginBulkLoadAsync(new BulkLoadRequest());

        await store.AddToBulkLoadAsync(Part(load, 1, ("c", "1"), ("b", "2")));
        await store.AddToBulkLoadAsync(Part(load, 1, ("c", "1"), ("b", "2")));
        await store.AddToBulkLoadAsync(Part(load, 2, ("c", "3"), ("a", "4")));
        CountResponse before = await store.CountAsync(new CountRequest(KeyRange.All));
        BulkLoadResponse done = await store.CompleteBulkLoadAsync(load);

        Assert.Equal(1, before.Count);
        Assert.Equal((4L, 3L, 1), (done.Records, done.Keys, done.Tables));
        Assert.Equal(done.Sequence, (await store.GetFiguresAsync()).Sequence);
        Assert.Equal(
            ("4", "2", "3"), (await store.ReadAsync("a"), await store.ReadAsync("b"), await store.ReadAsync("c")));
    }

    [Fact]
    public async Task A_load_that_was_given_up_leaves_nothing_and_is_not_under_way_any_more()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        Guid load = await store.BeginBulkLoadAsync(new BulkLoadRequest());
        await store.AddToBulkLoadAsync(Part(load, 1, ("a", "1")));

        await store.AbandonBulkLoadAsync(load);
        await store.AbandonBulkLoadAsync(load);

        BranchingException gone = await Assert.ThrowsAsync<BranchingException>(
            async () => await store.CompleteBulkLoadAsync(load));
        Assert.Equal(FailureKind.InvalidContinuation, gone.Kind);
        Assert.Null(await store.ReadAsync("a"));
    }

    [Fact]
    public async Task Parts_out_of_order_unknown_families_and_too_many_loads_are_refused()
    {
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        Guid load = await store.BeginBulkLoadAsync(new BulkLoadRequest());

        FailureKind early = await KindOf(() => store.AddToBulkLoadAsync(Part(load, 2, ("a", "1"))));
        FailureKind empty = await KindOf(() => store.AddToBulkLoadAsync(Part(load, 1)));

        Assert.Equal((FailureKind.InvalidArgument, FailureKind.InvalidArgument), (early, empty));
        Assert.Equal(FailureKind.ColumnFamilyNotFound, await KindOf(() => BeginAsync(store, "absent")));
        for (int i = 1; i < 4; i++)
        {
            await BeginAsync(store, null);
        }

        Assert.Equal(FailureKind.Overloaded, await KindOf(() => BeginAsync(store, null)));
        await store.AddToBulkLoadAsync(Part(load, 1, ("a", "1")));
        Assert.Equal(1, (await store.CompleteBulkLoadAsync(load)).Keys);
        await BeginAsync(store, null);
    }

    [Fact]
    public async Task A_branch_with_a_load_under_way_can_be_deleted()
    {
        string name = await cluster.CreateDatabaseAsync();
        IBranchGrain branch = cluster.Grains.GetBranch(name, "topic");
        await branch.CreateAsync(new CreateBranchRequest("main", "test"));
        Guid load = await branch.BeginBulkLoadAsync(new BulkLoadRequest());
        await branch.AddToBulkLoadAsync(Part(load, 1, ("a", "1")));

        await branch.DeleteAsync();

        Assert.Equal(
            FailureKind.InvalidContinuation, await KindOf(() => branch.AddToBulkLoadAsync(Part(load, 2, ("b", "1")))));
    }

    private static async ValueTask BeginAsync(IStoreGrain store, string? family)
        => await store.BeginBulkLoadAsync(new BulkLoadRequest(family));

    private static async Task<FailureKind> KindOf(Func<ValueTask> call)
        => (await Assert.ThrowsAsync<BranchingException>(async () => await call())).Kind;

    private static BulkLoadPart Part(Guid load, long number, params (string Key, string Value)[] entries)
        => new(load, number, [.. entries.Select(entry => new Entry(Bytes.Of(entry.Key), Bytes.Of(entry.Value)))]);
}
