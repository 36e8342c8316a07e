using System.Collections.Concurrent;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.TestingHost;

namespace Branching.EmbeddedRuntime.Tests;

/// <summary>Gates that grains wait at until a test opens them.</summary>
public sealed class Gates
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _gates = new(StringComparer.Ordinal);

    public Task WaitAsync(string name) => Gate(name).Task;

    public void Open(string name) => Gate(name).TrySetResult();

    private TaskCompletionSource Gate(string name)
        => _gates.GetOrAdd(
            name, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}

/// <summary>What happened, in order; a test waits for a line instead of for time.</summary>
public sealed class Journal
{
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_gate)
            {
                return [.. _lines];
            }
        }
    }

    public bool Has(string line) => Lines.Any(l => l == line);

    public void Add(string line)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _lines.Add(line);
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.SetResult();
    }

    public Task WaitForAsync(string line, int times = 1)
        => WaitUntilAsync(lines => lines.Count(l => l == line) >= times);

    private async Task WaitUntilAsync(Func<IReadOnlyList<string>, bool> reached)
    {
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (reached(_lines))
                {
                    return;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(TestTimes.Patience);
        }
    }
}

/// <summary>Time that stands still until a test moves it.</summary>
public sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private TimeSpan _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        lock (_gate)
        {
            return _now.Ticks;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ManualTimer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    public void Advance(TimeSpan by)
    {
        List<ManualTimer> due;
        lock (_gate)
        {
            _now += by;
            due = _timers.FindAll(t => t.Due <= _now);
            foreach (ManualTimer timer in due)
            {
                timer.Due = timer.Period == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : _now + timer.Period;
            }
        }

        due.ForEach(static t => t.Fire());
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        public TimeSpan Due { get; set; } = TimeSpan.MaxValue;

        public TimeSpan Period { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                Due = dueTime == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : time._now + dueTime;
                Period = period;
                time._timers.Remove(this);
                time._timers.Add(this);
            }

            return true;
        }

        public void Dispose()
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

public static class TestTimes
{
    /// <summary>A bound that only a hanging test reaches.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
}

/// <summary>A cluster whose silos share the gates and the journal of one test.</summary>
public sealed class ProbeCluster : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<string, ProbeCluster> _byKey = new(StringComparer.Ordinal);

    private readonly string _key = Guid.NewGuid().ToString("N");
    private readonly Action<ISiloBuilder> _configure;

    private ProbeCluster(short silos, Action<ISiloBuilder>? configure)
    {
        _configure = configure ?? (static _ => { });
        _byKey[_key] = this;
        TestClusterBuilder builder = new(silos);
        builder.Properties["probe"] = _key;
        builder.AddSiloBuilderConfigurator<Configurator>();
        builder.AddClientBuilderConfigurator<Configurator>();
        Cluster = builder.Build();
    }

    public TestCluster Cluster { get; }

    public Gates Gates { get; } = new();

    public Journal Journal { get; } = new();

    public TimeSpan? ClientTimeout { get; private init; }

    public static async Task<ProbeCluster> StartAsync(
        short silos = 1, Action<ISiloBuilder>? configure = null, TimeSpan? clientTimeout = null)
    {
        ProbeCluster probe = new(silos, configure) { ClientTimeout = clientTimeout };
        await probe.Cluster.DeployAsync();
        return probe;
    }

    public IProbeGrain Grain(string key) => Cluster.GrainFactory.GetGrain<IProbeGrain>(key);

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        _byKey.TryRemove(_key, out _);
    }

    private sealed class Configurator : ISiloConfigurator, IClientBuilderConfigurator
    {
        public void Configure(ISiloBuilder siloBuilder)
        {
            ProbeCluster probe = _byKey[siloBuilder.Configuration["probe"]!];
            siloBuilder.Services.AddSingleton(probe.Gates).AddSingleton(probe.Journal);
            probe._configure(siloBuilder);
        }

        public void Configure(IConfiguration configuration, IClientBuilder clientBuilder)
        {
            if (_byKey[configuration["probe"]!].ClientTimeout is { } timeout)
            {
                clientBuilder.Configure<ClientMessagingOptions>(options => options.ResponseTimeout = timeout);
            }
        }
    }
}
