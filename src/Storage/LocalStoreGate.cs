namespace Branching.Storage;

/// <summary>Counts the calls inside a store, so that closing it waits for them and later ones are refused.</summary>
internal sealed class LocalStoreGate
{
    private const long ClosedBit = 1L << 62;

    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _inside;

    /// <summary>Whether the gate was closed.</summary>
    public bool IsClosed => (Volatile.Read(ref _inside) & ClosedBit) != 0;

    /// <summary>Enters; every successful call needs one <see cref="Exit"/>.</summary>
    public bool TryEnter()
    {
        if ((Interlocked.Increment(ref _inside) & ClosedBit) == 0)
        {
            return true;
        }

        Exit();
        return false;
    }

    public void Exit()
    {
        if (Interlocked.Decrement(ref _inside) == ClosedBit)
        {
            _empty.TrySetResult();
        }
    }

    /// <summary>Refuses new calls; completes when the last one inside has left.</summary>
    public Task CloseAsync()
    {
        // The closer counts as one call inside, so that the bit and the count change as one.
        Interlocked.Increment(ref _inside);
        Interlocked.Or(ref _inside, ClosedBit);
        Exit();
        return _empty.Task;
    }
}
