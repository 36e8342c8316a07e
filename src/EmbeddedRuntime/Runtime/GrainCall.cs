namespace Branching.EmbeddedRuntime;

/// <summary>One call on its way: who waits for it, until when, and where it is.</summary>
internal abstract class GrainCall(MethodShape method, GrainProxy target, object?[] arguments) : TurnRequest
{
    private readonly Lock _gate = new();
    private CancellationTokenRegistration _callerCancellation;
    private CancellationTokenSource? _calleeCancellation;
    private Activation? _acceptedBy;
    private bool _ended;

    // Links of the deadline list; owned by Deadlines.
    public GrainCall? PreviousDeadline { get; set; }

    public GrainCall? NextDeadline { get; set; }

    public long DeadlineMs { get; set; }

    public MethodShape Method { get; } = method;

    public GrainProxy Target { get; } = target;

    public TimeSpan Timeout { get; private set; }

    public override bool AlwaysInterleave => Method.AlwaysInterleave;

    public override bool ReadOnly => Method.ReadOnly;

    public override bool IsAbandoned => Volatile.Read(ref _ended);

    protected object?[] Arguments { get; } = arguments;

    /// <summary>Starts the clock and ties the caller's token to the one that the grain sees.</summary>
    public void Prepare(CallOrigin origin)
    {
        Timeout = Method.Timeout ?? origin.Messaging.ResponseTimeout;
        if (Method.CancellationIndex >= 0)
        {
            CancellationToken fromCaller = (CancellationToken)Arguments[Method.CancellationIndex]!;
            _calleeCancellation = new CancellationTokenSource();
            Arguments[Method.CancellationIndex] = _calleeCancellation.Token;
            if (fromCaller.CanBeCanceled)
            {
                CancellationTokenRegistration registration = fromCaller.UnsafeRegister(
                    static (state, token) => ((GrainCall)state!).OnCallerCancelled(token), this);
                KeepRegistration(registration);
            }
        }

        if (!Method.OneWay && Timeout > TimeSpan.Zero && !IsAbandoned)
        {
            DeadlineMs = Environment.TickCount64 + (long)Timeout.TotalMilliseconds;
            origin.Deadlines.Add(this);
        }
    }

    public override void Reroute() => Target.Factory.Origin.Cluster.Route(this, Target);

    public void AcceptedBy(Activation activation) => Volatile.Write(ref _acceptedBy, activation);

    public void OnDeadline()
    {
        Fail(new TimeoutException(
            $"No answer from {Target.GrainId} to {Method} within {Timeout}. Whether it was carried out is unknown."));
        if (Target.Factory.Origin.Messaging.CancelRequestOnTimeout)
        {
            CancelCallee();
        }
    }

    /// <summary>Returns true for the first who ends the call; only that one may answer.</summary>
    protected bool TryEnd()
    {
        CancellationTokenRegistration registration;
        lock (_gate)
        {
            if (_ended)
            {
                return false;
            }

            Volatile.Write(ref _ended, true);
            registration = _callerCancellation;
        }

        Target.Factory.Origin.Deadlines.Remove(this);

        // Not Dispose: that waits for a callback that may be waiting for this very call.
        registration.Unregister();
        return true;
    }

    private void KeepRegistration(CancellationTokenRegistration registration)
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _callerCancellation = registration;
                return;
            }
        }

        registration.Unregister();
    }

    private void OnCallerCancelled(CancellationToken token)
    {
        // A call that no activation holds yet has nobody to wait for.
        if (!Target.Factory.Origin.Messaging.WaitForCancellationAcknowledgement
            || Volatile.Read(ref _acceptedBy) is null)
        {
            Fail(new OperationCanceledException(token));
        }

        CancelCallee();
    }

    private void CancelCallee()
    {
        if (_calleeCancellation is not { } source)
        {
            return;
        }

        if (Volatile.Read(ref _acceptedBy) is { } activation)
        {
            // What the grain registered on its token is grain code, so it runs as a turn.
            activation.EnqueueTurn(source.Cancel);
        }
        else
        {
            source.Cancel();
        }
    }
}

/// <summary>A call whose answer is a <typeparamref name="T"/>.</summary>
internal sealed class GrainCall<T>(MethodShape method, GrainProxy target, object?[] arguments)
    : GrainCall(method, target, arguments)
{
    private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Answer => _answer.Task;

    public override void Fail(Exception cause)
    {
        if (!TryEnd())
        {
            return;
        }

        _answer.TrySetException(cause);
        if (Method.OneWay)
        {
            _ = _answer.Task.Exception; // Nobody waits for it; observed here.
        }
    }

    protected override Task RunAsync(Activation activation)
    {
        Task running = Method.Invoke(activation.Instance, Arguments);
        if (running.IsCompletedSuccessfully)
        {
            Answered(running);
            return Task.CompletedTask;
        }

        return WaitAsync(running, activation);
    }

    private async Task WaitAsync(Task running, Activation activation)
    {
        try
        {
            await running;
            Answered(running);
        }
        catch (Exception cause)
        {
            if (Method.OneWay)
            {
                activation.Silo.Log.OneWayFailed(activation.GrainId, Method.Name, cause);
            }

            Fail(cause);
        }
    }

    private void Answered(Task done)
    {
        // A method without a result has an answer too: that it ended.
        T result = done is Task<T> typed && Method.HasResult
            ? DeepCopier.Copy(typed.GetAwaiter().GetResult())
            : default!;
        if (TryEnd())
        {
            _answer.TrySetResult(result);
        }
    }
}
