using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>A timer that asks for a turn when it is due, and is set again when that turn has ended.</summary>
internal sealed class GrainTimer : IGrainTimer
{
    private readonly Lock _gate = new();
    private readonly Activation _activation;
    private readonly Func<CancellationToken, Task> _callback;
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _timer;
    private TimeSpan _period;
    private bool _ticking;
    private bool _changed;
    private bool _disposed;

    public GrainTimer(
        Activation activation, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
    {
        _activation = activation;
        _callback = callback;
        Interleave = options.Interleave;
        KeepAlive = options.KeepAlive;
        using (ExecutionContext.SuppressFlow())
        {
            _timer = activation.Silo.Time.CreateTimer(
                static state => ((GrainTimer)state!).OnDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    public bool Interleave { get; }

    public bool KeepAlive { get; }

    public bool IsDisposed => Volatile.Read(ref _disposed);

    public void Change(TimeSpan dueTime, TimeSpan period)
    {
        Check(dueTime);
        Check(period);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _period = period;
            _changed = true;
            _timer.Change(dueTime, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _timer.Dispose();
        }

        _activation.Forget(this);

        // What the tick registered on its token is grain code, so it runs as a turn.
        _activation.EnqueueTurn(_stop.Cancel);
    }

    public async Task TickAsync()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _changed = false;
        }

        try
        {
            await _callback(_stop.Token);
        }
        catch (OperationCanceledException) when (IsDisposed)
        {
            // Stopped while it ran.
        }
        catch (Exception cause)
        {
            _activation.Silo.Log.TimerFailed(_activation.GrainId, cause);
        }
    }

    public void OnTickEnded()
    {
        lock (_gate)
        {
            _ticking = false;

            // The period counts from the end of a tick, so ticks never pile up; a Change in between wins.
            if (!_disposed && !_changed && _period != Timeout.InfiniteTimeSpan)
            {
                _timer.Change(_period, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private static void Check(TimeSpan time)
    {
        if (time < TimeSpan.Zero && time != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(
                nameof(time), time, "A timer's times are zero, positive or infinite.");
        }
    }

    private void OnDue()
    {
        lock (_gate)
        {
            if (_disposed || _ticking)
            {
                return;
            }

            _ticking = true;
        }

        if (!_activation.TryAccept(new TimerTick(this)))
        {
            Dispose();
        }
    }
}

/// <summary>One tick, waiting for its turn.</summary>
internal sealed class TimerTick(GrainTimer timer) : TurnRequest
{
    public override bool AlwaysInterleave => timer.Interleave;

    public override bool KeepsAlive => timer.KeepAlive;

    public override bool IsAbandoned => timer.IsDisposed;

    public override void Fail(Exception cause)
    {
        // The timer is stopped by whoever ends the activation.
    }

    public override void Reroute()
    {
        // A tick belongs to its activation and ends with it.
    }

    protected override async Task RunAsync(Activation activation)
    {
        await timer.TickAsync();
        timer.OnTickEnded();
    }
}
