using System.Collections.Concurrent;
using System.Diagnostics;
using Branching.RocksDb.Files;
using Branching.Storage;

namespace Branching.Bench;

/// <summary>
/// Another client of a store: puts a few at every millisecond, whether or not earlier ones were answered. The latency
/// of a put counts from the millisecond at which it was due, so that a stall is seen by every put it delays.
/// </summary>
internal sealed class PacedWriter : IAsyncDisposable
{
    private const int TicksPerSecond = 1000;

    private readonly LocalStore _store;
    private readonly int _perTick;
    private readonly long _records;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<(long DueAt, double Milliseconds)> _puts = new();
    private readonly TaskCompletionSource<Task> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts to put.</summary>
    /// <param name="store">The store.</param>
    /// <param name="perSecond">Puts a second; a multiple of 1,000.</param>
    /// <param name="records">Keys are drawn from so many.</param>
    public PacedWriter(LocalStore store, int perSecond, long records)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(perSecond % TicksPerSecond, 0, nameof(perSecond));
        _store = store;
        _perTick = perSecond / TicksPerSecond;
        _records = records;

        // Timers of the runtime are late by milliseconds, and so would be everything that is measured from them.
        Thread pace = new(Write) { IsBackground = true, Name = "paced-writer" };
        pace.Start();
    }

    /// <summary>Latencies of the puts that were due within any of the windows.</summary>
    public Samples Within(Windows windows) => windows.Of(_puts);

    /// <summary>Stops and waits for the last answer.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await await _ended.Task;
        _stop.Dispose();
    }

    private void Write()
    {
        // A client elsewhere would not wait for this machine's processors before it sends.
        TimeSlices.TryUseShort();
        Workload workload = new(seed: 21);
        List<Task> underWay = [];
        long tick = Stopwatch.Frequency / TicksPerSecond;
        long due = Stopwatch.GetTimestamp();
        while (!_stop.IsCancellationRequested)
        {
            for (; due <= Stopwatch.GetTimestamp(); due += tick)
            {
                for (int i = 0; i < _perTick; i++)
                {
                    underWay.Add(PutAsync(workload, due));
                }
            }

            underWay.RemoveAll(static put => put.IsCompletedSuccessfully);
            Pause.Until(due);
        }

        _ended.SetResult(Task.WhenAll(underWay));
    }

    private async Task PutAsync(Workload workload, long dueAt)
    {
        WriteOperation put = WriteOperation.Put(Workload.NewKey(workload.Next(_records)), workload.Value());
        await _store.WriteAsync(new WriteRequest([put]), CancellationToken.None).ConfigureAwait(false);
        _puts.Enqueue((dueAt, Stopwatch.GetElapsedTime(dueAt).TotalMilliseconds));
    }
}
