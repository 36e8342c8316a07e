using System.Reflection;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>A method that answers with a stream, which the caller pulls in batches.</summary>
internal sealed class StreamShape<T> : MethodShape
{
    private readonly Func<object, object?[], IAsyncEnumerable<T>> _invoke;

    public StreamShape(MethodInfo method)
        : base(method)
        => _invoke = Compile<IAsyncEnumerable<T>>(method, static call => call);

    public override bool HasResult => true;

    public override Task Invoke(object instance, object?[] arguments)
        => throw new InvalidOperationException($"{this} is a stream; it is enumerated, not called.");

    public IAsyncEnumerable<T> Open(object instance, object?[] arguments) => _invoke(instance, arguments);

    public override object? Call(GrainProxy target, object?[] arguments)
        => new GrainStream<T>(this, target, CopyArguments(arguments));
}

/// <summary>What the caller of a streaming method gets; each enumeration runs the method anew.</summary>
internal sealed class GrainStream<T>(StreamShape<T> shape, GrainProxy target, object?[] arguments) : IAsyncEnumerable<T>
{
    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        CancellationToken fromCall = shape.CancellationIndex >= 0
            ? (CancellationToken)arguments[shape.CancellationIndex]!
            : default;
        StreamSession<T> session = new(shape, (object?[])arguments.Clone());
        return new GrainStreamReader<T>(session, target, fromCall, cancellationToken);
    }
}

/// <summary>The caller's end of a stream.</summary>
internal sealed class GrainStreamReader<T> : IAsyncEnumerator<T>
{
    private readonly StreamSession<T> _session;
    private readonly GrainProxy _target;
    private readonly CancellationTokenSource _cancellation;
    private IReadOnlyList<T> _batch = [];
    private int _next;
    private bool _ended;
    private bool _started;

    public GrainStreamReader(
        StreamSession<T> session, GrainProxy target, CancellationToken fromCall, CancellationToken fromReader)
    {
        _session = session;
        _target = target;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(fromCall, fromReader);
    }

    public T Current { get; private set; } = default!;

    public async ValueTask<bool> MoveNextAsync()
    {
        while (true)
        {
            _cancellation.Token.ThrowIfCancellationRequested();
            if (_next < _batch.Count)
            {
                Current = _batch[_next++];
                return true;
            }

            if (_ended)
            {
                return false;
            }

            _target.Factory.Origin.ThrowIfGone();
            StreamPull<T> pull = new(_session, _target);
            _started = true;
            if (_session.Activation is not { } activation)
            {
                _target.Send(pull);
            }
            else if (!activation.TryAccept(pull))
            {
                throw StreamSession.Aborted(_target.GrainId);
            }

            using (_cancellation.Token.UnsafeRegister(static state => ((StreamPull<T>)state!).Cancel(), pull))
            {
                (_batch, _ended) = await pull.Answer;
                _next = 0;
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _cancellation.Dispose();
        _ended = true;
        _batch = [];
        if (_started)
        {
            _session.Close();
        }

        return ValueTask.CompletedTask;
    }
}

/// <summary>The grain's end of a stream, whatever its items are.</summary>
internal abstract class StreamSession
{
    protected CancellationTokenSource Stop { get; } = new();

    public Activation? Activation { get; protected set; }

    public static EnumerationAbortedException Aborted(GrainId grain)
        => new($"The activation of {grain} that produced the stream has ended; enumerate again to start over.");

    /// <summary>Stops the stream because its activation ends.</summary>
    public abstract void Abort();

    /// <summary>Stops the stream because its reader wants no more.</summary>
    public abstract void Close();
}

/// <summary>The grain's end of a stream.</summary>
internal sealed class StreamSession<T>(StreamShape<T> shape, object?[] arguments) : StreamSession
{
    // Enough to hide the cost of a turn, small enough to stay a trickle in memory.
    private const int MaxBatch = 100;

    private IAsyncEnumerator<T>? _items;
    private Task<bool>? _pending;
    private Exception? _failure;
    private bool _pulling;
    private bool _closing;
    private bool _aborted;

    public override void Abort()
    {
        _aborted = true;
        Activation?.EnqueueTurn(CancelAndClose);
    }

    public override void Close() => Activation?.EnqueueTurn(CancelAndClose);

    public void Cancel() => Activation?.EnqueueTurn(Stop.Cancel);

    /// <summary>Reads what is there without waiting, or waits for one item. Runs as turns of the activation.</summary>
    public async Task<(IReadOnlyList<T> Items, bool Ended)> PullAsync(Activation activation)
    {
        if (_failure is { } stored)
        {
            throw stored;
        }

        List<T> batch = [];
        _pulling = true;
        try
        {
            _items ??= Open(activation);
            while (batch.Count < MaxBatch)
            {
                Task<bool> next = _pending ?? _items.MoveNextAsync().AsTask();
                _pending = next;
                if (!next.IsCompleted && batch.Count > 0)
                {
                    return (batch, false);
                }

                bool any = await next;
                _pending = null;
                if (!any)
                {
                    return (batch, true);
                }

                batch.Add(DeepCopier.Copy(_items.Current));
            }

            return (batch, false);
        }
        catch (Exception cause)
        {
            _failure = _aborted ? Aborted(activation.GrainId) : cause;
            if (batch.Count > 0)
            {
                return (batch, false); // What came before the failure arrives before it.
            }

            throw _failure;
        }
        finally
        {
            _pulling = false;
            if (_closing)
            {
                await DisposeItemsAsync();
            }
        }
    }

    private IAsyncEnumerator<T> Open(Activation activation)
    {
        Activation = activation;
        activation.Add(this);
        if (shape.CancellationIndex >= 0)
        {
            arguments[shape.CancellationIndex] = Stop.Token;
        }

        return shape.Open(activation.Instance, arguments).GetAsyncEnumerator(Stop.Token);
    }

    private void CancelAndClose()
    {
        Stop.Cancel();
        _closing = true;
        if (!_pulling)
        {
            _ = DisposeItemsAsync();
        }
    }

    private async Task DisposeItemsAsync()
    {
        Activation?.Forget(this);
        IAsyncEnumerator<T>? items = _items;
        if (items is null || _failure is ObjectDisposedException)
        {
            return;
        }

        _failure ??= _aborted && Activation is not null
            ? Aborted(Activation.GrainId)
            : new ObjectDisposedException(nameof(StreamSession<T>));
        try
        {
            if (_pending is { } pending)
            {
                // An iterator cannot be disposed while it is being advanced.
                await ((Task)pending).ConfigureAwait(
                    ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                _pending = null;
            }

            await items.DisposeAsync();
        }
        catch (Exception cause)
        {
            Activation?.Silo.Log.StreamCloseFailed(Activation.GrainId, cause);
        }
    }
}

/// <summary>Asks for the next items of a stream. It has no deadline: a quiet stream is not a failed one.</summary>
internal sealed class StreamPull<T>(StreamSession<T> session, GrainProxy target) : TurnRequest
{
    private readonly TaskCompletionSource<(IReadOnlyList<T> Items, bool Ended)> _answer =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<(IReadOnlyList<T> Items, bool Ended)> Answer => _answer.Task;

    // Pulls run beside other requests, as a stream may stay open for long.
    public override bool AlwaysInterleave => true;

    public override bool IsAbandoned => _answer.Task.IsCompleted;

    public override void Fail(Exception cause) => _answer.TrySetException(cause);

    public override void Reroute()
    {
        if (session.Activation is null)
        {
            target.Factory.Origin.Cluster.Route(this, target);
        }
        else
        {
            Fail(StreamSession.Aborted(target.GrainId));
        }
    }

    public void Cancel()
    {
        _answer.TrySetCanceled();
        session.Cancel();
    }

    protected override async Task RunAsync(Activation activation)
    {
        try
        {
            _answer.TrySetResult(await session.PullAsync(activation));
        }
        catch (Exception cause)
        {
            _answer.TrySetException(cause);
        }
    }
}
