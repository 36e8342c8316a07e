using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Concurrency;
using Orleans.Configuration;
using Orleans.Hosting;

namespace Branching.EmbeddedRuntime.Tests;

public interface IReentrantGrain : IGrainWithStringKey
{
    Task MeetAsync(int parties);

    Task CallMyselfAsync();

    Task NothingAsync();
}

[Reentrant]
internal sealed class ReentrantGrain : Grain, IReentrantGrain
{
    private readonly TaskCompletionSource _all = new();
    private int _present;

    public async Task MeetAsync(int parties)
    {
        if (++_present == parties)
        {
            _all.SetResult();
        }

        await _all.Task;
    }

    public Task CallMyselfAsync() => this.AsReference<IReentrantGrain>().NothingAsync();

    public Task NothingAsync() => Task.CompletedTask;
}

public sealed class TurnTests
{
    [Fact]
    public async Task Requests_do_not_interleave_unless_asked()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        IProbeGrain grain = probe.Grain("a");

        int[] values = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => grain.IncrementSlowlyAsync()));

        Assert.Equal(Enumerable.Range(1, 100), values.Order());
    }

    [Fact]
    public async Task Awaits_come_back_to_the_turns_of_their_activation()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        IReadOnlyList<int> a = await probe.Grain("a").TurnSchedulersAsync(hops: 5);
        IReadOnlyList<int> b = await probe.Grain("b").TurnSchedulersAsync(hops: 5);

        int ofA = Assert.Single(a.Distinct());
        int ofB = Assert.Single(b.Distinct());
        Assert.NotEqual(ofA, ofB);
        Assert.NotEqual(TaskScheduler.Default.Id, ofA);
    }

    [Fact]
    public async Task Always_interleave_gets_past_a_waiting_request()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        IProbeGrain grain = probe.Grain("a");
        Task waiting = grain.WaitForAsync("gate");
        await probe.Journal.WaitForAsync("waiting gate");

        Assert.Equal(0, await grain.GetAsync());

        Assert.False(waiting.IsCompleted);
        probe.Gates.Open("gate");
        await waiting;
    }

    [Fact]
    public async Task Read_only_requests_share_an_activation_with_each_other_only()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        IProbeGrain grain = probe.Grain("a");
        Task<int> first = grain.PeekSlowlyAsync();
        Task<int> write = grain.IncrementSlowlyAsync();
        Task<int> second = grain.PeekSlowlyAsync();
        await probe.Journal.WaitForAsync("peek started", times: 2);

        Assert.False(write.IsCompleted);
        probe.Gates.Open("peek");

        Assert.Equal(0, await first);
        Assert.Equal(0, await second);
        Assert.Equal(1, await write);
    }

    [Fact]
    public async Task Requests_to_a_reentrant_grain_meet_inside()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        IReentrantGrain grain = probe.Cluster.GrainFactory.GetGrain<IReentrantGrain>("a");

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => grain.MeetAsync(parties: 8)))
            .WaitAsync(TestTimes.Patience);
        await grain.CallMyselfAsync().WaitAsync(TestTimes.Patience);
    }

    [Fact]
    public async Task Calling_oneself_without_reentrancy_ends_in_a_timeout()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(configure: silo =>
            silo.Configure<SiloMessagingOptions>(o => o.ResponseTimeout = TimeSpan.FromMilliseconds(200)));

        TimeoutException late = await Assert.ThrowsAsync<TimeoutException>(() => probe.Grain("a").CallSelfAsync());

        Assert.Contains("GreetAsync", late.Message, StringComparison.Ordinal);
        Assert.Equal("a greets b", await probe.Grain("a").GreetAsync("b"));
    }

    [Fact]
    public async Task A_client_stops_waiting_after_its_response_timeout()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(clientTimeout: TimeSpan.FromMilliseconds(200));

        await Assert.ThrowsAsync<TimeoutException>(() => probe.Grain("a").WaitForAsync("gate"));

        probe.Gates.Open("gate");
        Assert.Equal("a greets b", await probe.Grain("a").GreetAsync("b"));
    }

    [Fact]
    public async Task A_method_can_have_a_shorter_timeout_of_its_own()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        await Assert.ThrowsAsync<TimeoutException>(
            () => probe.Grain("a").WaitForBrieflyAsync("gate").WaitAsync(TestTimes.Patience));

        probe.Gates.Open("gate");
    }

    [Fact]
    public async Task Cancelling_reaches_the_grain_and_ends_the_call()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        using CancellationTokenSource cancellation = new();
        Task call = probe.Grain("a").WaitForWithTokenAsync("gate", cancellation.Token);
        await probe.Journal.WaitForAsync("waiting gate");

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await probe.Journal.WaitForAsync("cancelled gate");
        Assert.True(await probe.Grain("a").SawCancellationAsync());
    }

    [Fact]
    public async Task A_request_that_was_cancelled_while_it_waited_never_starts()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        using CancellationTokenSource cancellation = new();
        Task first = probe.Grain("a").WaitForAsync("first");
        await probe.Journal.WaitForAsync("waiting first");
        Task second = probe.Grain("a").WaitForWithTokenAsync("second", cancellation.Token);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        probe.Gates.Open("first");
        await first;

        await probe.Grain("a").GreetAsync("after");
        Assert.False(probe.Journal.Has("waiting second"));
    }

    [Fact]
    public async Task A_token_that_is_cancelled_already_sends_nothing()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => probe.Grain("a").WaitForWithTokenAsync("gate", new CancellationToken(canceled: true)));

        Assert.Empty(probe.Journal.Lines);
    }

    [Fact]
    public async Task Calls_of_one_caller_run_in_the_order_in_which_it_made_them()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync(silos: 2);
        IProbeGrain grain = probe.Grain("a");
        probe.Gates.Open("0");

        for (int i = 1; i < 50; i++)
        {
            probe.Gates.Open($"{i}");
        }

        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => grain.WaitForAsync($"{i}")));

        Assert.Equal(
            Enumerable.Range(0, 50).Select(i => $"waiting {i}"),
            probe.Journal.Lines.Where(l => l.StartsWith("waiting", StringComparison.Ordinal)));
    }
}
