namespace Branching.Grains;

/// <summary>
/// Counts the changes of one database under way on this node, and holds new ones back while it is handed over.
/// Thread-safe.
/// </summary>
internal sealed class WriteGate
{
    private readonly Lock _lock = new();
    private int _inFlight;
    private long _bytes;
    private string? _paused;
    private TaskCompletionSource? _drained;

    /// <summary>Bytes of keys and values that were written through this node.</summary>
    public long BytesWritten => Interlocked.Read(ref _bytes);

    public void NoteWritten(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>Begins a change; dispose the answer when it has ended.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.Moved"/>, transient: changes pause.</exception>
    public Change Enter()
    {
        lock (_lock)
        {
            if (_paused is { } why)
            {
                throw new BranchingException(FailureKind.Moved, why, isTransient: true);
            }

            _inFlight++;
            return new Change(this);
        }
    }

    /// <summary>Lets no new change begin, and waits for those under way.</summary>
    /// <param name="why">What refused changes are answered.</param>
    /// <param name="cancellationToken">Gives up; changes go on then.</param>
    public async Task PauseAsync(string why, CancellationToken cancellationToken)
    {
        Task drained;
        lock (_lock)
        {
            _paused = why;
            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            drained = _inFlight == 0 ? Task.CompletedTask : _drained.Task;
        }

        try
        {
            await drained.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Resume();
            throw;
        }
    }

    public void Resume()
    {
        lock (_lock)
        {
            _paused = null;
            _drained = null;
        }
    }

    private void Exit()
    {
        lock (_lock)
        {
            if (--_inFlight == 0)
            {
                _drained?.TrySetResult();
            }
        }
    }

    /// <summary>A change under way.</summary>
    public readonly struct Change(WriteGate gate) : IDisposable
    {
        public void Dispose() => gate.Exit();
    }
}
