using System.Diagnostics;

namespace Branching.Grains;

/// <summary>
/// The long-running operations of one grain: started on the thread pool, watched and cancelled from turns. Thread-safe.
/// </summary>
internal sealed class Operations(TimeProvider time, Action<Exception, string> unforeseen) : IAsyncDisposable
{
    /// <summary>The longest that one call may wait for the end of an operation.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(20);

    /// <summary>Finished operations that are remembered.</summary>
    public const int Remembered = 100;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Operation> _known = new(StringComparer.Ordinal);
    private readonly Queue<string> _finished = new();
    private readonly CancellationTokenSource _stop = new();

    /// <summary>The operation that runs and changes snapshots or ownership, if any.</summary>
    public OperationDescription? Exclusive
    {
        get
        {
            lock (_gate)
            {
                return _known.Values.FirstOrDefault(one => one.IsExclusive && !one.Ended.IsCompleted)?.Describe();
            }
        }
    }

    /// <summary>Starts an operation.</summary>
    /// <param name="kind">What it does.</param>
    /// <param name="target">What it does it to.</param>
    /// <param name="exclusive">Refused while another exclusive one runs.</param>
    /// <param name="run">Does it, and answers its description with the results filled in.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.Overloaded"/>, naming the one that runs.</exception>
    public OperationDescription Start(
        OperationKind kind,
        string target,
        bool exclusive,
        Func<Operation, CancellationToken, Task<OperationDescription>> run)
    {
        Operation started;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stop.IsCancellationRequested, this);
            if (exclusive && Exclusive is { } running)
            {
                throw new BranchingException(
                    FailureKind.Overloaded,
                    $"{kind} of {target} was not started: operation {running.OperationId} ({running.Kind} of " +
                    $"{running.Target}) is under way. Wait for it or cancel it.",
                    isTransient: true);
            }

            started = new Operation(kind, target, exclusive, time, _stop.Token);
            _known.Add(started.Id, started);
        }

        started.Begin(run, unforeseen, OnEnded);
        return started.Describe();
    }

    /// <summary>How far an operation is; waits for its end at most as long as told.</summary>
    public async Task<OperationDescription> GetAsync(
        string operationId, TimeSpan waitAtMost, CancellationToken cancellationToken)
    {
        Operation found = Find(operationId);
        if (waitAtMost < TimeSpan.Zero || waitAtMost > MaxWait)
        {
            throw new BranchingException(
                FailureKind.InvalidArgument, $"The time to wait, {waitAtMost}, is outside of 0 to {MaxWait}.");
        }

        if (waitAtMost > TimeSpan.Zero)
        {
            await found.WaitAsync(waitAtMost, cancellationToken);
        }

        return found.Describe();
    }

    /// <summary>Asks an operation to stop.</summary>
    public OperationDescription Cancel(string operationId)
    {
        Operation found = Find(operationId);
        found.Cancel();
        return found.Describe();
    }

    /// <summary>Those that run and the last finished ones, newest first.</summary>
    public IReadOnlyList<OperationDescription> List()
    {
        lock (_gate)
        {
            return _known.Values.Select(one => one.Describe()).OrderByDescending(one => one.StartedAt).ToArray();
        }
    }

    /// <summary>Cancels what runs and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        Operation[] running;
        lock (_gate)
        {
            running = [.. _known.Values.Where(one => !one.Ended.IsCompleted)];
        }

        await _stop.CancelAsync();
        await Task.WhenAll(running.Select(one => one.Ended));
        _stop.Dispose();
    }

    private Operation Find(string operationId)
    {
        lock (_gate)
        {
            return operationId is not null && _known.TryGetValue(operationId, out Operation? found)
                ? found
                : throw new BranchingException(
                    FailureKind.InvalidArgument,
                    $"There is no operation '{operationId}' here. It may have ended with its node: look whether it " +
                    $"did its work, and start it again if not.");
        }
    }

    private void OnEnded(Operation ended)
    {
        lock (_gate)
        {
            _finished.Enqueue(ended.Id);
            while (_finished.Count > Remembered)
            {
                _known.Remove(_finished.Dequeue());
            }
        }
    }
}

/// <summary>One operation, under way or ended. Thread-safe.</summary>
internal sealed class Operation
{
    private static readonly TimeSpan _rateWindow = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _cancel;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private OperationDescription _now;
    private long _rateFrom;
    private long _rateBytes;

    public Operation(
        OperationKind kind, string target, bool exclusive, TimeProvider time, CancellationToken stop)
    {
        IsExclusive = exclusive;
        _time = time;
        _cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
        _rateFrom = time.GetTimestamp();
        _now = new OperationDescription(
            Guid.NewGuid().ToString("N"), kind, target, OperationState.Running,
            new OperationProgress("starting", 0, 0, 0, 0, 0), time.GetUtcNow());
    }

    public string Id => _now.OperationId;

    public bool IsExclusive { get; }

    /// <summary>Completes, never fails, when the operation has ended.</summary>
    public Task Ended => _ended.Task;

    public OperationDescription Describe()
    {
        lock (_gate)
        {
            return _now;
        }
    }

    /// <summary>Says how far it is.</summary>
    public void Report(string phase, int filesDone = 0, int filesTotal = 0, long bytesDone = 0, long bytesTotal = 0)
    {
        lock (_gate)
        {
            double rate = _now.Progress.BytesPerSecond;
            TimeSpan since = _time.GetElapsedTime(_rateFrom);
            if (since >= _rateWindow || rate == 0)
            {
                long bytes = Math.Max(0, bytesDone - _rateBytes);
                rate = since > TimeSpan.Zero ? bytes / since.TotalSeconds : 0;
                if (since >= _rateWindow)
                {
                    (_rateFrom, _rateBytes) = (_time.GetTimestamp(), bytesDone);
                }
            }

            _now = _now with
            {
                Progress = new OperationProgress(phase, filesDone, filesTotal, bytesDone, bytesTotal, rate),
            };
        }
    }

    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        try
        {
            await Ended.WaitAsync(atMost, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // It goes on; the caller asks again.
        }
    }

    public void Cancel()
    {
        lock (_gate)
        {
            if (!Ended.IsCompleted)
            {
                _cancel.Cancel();
            }
        }
    }

    public void Begin(
        Func<Operation, CancellationToken, Task<OperationDescription>> run,
        Action<Exception, string> unforeseen,
        Action<Operation> ended)
        => _ = Task.Run(async () =>
        {
            OperationDescription last = await RunAsync(run, unforeseen);
            lock (_gate)
            {
                _now = last with { FinishedAt = _time.GetUtcNow() };
                _ended.SetResult();
                _cancel.Dispose();
            }

            ended(this);
        });

    private async Task<OperationDescription> RunAsync(
        Func<Operation, CancellationToken, Task<OperationDescription>> run, Action<Exception, string> unforeseen)
    {
        try
        {
            OperationDescription last = await run(this, _cancel.Token);
            Debug.Assert(last.OperationId == Id, "The description is of another operation.");
            return last.State == OperationState.Running ? last with { State = OperationState.Succeeded } : last;
        }
        catch (OperationCanceledException) when (_cancel.IsCancellationRequested)
        {
            return Describe() with { State = OperationState.Cancelled, Message = "It was cancelled." };
        }
        catch (BranchingException e)
        {
            return Describe() with { State = OperationState.Failed, Failure = e.Kind, Message = e.Message };
        }
        catch (Storage.StorageException e)
        {
            return Describe() with
            {
                State = OperationState.Failed,
                Failure = (FailureKind)(int)e.Kind,
                Message = e.Message,
            };
        }
        catch (Exception e)
        {
            unforeseen(e, $"operation {Id} ({_now.Kind} of {_now.Target})");
            return Describe() with
            {
                State = OperationState.Failed,
                Failure = FailureKind.Internal,
                Message = $"It failed in a way the program does not foresee: {e.Message}",
            };
        }
    }
}
