using System.Text;
using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Branching.Silo.Tests;

public sealed class EmbeddedNodeTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("branching-silo-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_node_that_is_started_again_has_its_databases_and_branches()
    {
        string root = Path.Combine(_directory, "root");
        await using (EmbeddedNode first = await EmbeddedNode.StartAsync(root))
        {
            await first.Grains.GetDatabase("d").CreateAsync(new CreateDatabaseRequest("test"));
            await first.Grains.GetDatabase("d").PutAsync("k"u8.ToArray(), "main"u8.ToArray());
            await first.Grains.GetBranch("d", "b").CreateAsync(new CreateBranchRequest("main", "test"));
            await first.Grains.GetBranch("d", "b").PutAsync("k"u8.ToArray(), "branch"u8.ToArray());
        }

        await using EmbeddedNode second = await EmbeddedNode.StartAsync(root);

        Assert.Equal("main", await ReadAsync(second.Grains.GetDatabase("d")));
        Assert.Equal("branch", await ReadAsync(second.Grains.GetBranch("d", "b")));
        Assert.Equal(root, second.DataRoot);
    }

    [Fact]
    public async Task A_data_root_serves_one_node_and_the_second_is_told_who_has_it()
    {
        await using EmbeddedNode first = await EmbeddedNode.StartAsync(_directory);

        BranchingException failure =
            await Assert.ThrowsAsync<BranchingException>(() => EmbeddedNode.StartAsync(_directory));

        Assert.Equal(Grains.FailureKind.Locked, failure.Kind);
        Assert.Contains(_directory, failure.Message, StringComparison.Ordinal);
        Assert.Single(await first.Grains.GetClusterCoordinator().ListNodesAsync());
    }

    [Fact]
    public async Task A_failed_start_leaves_the_data_root_free()
    {
        string file = Path.Combine(_directory, "file");
        await File.WriteAllTextAsync(file, "not a directory");

        await Assert.ThrowsAsync<BranchingException>(() => EmbeddedNode.StartAsync(file));
        await Assert.ThrowsAsync<BranchingException>(
            () => EmbeddedNode.StartAsync(_directory, options => options.MaxOpenStores = 0));

        await using EmbeddedNode node = await EmbeddedNode.StartAsync(Path.Combine(_directory, "root"));
        Assert.Empty(await node.Grains.GetClusterCoordinator().ListDatabasesAsync());
    }

    [Fact]
    public async Task A_node_whose_data_root_does_not_open_starts_no_service_of_its_runtime()
    {
        string file = Path.Combine(_directory, "file");
        await File.WriteAllTextAsync(file, "not a directory");
        Services services = new();
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleans(silo =>
        {
            Clustering.UseOneProcess(silo);
            silo.AddBranching(options => options.DataRoot = file);
            silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services);
        });

        await Assert.ThrowsAsync<BranchingException>(() => EmbeddedNode.StartAsync(builder, CancellationToken.None));

        Assert.Equal(0, services.Starts);
    }

    [Fact]
    public async Task Options_out_of_range_are_refused_by_name()
    {
        BranchingException one = await Assert.ThrowsAsync<BranchingException>(
            () => EmbeddedNode.StartAsync(_directory, options => options.BlockCacheBytes = 1));
        BranchingException two = await Assert.ThrowsAsync<BranchingException>(
            () => EmbeddedNode.StartAsync(
                _directory, options => options.MemtableBytes = options.MemtableBudgetBytes + 1));
        BranchingException empty = await Assert.ThrowsAsync<BranchingException>(() => EmbeddedNode.StartAsync(""));

        Assert.All([one, two, empty], failure => Assert.Equal(Grains.FailureKind.InvalidArgument, failure.Kind));
        Assert.Contains(nameof(StorageOptions.BlockCacheBytes), one.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(StorageOptions.MemtableBudgetBytes), two.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_describes_itself_and_is_healthy_while_it_serves()
    {
        await using EmbeddedNode node = await EmbeddedNode.StartAsync(_directory);

        NodeDescription described = Assert.Single(await node.Grains.GetClusterCoordinator().ListNodesAsync());
        HealthReport health = await node.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

        Assert.Equal(_directory, described.DataRoot);
        Assert.True(described.FreeBytes > 0);
        Assert.StartsWith("7.", described.NativeVersion, StringComparison.Ordinal);
        Assert.Equal(HealthStatus.Healthy, health.Status);
    }

    [Fact]
    public async Task A_node_can_be_disposed_twice_and_with_an_open_stream()
    {
        EmbeddedNode node = await EmbeddedNode.StartAsync(_directory);
        IDatabaseGrain database = node.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("k"u8.ToArray(), "v"u8.ToArray());
        // Its reader is abandoned, as by a process that ends: nobody disposes it.
        IAsyncEnumerator<IReadOnlyList<Entry>> stream =
            database.StreamAsync(new StreamRequest(Grains.KeyRange.All)).GetAsyncEnumerator();
        Assert.True(await stream.MoveNextAsync());

        await node.DisposeAsync();
        await node.DisposeAsync();

        await using EmbeddedNode again = await EmbeddedNode.StartAsync(_directory);
        Assert.Equal("v", await ReadAsync(again.Grains.GetDatabase("d")));
    }

    [Fact]
    public async Task A_value_larger_than_an_answer_is_refused_by_reads_and_delivered_by_a_stream()
    {
        await using EmbeddedNode node = await EmbeddedNode.StartAsync(
            _directory, options => options.MaxRequestBytes = 16 << 20);
        IDatabaseGrain database = node.Grains.GetDatabase("d");
        await database.CreateAsync(new CreateDatabaseRequest("test"));
        await database.PutAsync("a"u8.ToArray(), "small"u8.ToArray());
        await database.PutAsync("big"u8.ToArray(), new byte[5 << 20]);

        BranchingException get = await Assert.ThrowsAsync<BranchingException>(
            async () => await database.GetAsync(new GetRequest("big"u8.ToArray())));
        ScanResponse page = await database.ScanAsync(new Grains.ScanRequest(Grains.KeyRange.All));
        BranchingException scan = await Assert.ThrowsAsync<BranchingException>(async () =>
            await database.ScanAsync(new Grains.ScanRequest(Grains.KeyRange.All, Continuation: page.Continuation)));
        List<int> streamed = [];
        await foreach (IReadOnlyList<Entry> entries in database.StreamAsync(new StreamRequest(Grains.KeyRange.All)))
        {
            streamed.AddRange(entries.Select(entry => entry.Value.Length));
        }

        Assert.Single(page.Entries);
        Assert.All([get, scan], failure =>
        {
            Assert.Equal(Grains.FailureKind.RequestTooLarge, failure.Kind);
            Assert.Equal(
                "The value of a key of 3 bytes in database 'd' has 5242880 bytes, more than the 4194304 that one " +
                "answer " +
                "may have (MaxResponseBytes). Read it with StreamAsync.",
                failure.Message);
        });
        Assert.Equal([5, 5 << 20], streamed);
    }

    private static async Task<string> ReadAsync(IStoreGrain store)
        => Encoding.UTF8.GetString((await store.GetAsync(new GetRequest("k"u8.ToArray()))).Value.Span);

    private sealed class Services : ILifecycleParticipant<ISiloLifecycle>
    {
        public int Starts { get; private set; }

        public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
            nameof(Services), ServiceLifecycleStage.RuntimeServices, _ => Task.FromResult(++Starts));
    }
}
