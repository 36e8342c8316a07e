using Orleans.Runtime;

namespace Branching.EmbeddedRuntime.Tests;

public sealed class StreamTests
{
    [Fact]
    public async Task A_stream_brings_every_item_in_order()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        List<int> items = [];
        await foreach (int item in probe.Grain("a").CountAsync(1_234))
        {
            items.Add(item);
        }

        Assert.Equal(Enumerable.Range(0, 1_234), items);
    }

    [Fact]
    public async Task A_stream_runs_beside_other_requests()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        await using IAsyncEnumerator<int> items = probe.Grain("a").OneThenWaitAsync("gate").GetAsyncEnumerator();
        Assert.True(await items.MoveNextAsync());
        ValueTask<bool> second = items.MoveNextAsync();

        Assert.Equal("a greets b", await probe.Grain("a").GreetAsync("b"));

        probe.Gates.Open("gate");
        Assert.True(await second);
        Assert.Equal(2, items.Current);
        Assert.False(await items.MoveNextAsync());
    }

    [Fact]
    public async Task A_failure_arrives_after_the_items_before_it()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        List<int> items = [];

        InvalidDataException failure = await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (int item in probe.Grain("a").CountThenFailAsync(7))
            {
                items.Add(item);
            }
        });

        Assert.Equal("the stream broke", failure.Message);
        Assert.Equal(Enumerable.Range(0, 7), items);
    }

    [Fact]
    public async Task Leaving_a_stream_early_disposes_it_in_the_grain()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        await foreach (int item in probe.Grain("a").OneThenWaitAsync("gate"))
        {
            Assert.Equal(1, item);
            break;
        }

        await probe.Journal.WaitForAsync("stream gate disposed");
    }

    [Fact]
    public async Task Cancelling_a_stream_ends_it_on_both_sides()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        using CancellationTokenSource cancellation = new();
        await using IAsyncEnumerator<int> items =
            probe.Grain("a").OneThenWaitAsync("gate").GetAsyncEnumerator(cancellation.Token);
        Assert.True(await items.MoveNextAsync());
        Task<bool> second = items.MoveNextAsync().AsTask();

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await probe.Journal.WaitForAsync("stream gate disposed");
    }

    [Fact]
    public async Task Deactivation_aborts_an_open_stream()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        await using IAsyncEnumerator<int> items = probe.Grain("a").OneThenWaitAsync("gate").GetAsyncEnumerator();
        Assert.True(await items.MoveNextAsync());
        Task<bool> second = items.MoveNextAsync().AsTask();

        await probe.Grain("a").DeactivateSoonAsync();

        await Assert.ThrowsAsync<EnumerationAbortedException>(() => second);
        await probe.Journal.WaitForAsync("deactivated a ApplicationRequested");
        Assert.True(probe.Journal.Has("stream gate disposed"));
    }

    [Fact]
    public async Task A_stream_of_a_killed_silo_fails()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        await using IAsyncEnumerator<int> items = probe.Grain("a").OneThenWaitAsync("gate").GetAsyncEnumerator();
        Assert.True(await items.MoveNextAsync());
        Task<bool> second = items.MoveNextAsync().AsTask();

        await probe.Cluster.KillSiloAsync(probe.Cluster.Silos[0]);

        await Assert.ThrowsAsync<SiloUnavailableException>(() => second);
    }
}
