namespace Branching.Storage.Shared;

/// <summary>Many may share, or one may have it alone; those who wait are served in order.</summary>
/// <remarks>
/// Unlike <see cref="SemaphoreSlim"/> it hands over on the thread that leaves, without a thread pool, so that the
/// protocol runs the same way twice under a simulated schedule. Thread-safe.
/// </remarks>
internal sealed class AsyncGate
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private int _holders; // -1: alone.

    public Task<IDisposable> ShareAsync(CancellationToken cancellationToken) => EnterAsync(false, cancellationToken);

    /// <summary>For somebody inside who shares already: does not queue behind those who wait to be alone.</summary>
    public Task<IDisposable> ShareAgainAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_holders > 0)
            {
                _holders++;
                return Task.FromResult<IDisposable>(new Holder(this, alone: false));
            }
        }

        return ShareAsync(cancellationToken);
    }

    public Task<IDisposable> AloneAsync(CancellationToken cancellationToken) => EnterAsync(true, cancellationToken);

    private async Task<IDisposable> EnterAsync(bool alone, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Waiter waiter = new(alone);
        lock (_lock)
        {
            if (_waiting.Count == 0 && TryEnter(alone))
            {
                return new Holder(this, alone);
            }

            _waiting.AddLast(waiter);
        }

        using (cancellationToken.UnsafeRegister(_ => GiveUp(waiter, cancellationToken), null))
        {
            await waiter.Entered.Task.ConfigureAwait(false);
        }

        return new Holder(this, alone);
    }

    private bool TryEnter(bool alone)
    {
        if (alone ? _holders != 0 : _holders < 0)
        {
            return false;
        }

        _holders = alone ? -1 : _holders + 1;
        return true;
    }

    private void GiveUp(Waiter waiter, CancellationToken cancellationToken)
    {
        bool gaveUp;
        lock (_lock)
        {
            gaveUp = _waiting.Remove(waiter);
        }

        if (gaveUp)
        {
            waiter.Entered.TrySetCanceled(cancellationToken);
            Admit();
        }
    }

    private void Leave(bool alone)
    {
        lock (_lock)
        {
            _holders = alone ? 0 : _holders - 1;
        }

        Admit();
    }

    private void Admit()
    {
        List<Waiter> admitted = [];
        lock (_lock)
        {
            while (_waiting.First is { } next && TryEnter(next.Value.Alone))
            {
                _waiting.RemoveFirst();
                admitted.Add(next.Value);
            }
        }

        foreach (Waiter waiter in admitted)
        {
            waiter.Entered.SetResult();
        }
    }

    private sealed class Waiter(bool alone)
    {
        public bool Alone { get; } = alone;

        public TaskCompletionSource Entered { get; } = new();
    }

    private sealed class Holder(AsyncGate gate, bool alone) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                gate.Leave(alone);
            }
        }
    }
}
