namespace Branching.EmbeddedRuntime;

/// <summary>Ends calls that got no answer in time. One timer looks at all of them, only while there are any.</summary>
internal sealed class Deadlines : IDisposable
{
    // A response timeout is a bound, not an appointment; a call may end up to this much late.
    private const int PeriodMs = 25;

    private readonly Stripe[] _stripes;
    private readonly Timer _timer;
    private int _armed;

    public Deadlines()
    {
        _stripes = new Stripe[Math.Max(1, Environment.ProcessorCount)];
        for (int i = 0; i < _stripes.Length; i++)
        {
            _stripes[i] = new Stripe();
        }

        using (ExecutionContext.SuppressFlow())
        {
            _timer = new Timer(static state => ((Deadlines)state!).Sweep(), this, Timeout.Infinite, Timeout.Infinite);
        }
    }

    public void Add(GrainCall call)
    {
        Stripe stripe = Of(call);
        lock (stripe)
        {
            if (call.IsAbandoned)
            {
                return;
            }

            call.NextDeadline = stripe.First;
            if (stripe.First is { } first)
            {
                first.PreviousDeadline = call;
            }

            stripe.First = call;
        }

        if (Volatile.Read(ref _armed) == 0 && Interlocked.Exchange(ref _armed, 1) == 0)
        {
            Arm();
        }
    }

    public void Remove(GrainCall call)
    {
        Stripe stripe = Of(call);
        lock (stripe)
        {
            if (call.PreviousDeadline is { } previous)
            {
                previous.NextDeadline = call.NextDeadline;
            }
            else if (ReferenceEquals(stripe.First, call))
            {
                stripe.First = call.NextDeadline;
            }

            if (call.NextDeadline is { } next)
            {
                next.PreviousDeadline = call.PreviousDeadline;
            }

            call.PreviousDeadline = null;
            call.NextDeadline = null;
        }
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>Ends every call that still waits; for when their origin goes away.</summary>
    public void FailAll(Func<GrainCall, Exception> cause)
    {
        foreach (GrainCall call in Collect(static _ => true))
        {
            call.Fail(cause(call));
        }
    }

    private Stripe Of(GrainCall call)
        => _stripes[(uint)System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(call) % (uint)_stripes.Length];

    private void Sweep()
    {
        long now = Environment.TickCount64;
        foreach (GrainCall call in Collect(candidate => candidate.DeadlineMs <= now))
        {
            call.OnDeadline();
        }

        Volatile.Write(ref _armed, 0);
        foreach (Stripe stripe in _stripes)
        {
            if (Volatile.Read(ref stripe.First) is not null && Interlocked.Exchange(ref _armed, 1) == 0)
            {
                Arm();
            }
        }
    }

    private List<GrainCall> Collect(Func<GrainCall, bool> wanted)
    {
        List<GrainCall> found = [];
        foreach (Stripe stripe in _stripes)
        {
            lock (stripe)
            {
                for (GrainCall? call = stripe.First; call is not null; call = call.NextDeadline)
                {
                    if (wanted(call))
                    {
                        found.Add(call);
                    }
                }
            }
        }

        return found;
    }

    private void Arm()
    {
        try
        {
            _timer.Change(PeriodMs, Timeout.Infinite);
        }
        catch (ObjectDisposedException)
        {
            // The origin is gone, and with it everybody who waited.
        }
    }

    private sealed class Stripe
    {
        public GrainCall? First;
    }
}
