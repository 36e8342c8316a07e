using Branching.RocksDb.Files;

namespace Branching.Storage;

/// <summary>
/// Blocking steps of long work, on a few threads that yield to everything else on the machine: those who write are not
/// to feel that a snapshot is taken. Thread-safe.
/// </summary>
/// <param name="name">Name of the threads.</param>
/// <param name="maxThreads">Steps at a time, 1 or more.</param>
internal sealed class BackgroundWork(string name, int maxThreads) : IDisposable
{
    private readonly ThreadCrew<Action> _crew = new(name, maxThreads, static next =>
    {
        // Threads of their own: a priority that was lowered stays so, and threads of the pool serve requests.
        BackgroundThread.TryLowerPriority();
        while (next() is { } step)
        {
            step();
        }
    });

    /// <summary>Runs a step; what it throws is thrown to the one who waits.</summary>
    public Task<T> RunAsync<T>(Func<T> step)
    {
        _crew.Add(Completions.Prepare(step, out Task<T> result));
        return result;
    }

    /// <inheritdoc cref="RunAsync{T}(Func{T})"/>
    public Task RunAsync(Action step) => RunAsync(() =>
    {
        step();
        return true;
    });

    /// <summary>Lets idle threads end. Steps that were added before are still done.</summary>
    public void Dispose() => _crew.Dispose();
}
