namespace Branching.Cluster.Tests;

public sealed class BranchTests(SharedCluster cluster) : IClassFixture<SharedCluster>
{
    private static CreateBranchRequest From(string parent, string? operationId = null) =>
        new(parent, "test", null, operationId);

    [Fact]
    public async Task A_branch_begins_with_what_was_written_before_and_is_isolated_both_ways()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain main = cluster.Grains.GetDatabase(name);
        IBranchGrain branch = cluster.Grains.GetBranch(name, "topic");
        await main.PutAsync("shared", "before");

        await branch.CreateAsync(From("main"));
        await main.PutAsync("main-only", "1");
        await branch.PutAsync("branch-only", "2");
        await branch.PutAsync("shared", "changed");

        Assert.Equal("changed", await branch.ReadAsync("shared"));
        Assert.Equal("before", await main.ReadAsync("shared"));
        Assert.Null(await branch.ReadAsync("main-only"));
        Assert.Null(await main.ReadAsync("branch-only"));
    }

    [Fact]
    public async Task A_branch_of_a_branch_survives_the_deletion_of_its_parent_and_lineage_remembers_it()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain main = cluster.Grains.GetDatabase(name);
        IBranchGrain parent = cluster.Grains.GetBranch(name, "parent");
        IBranchGrain child = cluster.Grains.GetBranch(name, "parent/child");
        await main.PutAsync("k", "main");
        await parent.CreateAsync(From("main"));
        await parent.PutAsync("k", "parent");
        await child.CreateAsync(From("parent"));

        Assert.Equal(["parent/child"], (await parent.ListChildrenAsync()).Select(branch => branch.Name));
        await parent.DeleteAsync();

        Assert.Equal("parent", await child.ReadAsync("k"));
        BranchDescription description = await child.DescribeAsync(includeSize: true);
        Assert.Equal(("parent", 2), (description.Parent, description.Depth));
        Assert.True(description.Size!.TotalBytes >= description.Size.UniqueBytes);
        Assert.Equal(["main", "parent/child"], (await main.ListBranchesAsync()).Select(branch => branch.Name));
        Assert.Equal(
            [("main", BranchState.Ready), ("parent", BranchState.Deleted), ("parent/child", BranchState.Ready)],
            (await main.GetLineageAsync()).Select(branch => (branch.Name, branch.State)));
        BranchingException gone = await Assert.ThrowsAsync<BranchingException>(async () => await parent.ReadAsync("k"));
        Assert.Equal(FailureKind.BranchNotFound, gone.Kind);
    }

    [Fact]
    public async Task A_branch_keeps_its_labels_and_its_place_in_the_history()
    {
        string name = await cluster.CreateDatabaseAsync();
        WriteResponse last = await cluster.Grains.GetDatabase(name).PutAsync("k", "v");

        BranchDescription created = await cluster.Grains.GetBranch(name, "labelled").CreateAsync(
            new CreateBranchRequest("main", "somebody", new Dictionary<string, string> { ["ticket"] = "77" }));

        BranchDescription described = await cluster.Grains.GetBranch(name, "labelled").DescribeAsync();
        Assert.Equal("77", described.Labels["ticket"]);
        Assert.Equal("somebody", described.CreatedBy);
        Assert.Equal(last.Sequence, described.BranchSequence);
        Assert.Equal(created.StoreId, described.StoreId);
        Assert.Equal((name, "main", 1), (described.Database, described.Parent, described.Depth));
    }

    [Fact]
    public async Task Creations_of_one_name_at_once_make_one_branch()
    {
        string name = await cluster.CreateDatabaseAsync();

        string[] outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                return (await cluster.Grains.GetBranch(name, "one").CreateAsync(From("main"))).StoreId;
            }
            catch (BranchingException e)
            {
                return e.Kind.ToString();
            }
        }));

        Assert.Equal(7, outcomes.Count(outcome => outcome == nameof(FailureKind.BranchExists)));
        Assert.Equal(2, (await cluster.Grains.GetDatabase(name).ListBranchesAsync()).Count);
    }

    [Fact]
    public async Task The_same_operation_again_answers_the_same_branch()
    {
        string name = await cluster.CreateDatabaseAsync();
        IBranchGrain branch = cluster.Grains.GetBranch(name, "once");

        BranchDescription first = await branch.CreateAsync(From("main", "op-1"));
        BranchDescription again = await branch.CreateAsync(From("main", "op-1"));

        Assert.Equal(first.StoreId, again.StoreId);
        BranchingException other = await Assert.ThrowsAsync<BranchingException>(
            async () => await branch.CreateAsync(From("main", "op-2")));
        Assert.Equal(FailureKind.BranchExists, other.Kind);
    }

    [Fact]
    public async Task A_branch_holds_every_write_acknowledged_before_it_while_writers_go_on()
    {
        string name = await cluster.CreateDatabaseAsync();
        IDatabaseGrain main = cluster.Grains.GetDatabase(name);
        int acknowledged = 0;
        using CancellationTokenSource stop = new();
        Task writer = Task.Run(async () =>
        {
            for (int i = 1; !stop.IsCancellationRequested; i++)
            {
                await main.PutAsync("counter", i.ToString(System.Globalization.CultureInfo.InvariantCulture));
                Volatile.Write(ref acknowledged, i);
            }
        });

        for (int b = 0; b < 5; b++)
        {
            int before = Volatile.Read(ref acknowledged);
            IBranchGrain branch = cluster.Grains.GetBranch(name, $"b{b}");
            await branch.CreateAsync(From("main"));
            int seen = int.Parse(
                await branch.ReadAsync("counter") ?? "0", System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(seen >= before, $"The branch has {seen}, but {before} was acknowledged before it.");
        }

        await stop.CancelAsync();
        await writer;
    }
}
