using System.Globalization;

namespace Branching.Cluster.Tests;

/// <summary>
/// Writes the numbers 1, 2, 3… to one branch, one after the other, reads each back, and remembers which were
/// acknowledged. So whatever the branch holds later must be the numbers up to some number: anything else is neither an
/// old nor a new state.
/// </summary>
internal sealed class Load : IAsyncDisposable
{
    private readonly IStoreGrain _store;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private readonly List<Exception> _missed = [];
    private volatile bool _endAtFailure;
    private ulong _sequence;
    private int _acknowledged;
    private int _issued;
    private int _lost;

    private Load(IStoreGrain store, int from, bool endAtFailure)
    {
        _store = store;
        _endAtFailure = endAtFailure;
        _acknowledged = _issued = from;
        _running = Task.Run(RunAsync);
    }

    /// <summary>The highest number that was acknowledged.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>The highest number that was ever sent.</summary>
    public int Issued => Volatile.Read(ref _issued);

    /// <summary>Calls that the database answered with a failure, and those that got no answer at all.</summary>
    /// <remarks>
    /// A call that took the gateway of the node that just died is not the database's to answer: on Orleans the client
    /// is told that it did not arrive, or, when the answer was lost, nothing until the call times out. It is repeated
    /// through another gateway, and there is one such call at most for each death (<see cref="Lost"/>). EmbeddedRuntime
    /// has no gateways, so there a call without an answer is missed.
    /// </remarks>
    public IReadOnlyList<Exception> Missed
    {
        get
        {
            lock (_missed)
            {
                return [.. _missed];
            }
        }
    }

    /// <summary>Calls that timed out and may have been in the gateway of a node that died.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <summary>Starts writing.</summary>
    /// <param name="store">Where to.</param>
    /// <param name="from">The number before the first.</param>
    /// <param name="endAtFailure">As <see cref="EndAtFailure"/>.</param>
    public static Load Start(IStoreGrain store, int from = 0, bool endAtFailure = false) =>
        new(store, from, endAtFailure);

    /// <summary>
    /// From now on it stops at the first sign that the database may have gone back to a snapshot: what was acknowledged
    /// before may be lost with its node, and later numbers would hide that.
    /// </summary>
    public void EndAtFailure() => _endAtFailure = true;

    /// <summary>Waits until so many more numbers were acknowledged.</summary>
    public async Task MoreAsync(int more)
    {
        int goal = Acknowledged + more;
        await Waiting.UntilAsync(() => Task.FromResult(Acknowledged >= goal || _running.IsCompleted), $"{more} writes");
        Assert.False(_running.IsFaulted, _running.Exception?.ToString());
    }

    /// <summary>Ends the load and waits for the write under way.</summary>
    public async Task EndAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    /// <summary>Reads the branch and checks that it is the numbers up to one between the two.</summary>
    public static async Task<int> CheckAsync(IStoreGrain store, int atLeast, int atMost, string context)
    {
        List<Entry> all;
        try
        {
            all = await NodeCluster.RetryAsync(() => AllAsync(store));
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{context}: {e.Message}", e);
        }

        for (int i = 0; i < all.Count; i++)
        {
            Assert.True(
                Bytes.Text(all[i].Key) == Key(i + 1) && Bytes.Text(all[i].Value) == Value(i + 1),
                $"{context}: entry {i} is {Bytes.Text(all[i].Key)} = {Bytes.Text(all[i].Value)}");
        }

        Assert.True(
            all.Count >= atLeast && all.Count <= atMost, $"{context}: {all.Count} is not in {atLeast}..{atMost}");
        return all.Count;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _stop.Dispose();
    }

    private static async ValueTask<List<Entry>> AllAsync(IStoreGrain store)
    {
        List<Entry> entries = [];
        await foreach (IReadOnlyList<Entry> page in store.StreamAsync(
            new StreamRequest(KeyRange.Prefix(Bytes.Of("n")))))
        {
            entries.AddRange(page);
        }

        return entries;
    }

    private static string Key(int number) => "n" + number.ToString("D8", CultureInfo.InvariantCulture);

    private static string Value(int number) => "value of " + number.ToString(CultureInfo.InvariantCulture);

    private async Task AfterFailureAsync(Exception failure)
    {
        lock (_missed)
        {
            _missed.Add(failure);
        }

        if (_endAtFailure)
        {
            await _stop.CancelAsync();
        }

        await Task.Delay(TimeSpan.FromMilliseconds(10));
    }

    private async Task RunAsync()
    {
        bool more = true;
        while (more && !_stop.IsCancellationRequested)
        {
            int number = _acknowledged + 1;
            Volatile.Write(ref _issued, Math.Max(number, Issued));
            try
            {
                more = await WriteAsync(number) && await IsReadBackAsync(number);
                // Several loads at once must leave the processors time to renew leases.
                await Task.Delay(TimeSpan.FromMilliseconds(1));
            }
            catch (OrleansException) when (!_endAtFailure)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10));
            }
            catch (TimeoutException) when (!_endAtFailure && NodeCluster.HasGateways)
            {
                Interlocked.Increment(ref _lost);
            }
            catch (Exception e) when (
                e is BranchingException { IsTransient: true } or OrleansException or TimeoutException)
            {
                await AfterFailureAsync(e);
            }
        }
    }

    private async Task<bool> WriteAsync(int number)
    {
        WriteResponse answer = await _store.PutAsync(
            Bytes.Of(Key(number)), Bytes.Of(Value(number)), WriteDurability.Buffered);
        if (_endAtFailure && answer.Sequence <= _sequence)
        {
            // The call waited out a failover and came to the new owner, which is behind.
            await NodeCluster.RetryAsync(() => _store.DeleteAsync(Bytes.Of(Key(number))));
            return false;
        }

        _sequence = answer.Sequence;
        Volatile.Write(ref _acknowledged, number);
        return true;
    }

    private async Task<bool> IsReadBackAsync(int number)
    {
        string? value = await _store.ReadAsync(Key(number));
        if (value is null && _endAtFailure)
        {
            return false; // The read waited out a failover; what was acknowledged before may be lost.
        }

        Assert.Equal(Value(number), value);
        return true;
    }
}
