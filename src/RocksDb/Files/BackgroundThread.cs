namespace Branching.RocksDb.Files;

/// <summary>Lets a thread yield to the others of the machine.</summary>
public static class BackgroundThread
{
    /// <summary>
    /// Gives the calling thread a low share of the processor while others want it. It cannot be raised again without
    /// privileges, so only a thread that does nothing else calls this; never one of a pool.
    /// </summary>
    /// <returns>Whether the system agreed; the thread works either way.</returns>
    public static bool TryLowerPriority()
    {
        const int Process = 0; // PRIO_PROCESS with id 0 is, on Linux, the calling thread alone (setpriority(2)).
        const int Nice = 10;
        return FileNative.setpriority(Process, 0, Nice) == 0;
    }
}
