using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <content>Timers and streams: what runs beside requests and ends with the activation.</content>
internal sealed partial class Activation
{
    private readonly HashSet<GrainTimer> _timers = [];
    private readonly HashSet<StreamSession> _streams = [];

    public IGrainTimer RegisterTimer(Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
    {
        GrainTimer timer = new(this, callback, options);
        lock (_timers)
        {
            _timers.Add(timer);
        }

        timer.Change(options.DueTime, options.Period);
        if (_state == ActivationState.Gone)
        {
            timer.Dispose();
        }

        return timer;
    }

    public void Forget(GrainTimer timer)
    {
        lock (_timers)
        {
            _timers.Remove(timer);
        }
    }

    public void Add(StreamSession stream)
    {
        lock (_streams)
        {
            _streams.Add(stream);
        }
    }

    public void Forget(StreamSession stream)
    {
        lock (_streams)
        {
            _streams.Remove(stream);
        }
    }

    private void StopTimers()
    {
        GrainTimer[] timers;
        lock (_timers)
        {
            timers = [.. _timers];
        }

        foreach (GrainTimer timer in timers)
        {
            timer.Dispose();
        }
    }

    private void EndStreams()
    {
        StreamSession[] streams;
        lock (_streams)
        {
            streams = [.. _streams];
        }

        foreach (StreamSession stream in streams)
        {
            stream.Abort();
        }
    }
}
