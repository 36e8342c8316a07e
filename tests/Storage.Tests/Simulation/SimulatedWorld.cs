namespace Branching.Storage.Tests.Simulation;

/// <summary>One thread, one virtual clock, one seed: the same seed gives the same schedule.</summary>
internal sealed class SimulatedWorld(int seed)
{
    private readonly PriorityQueue<(SimulatedProcess? Process, Action Action), (long At, long Order)> _events = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private volatile string? _escaped;
    private long _order;

    public Random Random { get; } = new(seed);

    /// <summary>How many deletions arrive late, up to 20 s.</summary>
    public double LateDeletions { get; init; } = 0.05;

    public TimeSpan Now { get; private set; } = TimeSpan.FromDays(1);

    public Action? AfterEvent { get; set; }

    /// <summary>Runs <paramref name="action"/> later, unless its process has crashed by then; a paused process runs
    /// it when it goes on.</summary>
    public void Schedule(TimeSpan after, SimulatedProcess? process, Action action)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            // Thrown here it would end up in some task; the schedule as a whole is worth nothing.
            _escaped ??= Environment.StackTrace;
            return;
        }

        _events.Enqueue((process, action), ((Now + after).Ticks, _order++));
    }

    /// <summary>Runs until nothing is left to do, or until <paramref name="end"/>.</summary>
    public void Run(TimeSpan end)
    {
        while (_events.TryDequeue(out (SimulatedProcess? Process, Action Action) next, out (long At, long) key)
            && key.At <= end.Ticks)
        {
            Now = new TimeSpan(Math.Max(key.At, Now.Ticks));
            if (next.Process is { Crashed: true })
            {
                continue;
            }

            if (next.Process is { } process && process.PausedUntil > Now)
            {
                _events.Enqueue(next, (process.PausedUntil.Ticks, _order++));
                continue;
            }

            next.Action();
            if (_escaped is not null)
            {
                throw new InvalidOperationException("Something left the simulation's thread: " + _escaped);
            }

            AfterEvent?.Invoke();
        }
    }

    public TimeSpan Milliseconds(int low, int high) =>
        TimeSpan.FromTicks(Random.NextInt64(low * TimeSpan.TicksPerMillisecond, high * TimeSpan.TicksPerMillisecond));

    public bool Chance(double probability) => Random.NextDouble() < probability;
}

/// <summary>One life of one node's process, with a clock that runs a little wrong.</summary>
internal sealed class SimulatedProcess : TimeProvider
{
    private readonly SimulatedWorld _world;
    private readonly double _rate;
    private readonly TimeSpan _offset;

    public SimulatedProcess(SimulatedWorld world, int node, int life)
    {
        _world = world;
        Node = node;
        Id = $"n{node}-{life}";
        _rate = 0.99 + (0.02 * world.Random.NextDouble());
        _offset = world.Milliseconds(0, 3_600_000);
    }

    public int Node { get; }

    public string Id { get; }

    public bool Crashed { get; set; }

    public TimeSpan PausedUntil { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => (long)(_world.Now.Ticks * _rate);

    public override DateTimeOffset GetUtcNow() =>
        DateTimeOffset.UnixEpoch + _offset + TimeSpan.FromTicks(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new SimulatedTimer(this, callback, state, dueTime);

    public Task DelayAsync(TimeSpan delay)
    {
        TaskCompletionSource done = new();
        _world.Schedule(delay, this, done.SetResult);
        return done.Task;
    }

    private sealed class SimulatedTimer : ITimer
    {
        private readonly SimulatedProcess _process;
        private readonly TimerCallback _callback;
        private readonly object? _state;
        private int _version;

        public SimulatedTimer(SimulatedProcess process, TimerCallback callback, object? state, TimeSpan due)
        {
            (_process, _callback, _state) = (process, callback, state);
            Change(due, Timeout.InfiniteTimeSpan);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            int version = ++_version;
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                _process._world.Schedule(dueTime / _process._rate, _process, () =>
                {
                    if (version == _version)
                    {
                        _callback(_state);
                    }
                });
            }

            return true;
        }

        public void Dispose() => _version++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
