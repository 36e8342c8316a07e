namespace Branching.EmbeddedRuntime;

/// <summary>Runs the turns of one activation, never two at once, on the thread pool.</summary>
/// <remarks>
/// Every request begins as a task of this scheduler, so whatever the grain awaits without
/// <c>ConfigureAwait(false)</c> comes back here as a further turn.
/// </remarks>
internal sealed class TurnScheduler : TaskScheduler, IThreadPoolWorkItem
{
    // After this many turns the thread goes back to the pool, so that one busy grain starves nobody.
    private const int TurnsPerSlice = 64;

    [ThreadStatic]
    private static TurnScheduler? _running;

    private readonly Lock _gate = new();
    private readonly Queue<object> _turns = new();
    private bool _scheduled;

    /// <summary>Gets whether the calling code is a turn of this scheduler.</summary>
    public bool IsRunningHere => ReferenceEquals(_running, this);

    public void Enqueue(TurnRequest request) => Add(request);

    public void Enqueue(Action action)
        => _ = Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this);

    void IThreadPoolWorkItem.Execute()
    {
        TurnScheduler? outer = _running;
        _running = this;
        try
        {
            for (int i = 0; i < TurnsPerSlice; i++)
            {
                object? turn;
                lock (_gate)
                {
                    if (!_turns.TryDequeue(out turn))
                    {
                        _scheduled = false;
                        return;
                    }
                }

                Run(turn);
            }
        }
        finally
        {
            _running = outer;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    protected override void QueueTask(Task task) => Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued)
        => !taskWasPreviouslyQueued && IsRunningHere && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_gate)
        {
            return [.. _turns.OfType<Task>()];
        }
    }

    private void Run(object turn)
    {
        if (turn is Task queued)
        {
            TryExecuteTask(queued);
            return;
        }

        // The task is made here and not where the request was sent, so that nothing of the sender's
        // execution context comes along: between processes it could not either.
        new Task(static state => ((TurnRequest)state!).Begin(), turn, TaskCreationOptions.DenyChildAttach)
            .RunSynchronously(this);
    }

    private void Add(object turn)
    {
        lock (_gate)
        {
            _turns.Enqueue(turn);
            if (_scheduled)
            {
                return;
            }

            _scheduled = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
