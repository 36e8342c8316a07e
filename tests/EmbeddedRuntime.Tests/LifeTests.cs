using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime.Tests;

public interface ITimedGrain : IGrainWithStringKey
{
    Task StartAsync(TimeSpan due, TimeSpan period, bool interleave, bool keepAlive);

    Task StopAsync();

    Task<int> GetTicksAsync();

    Task HoldTurnAsync(string gate);

    Task DelayAsync(TimeSpan by);

    Task DeactivateAsync();
}

internal sealed class TimedGrain(Journal journal, Gates gates) : Grain, ITimedGrain
{
    private IGrainTimer? _timer;
    private bool _inTurn;
    private int _ticks;

    public Task StartAsync(TimeSpan due, TimeSpan period, bool interleave, bool keepAlive)
    {
        _timer = this.RegisterGrainTimer(
            async token =>
            {
                journal.Add(_inTurn ? "tick inside" : "tick");
                await Task.Yield();
                token.ThrowIfCancellationRequested();
                _ticks++;
                journal.Add($"ticked {_ticks}");
            },
            new GrainTimerCreationOptions(due, period) { Interleave = interleave, KeepAlive = keepAlive });
        return Task.CompletedTask;
    }

    public Task StopAsync()
    {
        _timer!.Dispose();
        return Task.CompletedTask;
    }

    public Task<int> GetTicksAsync() => Task.FromResult(_ticks);

    public async Task HoldTurnAsync(string gate)
    {
        _inTurn = true;
        journal.Add("holding");
        await gates.WaitAsync(gate);
        _inTurn = false;
    }

    public Task DelayAsync(TimeSpan by)
    {
        DelayDeactivation(by);
        return Task.CompletedTask;
    }

    public Task DeactivateAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        journal.Add($"deactivated {reason.ReasonCode}");
        return Task.CompletedTask;
    }
}

public interface IFailingGrain : IGrainWithStringKey
{
    Task DoAsync();
}

internal sealed class FailingGrain(Journal journal) : Grain, IFailingGrain
{
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        journal.Add("tried");
        return journal.Lines.Count == 1 ? throw new InvalidDataException("not yet") : Task.CompletedTask;
    }

    public Task DoAsync() => Task.CompletedTask;
}

public sealed class LifeTests
{
    private static readonly TimeSpan _second = TimeSpan.FromSeconds(1);
    private readonly ManualTime _time = new();

    [Fact]
    public async Task A_timer_ticks_when_due_and_then_every_period()
    {
        await using ProbeCluster probe = await StartAsync();
        ITimedGrain grain = Grain(probe);
        await grain.StartAsync(_second, 2 * _second, interleave: false, keepAlive: false);

        _time.Advance(_second / 2);
        Assert.Equal(0, await grain.GetTicksAsync());
        _time.Advance(_second / 2);
        await probe.Journal.WaitForAsync("ticked 1");
        await grain.GetTicksAsync(); // The tick's request has ended, so the timer is set again.
        _time.Advance(_second);
        Assert.Equal(1, await grain.GetTicksAsync());
        _time.Advance(_second);

        await probe.Journal.WaitForAsync("ticked 2");
    }

    [Fact]
    public async Task A_tick_waits_for_the_request_that_runs()
    {
        await using ProbeCluster probe = await StartAsync();
        ITimedGrain grain = Grain(probe);
        await grain.StartAsync(_second, Timeout.InfiniteTimeSpan, interleave: false, keepAlive: false);
        Task holding = grain.HoldTurnAsync("gate");
        await probe.Journal.WaitForAsync("holding");

        _time.Advance(_second);
        probe.Gates.Open("gate");
        await holding;
        await probe.Journal.WaitForAsync("ticked 1");

        Assert.False(probe.Journal.Has("tick inside"));
    }

    [Fact]
    public async Task An_interleaving_tick_does_not_wait()
    {
        await using ProbeCluster probe = await StartAsync();
        ITimedGrain grain = Grain(probe);
        await grain.StartAsync(_second, Timeout.InfiniteTimeSpan, interleave: true, keepAlive: false);
        Task holding = grain.HoldTurnAsync("gate");
        await probe.Journal.WaitForAsync("holding");

        _time.Advance(_second);
        await probe.Journal.WaitForAsync("tick inside");

        probe.Gates.Open("gate");
        await holding;
    }

    [Fact]
    public async Task A_disposed_timer_ticks_no_more()
    {
        await using ProbeCluster probe = await StartAsync();
        ITimedGrain grain = Grain(probe);
        await grain.StartAsync(_second, _second, interleave: false, keepAlive: false);

        await grain.StopAsync();
        _time.Advance(10 * _second);

        Assert.Equal(0, await grain.GetTicksAsync());
    }

    [Fact]
    public async Task Deactivation_stops_the_timers()
    {
        await using ProbeCluster probe = await StartAsync();
        ITimedGrain grain = Grain(probe);
        await grain.StartAsync(_second, _second, interleave: false, keepAlive: false);

        await grain.DeactivateAsync();
        await probe.Journal.WaitForAsync("deactivated ApplicationRequested");
        _time.Advance(10 * _second);
        await grain.GetTicksAsync();

        Assert.False(probe.Journal.Has("tick"));
    }

    [Fact]
    public async Task An_unused_grain_is_collected_after_its_age()
    {
        await using ProbeCluster probe = await StartAsync();
        Guid first = await probe.Grain("a").GetActivationAsync();

        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(first, await probe.Grain("a").GetActivationAsync());
        await CollectAsync(probe, "deactivated a ActivationIdle");

        Assert.NotEqual(first, await probe.Grain("a").GetActivationAsync());
    }

    [Fact]
    public async Task A_delayed_grain_is_not_collected()
    {
        await using ProbeCluster probe = await StartAsync();
        ITimedGrain delayed = Grain(probe);
        await delayed.DelayAsync(TimeSpan.FromHours(1));
        await probe.Grain("a").GreetAsync("b");

        await CollectAsync(probe, "deactivated a ActivationIdle");

        Assert.False(probe.Journal.Has("deactivated ActivationIdle"));
    }

    [Fact]
    public async Task A_busy_grain_is_not_collected()
    {
        await using ProbeCluster probe = await StartAsync();
        Task busy = probe.Grain("busy").WaitForAsync("gate");
        await probe.Journal.WaitForAsync("waiting gate");
        await probe.Grain("a").GreetAsync("b");

        await CollectAsync(probe, "deactivated a ActivationIdle");
        probe.Gates.Open("gate");
        await busy;

        Assert.False(probe.Journal.Has("deactivated busy ActivationIdle"));
    }

    [Fact]
    public async Task Deactivating_on_idle_gives_later_callers_a_new_activation()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        Guid first = await probe.Grain("a").GetActivationAsync();

        await probe.Grain("a").DeactivateSoonAsync();
        Guid second = await probe.Grain("a").GetActivationAsync();

        Assert.NotEqual(first, second);
        Assert.Equal(
            ["activated a", "deactivated a ApplicationRequested", "activated a"],
            probe.Journal.Lines);
    }

    [Fact]
    public async Task Deactivation_lets_the_running_request_end_and_moves_the_waiting_one()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        Task running = probe.Grain("a").DeactivateThenWaitAsync("gate");
        await probe.Journal.WaitForAsync("waiting gate");
        Task<string> waiting = probe.Grain("a").GreetAsync("b");

        probe.Gates.Open("gate");
        await running;

        Assert.Equal("a greets b", await waiting);
        Assert.Equal(
            ["activated a", "waiting gate", "waited gate", "deactivated a ApplicationRequested", "activated a"],
            probe.Journal.Lines);
    }

    [Fact]
    public async Task Callers_learn_why_a_grain_could_not_be_activated_and_may_try_again()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();
        IFailingGrain grain = probe.Cluster.GrainFactory.GetGrain<IFailingGrain>("a");

        InvalidDataException refused = await Assert.ThrowsAsync<InvalidDataException>(grain.DoAsync);
        Assert.Equal("not yet", refused.Message);

        await grain.DoAsync();
    }

    private static ITimedGrain Grain(ProbeCluster probe) => probe.Cluster.GrainFactory.GetGrain<ITimedGrain>("timed");

    private Task<ProbeCluster> StartAsync() => ProbeCluster.StartAsync(configure: silo =>
    {
        silo.Services.AddSingleton<TimeProvider>(_time);
        silo.Configure<GrainCollectionOptions>(o => o.CollectionAge = TimeSpan.FromMinutes(10));
    });

    // An answer may arrive before its request has ended, and until then the grain counts as used: so time goes on until
    // the grain is gone, for less than the hour that other grains are kept.
    private async Task CollectAsync(ProbeCluster probe, string line)
    {
        _time.Advance(TimeSpan.FromMinutes(11));
        for (int minute = 0; minute < 40 && !probe.Journal.Has(line); minute++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(25));
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        await probe.Journal.WaitForAsync(line);
    }
}
