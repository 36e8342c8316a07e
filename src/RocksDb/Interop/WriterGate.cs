namespace Branching.RocksDb.Interop;

/// <summary>
/// Lets a column family be dropped only when nobody writes to it. RocksDB joins writers into groups, and a write to a
/// family that is dropped meanwhile fails the whole group, innocent writers included; a library built with assertions
/// (Debian's 7.8.3 is) ends the process.
/// </summary>
internal sealed class WriterGate
{
    private const int Closed = int.MinValue;

    // The number of writers inside; negative when closed.
    private int _state;

    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _state) > 0)
        {
            return true;
        }

        Exit();
        return false;
    }

    public void Exit() => Interlocked.Decrement(ref _state);

    /// <summary>Refuses new writers and returns when the last one is out.</summary>
    public void CloseAndWait()
    {
        Interlocked.Or(ref _state, Closed);
        SpinWait wait = default;
        while (Volatile.Read(ref _state) != Closed)
        {
            wait.SpinOnce();
        }
    }

    /// <summary>Lets writers in again: the drop failed.</summary>
    public void Reopen() => Interlocked.And(ref _state, ~Closed);
}
