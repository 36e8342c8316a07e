using Microsoft.Extensions.DependencyInjection;
using Orleans;

namespace Branching.EmbeddedRuntime;

/// <content>How an activation begins and ends.</content>
internal sealed partial class Activation
{
    private TaskCompletionSource? _idle;

    /// <summary>Constructs the grain and calls OnActivateAsync, as the first turns.</summary>
    public void Start() => _scheduler.Enqueue(() => _ = ActivateAsync());

    public void Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (_reason is not null || _state == ActivationState.Gone)
            {
                return;
            }

            _reason = deactivationReason;
            if (_state == ActivationState.Activating)
            {
                return; // ActivateAsync sees the reason when it is done.
            }

            BeginDeactivating();
        }

        _scheduler.Enqueue(() => _ = DeactivateAsync(deactivationReason, cancellationToken));
    }

    /// <summary>Ends at once, as if the process had: no turn of the grain is asked to clean up.</summary>
    public void Kill(Exception cause)
    {
        TurnRequest[] cut;
        lock (_gate)
        {
            if (_state == ActivationState.Gone)
            {
                return;
            }

            _state = ActivationState.Gone;
            cut = [.. _running, .. _waiting];
            _running.Clear();
            _waiting.Clear();
            _idle?.TrySetResult();
        }

        Silo.Forget(this);
        StopTimers();
        foreach (TurnRequest request in cut)
        {
            request.Fail(cause);
        }

        EndStreams();
        _gone.TrySetResult();
    }

    private async Task ActivateAsync()
    {
        try
        {
            _scope = Silo.Services.CreateAsyncScope();
            _constructing = this;
            try
            {
                GrainInstance = _class.Construct(_scope.Value.ServiceProvider);
            }
            finally
            {
                _constructing = null;
            }

            using CancellationTokenSource limit = new(Silo.Collection.ActivationTimeout);
            await ((IGrainBase)GrainInstance).OnActivateAsync(limit.Token);
        }
        catch (Exception cause)
        {
            await FailActivationAsync(cause);
            return;
        }

        DeactivationReason reason;
        lock (_gate)
        {
            if (_state == ActivationState.Gone)
            {
                return;
            }

            if (_reason is null)
            {
                _state = ActivationState.Valid;
                StartWaiting();
                return;
            }

            reason = _reason.Value;
            BeginDeactivating();
        }

        await DeactivateAsync(reason, default);
    }

    private async Task FailActivationAsync(Exception cause)
    {
        Silo.Log.ActivationFailed(GrainId, cause);
        TurnRequest[] waiting;
        Silo.Forget(this);
        lock (_gate)
        {
            _state = ActivationState.Gone;
            _reason = new DeactivationReason(DeactivationReasonCode.ActivationFailed, cause, "Activating failed.");
            waiting = [.. _waiting];
            _waiting.Clear();
        }

        foreach (TurnRequest request in waiting)
        {
            request.Fail(cause);
        }

        StopTimers();
        await DisposeInstanceAsync();
        _gone.TrySetResult();
    }

    private void BeginDeactivating()
    {
        _state = ActivationState.Deactivating;
        _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_running.Count == 0)
        {
            _idle.TrySetResult();
        }
    }

    private async Task DeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        TimeSpan limit = Silo.Collection.DeactivationTimeout;
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        StopTimers();
        EndStreams();
        try
        {
            await _idle!.Task.WaitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            Silo.Log.DeactivatingBusy(GrainId, limit.TotalMilliseconds);
        }

        // The silo may have been killed while the last requests ended.
        if (_gone.Task.IsCompleted)
        {
            return;
        }

        try
        {
            await ((IGrainBase)Instance).OnDeactivateAsync(reason, timeout.Token).WaitAsync(timeout.Token);
        }
        catch (Exception cause)
        {
            // The grain ends all the same; a caller has nothing to do with it.
            Silo.Log.DeactivationFailed(GrainId, cause);
        }

        await DisposeInstanceAsync();
        Leave();
    }

    private void Leave()
    {
        TurnRequest[] waiting;
        Silo.Forget(this);
        lock (_gate)
        {
            _state = ActivationState.Gone;
            waiting = [.. _waiting];
            _waiting.Clear();
        }

        StopTimers();
        foreach (TurnRequest request in waiting)
        {
            request.Reroute();
        }

        _gone.TrySetResult();
    }

    private async Task DisposeInstanceAsync()
    {
        try
        {
            if (GrainInstance is IAsyncDisposable asyncDisposable)
            {
                await asyncDisposable.DisposeAsync();
            }
            else
            {
                (GrainInstance as IDisposable)?.Dispose();
            }

            if (_scope is { } scope)
            {
                await scope.DisposeAsync();
            }
        }
        catch (Exception cause)
        {
            Silo.Log.DeactivationFailed(GrainId, cause);
        }
    }
}
