using System.Threading.Tasks.Sources;
using Microsoft.Extensions.ObjectPool;

namespace Branching.Storage;

/// <summary>One waiting write: the awaitable its caller holds, and its place in the queue.</summary>
/// <remarks>
/// <para>
/// A ticket is <em>waiting</em> until exactly one of two things happens to it: the writer takes it, and then its
/// outcome is what the commit says; or it is withdrawn (cancelled, timed out), and then the writer drops it unread.
/// </para>
/// <para>
/// Tickets are pooled, so that a write allocates nothing here. Two parties hold one: the queue and the caller; the
/// second one to let go returns it to the pool.
/// </para>
/// </remarks>
internal sealed class WriteTicket : IValueTaskSource<WriteResult>, IThreadPoolWorkItem
{
    private const int Waiting = 0;
    private const int Taken = 1;
    private const int Withdrawn = 2;

    private static readonly ObjectPool<WriteTicket> _pool =
        new DefaultObjectPool<WriteTicket>(new DefaultPooledObjectPolicy<WriteTicket>(), maximumRetained: 4096);

    private ManualResetValueTaskSourceCore<WriteResult> _core;
    private CancellationTokenRegistration _cancellation;
    private CancellationToken _cancellationToken;
    private WriteRequest? _request;
    private WriteResult _result;
    private Exception? _failure;
    private int _state;
    private int _holders;

    /// <summary>The request. Only the writer reads it, and only between taking and completing.</summary>
    public WriteRequest Request => _request!;

    /// <summary>Keys and values of the request, in bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>
    /// Whether the outcome is set by the caller itself, before it has handed the awaitable out: then there is no
    /// continuation that could run on the writer, and no thread needs to be asked to run it.
    /// </summary>
    public bool CallerWrites { get; set; }

    /// <summary>When the request arrived; a timestamp of the store's <see cref="TimeProvider"/>.</summary>
    public long ArrivedAt { get; private set; }

    /// <summary>The awaitable; may be awaited once.</summary>
    public ValueTask<WriteResult> Answer => new(this, _core.Version);

    public static WriteTicket Rent(WriteRequest request, long bytes, long arrivedAt)
    {
        WriteTicket ticket = _pool.Get();
        ticket._request = request;
        ticket.Bytes = bytes;
        ticket.ArrivedAt = arrivedAt;
        ticket._state = Waiting;
        ticket._holders = 2;
        return ticket;
    }

    /// <summary>Returns a ticket that never entered a queue and whose answer nobody holds.</summary>
    public void Discard()
    {
        LetGo();
        LetGo();
    }

    /// <summary>Withdraws the ticket when <paramref name="cancellationToken"/> asks before the writer came.</summary>
    public void WithdrawOn(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            _cancellationToken = cancellationToken;
            _cancellation = cancellationToken.UnsafeRegister(
                static state =>
                {
                    WriteTicket ticket = (WriteTicket)state!;
                    ticket.TryWithdraw(new OperationCanceledException(ticket._cancellationToken));
                },
                this);
        }
    }

    /// <summary>The writer takes the ticket; <see langword="false"/>: it was withdrawn and must be dropped.</summary>
    public bool TryTake() => Interlocked.CompareExchange(ref _state, Taken, Waiting) == Waiting;

    /// <summary>Answers with <paramref name="why"/> if the writer has not taken the ticket.</summary>
    public bool TryWithdraw(Exception why)
    {
        if (Interlocked.CompareExchange(ref _state, Withdrawn, Waiting) != Waiting)
        {
            return false;
        }

        _failure = why;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        return true;
    }

    /// <summary>The queue lets go of a withdrawn ticket.</summary>
    public void Drop() => LetGo();

    /// <summary>Answers a taken ticket. The caller's continuation never runs on the writer.</summary>
    public void Complete(WriteResult result)
    {
        _result = result;
        SetOutcome();
    }

    /// <summary>Answers a taken ticket with a failure.</summary>
    public void Fail(Exception failure)
    {
        _failure = failure;
        SetOutcome();
    }

    /// <summary>Makes a taken ticket, which no queue and no token knew of, one that waits like any other.</summary>
    public void WaitAfterAll()
    {
        CallerWrites = false;
        Volatile.Write(ref _state, Waiting);
    }

    void IThreadPoolWorkItem.Execute() => Execute();

    private void SetOutcome()
    {
        if (CallerWrites)
        {
            Execute();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private void Execute()
    {
        // Read first: setting the outcome runs the caller's continuation, which lets go of the ticket.
        bool taken = Volatile.Read(ref _state) == Taken;
        if (_failure is { } failure)
        {
            _core.SetException(failure);
        }
        else
        {
            _core.SetResult(_result);
        }

        if (taken)
        {
            LetGo();
        }
    }

    WriteResult IValueTaskSource<WriteResult>.GetResult(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            // Waits for a cancellation callback that is running now: none may reach the ticket's next life.
            _cancellation.Dispose();
            LetGo();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<WriteResult>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<WriteResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void LetGo()
    {
        if (Interlocked.Decrement(ref _holders) != 0)
        {
            return;
        }

        (_request?.Operations as SingleOperation)?.Return();
        _core.Reset();
        _cancellation = default;
        _cancellationToken = default;
        _request = null;
        _failure = null;
        CallerWrites = false;
        _pool.Return(this);
    }
}
