using System.Collections.Concurrent;
using System.Diagnostics;
using Branching.Storage;

namespace Branching.Bench;

/// <summary>
/// Another client of a store: puts at a fixed rate, whether or not earlier ones were answered. The latency of a put
/// counts from when it was due, so that a stall is seen by every put it delays.
/// </summary>
internal sealed class PacedWriter : IAsyncDisposable
{
    private readonly LocalStore _store;
    private readonly int _perSecond;
    private readonly long _records;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<(long DueAt, double Milliseconds)> _puts = new();
    private readonly Task _loop;

    public PacedWriter(LocalStore store, int perSecond, long records)
    {
        _store = store;
        _perSecond = perSecond;
        _records = records;
        _loop = Task.Run(WriteAsync);
    }

    /// <summary>Latencies of the puts that were due within any of the windows (timestamps).</summary>
    public Samples Within(IReadOnlyList<(long From, long To)> windows)
        => new(_puts.Where(put => windows.Any(window => put.DueAt >= window.From && put.DueAt <= window.To))
            .Select(put => put.Milliseconds));

    /// <summary>Stops and waits for the last answer.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task WriteAsync()
    {
        Workload workload = new(seed: 21);
        List<Task> underWay = [];
        long start = Stopwatch.GetTimestamp();
        long issued = 0;
        while (!_stop.IsCancellationRequested)
        {
            long due = (long)(Stopwatch.GetElapsedTime(start).TotalSeconds * _perSecond);
            for (; issued < due; issued++)
            {
                long dueAt = start + (issued * Stopwatch.Frequency / _perSecond);
                underWay.Add(PutAsync(workload, dueAt));
            }

            underWay.RemoveAll(static put => put.IsCompletedSuccessfully);
            await Task.Delay(1);
        }

        await Task.WhenAll(underWay);
    }

    private async Task PutAsync(Workload workload, long dueAt)
    {
        WriteOperation put = WriteOperation.Put(Workload.NewKey(workload.Next(_records)), workload.Value());
        await _store.WriteAsync(new WriteRequest([put]), CancellationToken.None).ConfigureAwait(false);
        _puts.Enqueue((dueAt, Stopwatch.GetElapsedTime(dueAt).TotalMilliseconds));
    }
}
