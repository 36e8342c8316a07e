using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>One grain in the memory of one silo: its object, its turns and the requests that wait for them.</summary>
/// <remarks>
/// States only move forward: activating, valid, deactivating, gone. Requests are accepted in every state but the
/// last, which is entered after the directory entry was removed; whoever is refused looks the grain up again.
/// </remarks>
internal sealed partial class Activation : IGrainContext
{
    [ThreadStatic]
    private static Activation? _constructing;

    private readonly Lock _gate = new();
    private readonly TurnScheduler _scheduler = new();
    private readonly List<TurnRequest> _waiting = [];
    private readonly List<TurnRequest> _running = [];
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _reentrant;
    private readonly GrainClass _class;
    private AsyncServiceScope? _scope;
    private ActivationState _state = ActivationState.Activating;
    private DeactivationReason? _reason;
    private long _lastUse;
    private long _keepUntil = long.MinValue;

    public Activation(GrainClass grainClass, GrainId id, SiloRuntime silo)
    {
        _class = grainClass;
        _reentrant = grainClass.IsReentrant;
        GrainId = id;
        Silo = silo;
        _lastUse = silo.Time.GetTimestamp();
    }

    private enum ActivationState
    {
        Activating,
        Valid,
        Deactivating,
        Gone,
    }

    /// <summary>Gets the activation whose grain object the calling thread is constructing.</summary>
    public static Activation? Constructing => _constructing;

    public GrainId GrainId { get; }

    public SiloRuntime Silo { get; }

    public object? GrainInstance { get; private set; }

    public object Instance => GrainInstance!;

    public IServiceProvider ActivationServices => _scope?.ServiceProvider ?? Silo.Services;

    public Task Deactivated => _gone.Task;

    /// <summary>Gets the reason that the activation is ending for, if it is.</summary>
    public DeactivationReason? EndReason => _reason;

    public void EnqueueTurn(Action turn) => _scheduler.Enqueue(turn);

    /// <summary>Takes a request in, to run now or later.</summary>
    /// <returns>False when the activation is gone; then the grain must be looked up again.</returns>
    public bool TryAccept(TurnRequest request)
    {
        request.BindTo(this);
        lock (_gate)
        {
            if (_state == ActivationState.Gone)
            {
                return false;
            }

            (request as GrainCall)?.AcceptedBy(this);
            if (request.KeepsAlive)
            {
                _lastUse = Silo.Time.GetTimestamp();
            }

            if (_state != ActivationState.Valid || !MayStart(request))
            {
                _waiting.Add(request);
                return true;
            }

            _running.Add(request);
        }

        _scheduler.Enqueue(request);
        return true;
    }

    /// <summary>Lets the next requests begin, or the deactivation go on.</summary>
    public void OnRequestEnded(TurnRequest request)
    {
        lock (_gate)
        {
            _running.Remove(request);
            if (request.KeepsAlive)
            {
                _lastUse = Silo.Time.GetTimestamp();
            }

            if (_state == ActivationState.Valid)
            {
                StartWaiting();
            }
            else if (_running.Count == 0)
            {
                _idle?.TrySetResult();
            }
        }
    }

    public void DelayDeactivation(TimeSpan delay)
    {
        TimeProvider time = Silo.Time;
        lock (_gate)
        {
            _keepUntil = delay <= TimeSpan.Zero ? long.MinValue
                : delay >= TimeSpan.FromDays(10_000) ? long.MaxValue
                : time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);
        }
    }

    /// <summary>Deactivates when nothing has used the grain for its collection age.</summary>
    public void CollectIfIdle()
    {
        TimeSpan age = Silo.CollectionAge(_class.Type);
        lock (_gate)
        {
            long now = Silo.Time.GetTimestamp();
            if (_state != ActivationState.Valid || _running.Count > 0 || _waiting.Count > 0 || _keepUntil > now
                || Silo.Time.GetElapsedTime(_lastUse, now) < age)
            {
                return;
            }
        }

        Deactivate(new DeactivationReason(DeactivationReasonCode.ActivationIdle, $"Not used for {age}."));
    }

    // The rule that keeps a grain's state consistent between its awaits: two requests share an activation only
    // when one of them, or the class, says that it may.
    private bool MayStart(TurnRequest request)
    {
        if (_reentrant || request.AlwaysInterleave)
        {
            return true;
        }

        foreach (TurnRequest other in _running)
        {
            if (!other.AlwaysInterleave && !(request.ReadOnly && other.ReadOnly))
            {
                return false;
            }
        }

        return true;
    }

    private void StartWaiting()
    {
        for (int i = 0; i < _waiting.Count;)
        {
            TurnRequest next = _waiting[i];
            if (next.IsAbandoned)
            {
                _waiting.RemoveAt(i);
            }
            else if (MayStart(next))
            {
                _waiting.RemoveAt(i);
                _running.Add(next);
                _scheduler.Enqueue(next);
            }
            else
            {
                i++;
            }
        }
    }
}
