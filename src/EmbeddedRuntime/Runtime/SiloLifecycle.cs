using Microsoft.Extensions.Hosting;
using Orleans;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>Starts the stages from low to high, and stops those that started from high to low.</summary>
internal sealed class SiloLifecycle : ISiloLifecycle
{
    private readonly Lock _gate = new();
    private readonly List<Subscription> _subscriptions = [];

    public int HighestCompletedStage { get; private set; } = int.MinValue;

    public int LowestStoppedStage { get; private set; } = int.MaxValue;

    public IDisposable Subscribe(string observerName, int stage, ILifecycleObserver observer)
    {
        ArgumentNullException.ThrowIfNull(observer);
        Subscription subscription = new(this, observerName, stage, observer);
        lock (_gate)
        {
            _subscriptions.Add(subscription);
        }

        return subscription;
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (IGrouping<int, Subscription> stage in Stages().OrderBy(s => s.Key))
        {
            cancellationToken.ThrowIfCancellationRequested();

            // Also a stage that failed half-way must be stopped: some of it started.
            HighestStarted = stage.Key;
            await Task.WhenAll(stage.Select(
                s => Task.Run(() => s.Observer.OnStart(cancellationToken), CancellationToken.None)));
            HighestCompletedStage = stage.Key;
        }
    }

    public async Task<IReadOnlyList<Exception>> StopAsync(CancellationToken cancellationToken)
    {
        List<Exception> failures = [];
        foreach (IGrouping<int, Subscription> stage in Stages().OrderByDescending(s => s.Key))
        {
            if (HighestStarted is not { } highest || stage.Key > highest)
            {
                continue;
            }

            // One that fails to stop must not keep the others from stopping.
            Task all = Task.WhenAll(stage.Select(
                s => Task.Run(() => s.Observer.OnStop(cancellationToken), CancellationToken.None)));
            await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            failures.AddRange(all.Exception?.InnerExceptions ?? []);
            LowestStoppedStage = stage.Key;
        }

        return failures;
    }

    private int? HighestStarted { get; set; }

    private List<IGrouping<int, Subscription>> Stages()
    {
        lock (_gate)
        {
            return [.. _subscriptions.ToArray().GroupBy(s => s.Stage)];
        }
    }

    private sealed class Subscription(SiloLifecycle lifecycle, string name, int stage, ILifecycleObserver observer)
        : IDisposable
    {
        public string Name => name;

        public int Stage => stage;

        public ILifecycleObserver Observer => observer;

        public void Dispose()
        {
            lock (lifecycle._gate)
            {
                lifecycle._subscriptions.Remove(this);
            }
        }
    }
}

/// <summary>Runs the silo's life as part of its host's.</summary>
internal sealed class SiloHost(
    SiloRuntime silo,
    SiloLifecycle lifecycle,
    IEnumerable<ILifecycleParticipant<ISiloLifecycle>> participants) : IHostedService
{
    private bool _stopped;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        lifecycle.Subscribe(
            nameof(SiloRuntime),
            ServiceLifecycleStage.RuntimeInitialize,
            Do(silo.Join),
            Do(silo.Kill));
        lifecycle.Subscribe(
            nameof(SiloRuntime), ServiceLifecycleStage.BecomeActive, Do(silo.BecomeActive), silo.LeaveAsync);
        foreach (ILifecycleParticipant<ISiloLifecycle> participant in participants)
        {
            participant.Participate(lifecycle);
        }

        try
        {
            await lifecycle.StartAsync(cancellationToken);
        }
        catch (Exception)
        {
            await StopAsync(CancellationToken.None);
            throw;
        }

        silo.Log.SiloActive(silo.Name, silo.Address);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_stopped || silo.Status == SiloStatus.Dead)
        {
            return;
        }

        _stopped = true;
        IReadOnlyList<Exception> failures = await lifecycle.StopAsync(cancellationToken);
        silo.Kill(); // Nothing is left to fail; this only tells the membership and ends what waits.
        silo.Log.SiloStopped(silo.Name, silo.Address);
        if (failures.Count > 0)
        {
            throw new AggregateException($"Silo {silo.Name} stopped, but not all of its services did.", failures);
        }
    }

    private static Func<CancellationToken, Task> Do(Action action) => _ =>
    {
        action();
        return Task.CompletedTask;
    };
}

/// <summary>Ends the calls of a client when its host ends.</summary>
internal sealed class ClientHost(ClientRuntime client) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        client.ThrowIfWithoutCluster();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        client.Dispose();
        return Task.CompletedTask;
    }
}
