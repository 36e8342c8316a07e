using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Branching.RocksDb.Files;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <summary>The open stores of a data root: opened on demand, shared by leases, closed when idle or for room.</summary>
/// <remarks>
/// Thread-safe. RocksDB's own lock does not protect a directory from two openings in one process, so every store is
/// opened through here, and by one slot for each identity.
/// </remarks>
internal sealed class StoreRegistry : IAsyncDisposable
{
    private readonly StoreResources _resources;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<StoreId, StoreSlot> _slots = new();
    private readonly SemaphoreSlim _opening;
    private readonly ITimer _idleTimer;
    private readonly SemaphoreSlim _room;
    private int _open;
    private bool _closed;

    public StoreRegistry(StoreResources resources, ILogger logger, TimeProvider time)
    {
        _resources = resources;
        _logger = logger;
        _time = time;
        _opening = new SemaphoreSlim(Math.Max(2, Environment.ProcessorCount));
        _room = new SemaphoreSlim(1, 1);
        TimeSpan period = TimeSpan.FromTicks(Math.Max(TimeSpan.TicksPerSecond,
            resources.Options.StoreIdleTimeout.Ticks / 4));
        _idleTimer = time.CreateTimer(_ => _ = CloseIdleQuietlyAsync(), null, period, period);
    }

    public int OpenStores => Volatile.Read(ref _open);

    public StoreSlot SlotOf(
        StoreId id, string directory, string label, IAnswerGuard? guard = null, StoreProgress? progress = null,
        StoreTuning? tuning = null, Action<LocalStore>? opened = null, StoreOwner? owner = null) =>
        _slots.TryGetValue(id, out StoreSlot? slot)
            ? slot
            : _slots.GetOrAdd(id, _ => new StoreSlot(this, directory, label)
            {
                Guard = guard,
                Progress = progress,
                Tuning = tuning,
                Opened = opened,
                Owner = owner,
            });

    public bool TryGet(StoreId id, [MaybeNullWhen(false)] out StoreSlot slot) => _slots.TryGetValue(id, out slot);

    public void Forget(StoreId id) => _slots.TryRemove(id, out _);

    /// <summary>The steps of opened stores that tests replace.</summary>
    public LocalStoreSeams Seams { get; set; } = LocalStoreSeams.Real;

    public TimeProvider Time => _time;

    /// <summary>The stores that are open now.</summary>
    public IReadOnlyList<OpenStore> ListOpen() =>
        [.. _slots.Values.Select(slot => slot.Describe()).OfType<OpenStore>().OrderBy(
            store => store.Label, StringComparer.Ordinal)];

    /// <summary>What the stores count; <see langword="null"/>: nobody asked for it.</summary>
    public Instruments? Instruments => _resources.Instruments;

    public MergeCatalog Merges => _resources.Merges;

    public TimeSpan Deadline => _resources.Options.WriteTimeout;

    /// <summary>Opens a store, closing the least recently used one first when there is no room.</summary>
    public async Task<LocalStore> OpenAsync(StoreSlot slot)
    {
        ObjectDisposedException.ThrowIf(_closed, typeof(DataRoot));
        await MakeRoomAsync(slot.Label).ConfigureAwait(false);
        try
        {
            await _opening.WaitAsync().ConfigureAwait(false);
            try
            {
                // Replaying a log keeps a processor busy for milliseconds, and others write to other stores meanwhile.
                // Not at a low priority: beside a compaction an opening then took hundreds of milliseconds.
                LocalStore store = await BackgroundThread.RunAsync("branching-open", () => LocalStore.Open(
                    slot.Directory, slot.Label, _resources, create: false, _logger, _time, Seams, slot.Tuning))
                    .ConfigureAwait(false);
                store.Guard = slot.Guard;
                store.Progress = slot.Progress;
                store.Owner = slot.Owner;
                await CompleteAsync(slot, store).ConfigureAwait(false);
                slot.Progress?.NoteOpened(store.LastAcknowledged, _time);
                return store;
            }
            finally
            {
                _opening.Release();
            }
        }
        catch
        {
            Closed();
            throw;
        }
    }

    /// <summary>What an opened store needs before it is handed out; without it, it is closed again.</summary>
    private static async Task CompleteAsync(StoreSlot slot, LocalStore store)
    {
        if (slot.Opened is not { } opened)
        {
            return;
        }

        try
        {
            await Task.Run(() => opened(store)).ConfigureAwait(false);
        }
        catch
        {
            await store.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public void Closed() => Interlocked.Decrement(ref _open);

    public async ValueTask DisposeAsync()
    {
        _closed = true;
        await _idleTimer.DisposeAsync().ConfigureAwait(false);
        foreach (StoreSlot slot in _slots.Values)
        {
            await slot.CloseForGoodAsync().ConfigureAwait(false);
        }

        _slots.Clear();
        _opening.Dispose();
        _room.Dispose();
    }

    /// <summary>Closes stores that nobody used for the idle time.</summary>
    internal async Task CloseIdleAsync()
    {
        TimeSpan idle = _resources.Options.StoreIdleTimeout;
        foreach (StoreSlot slot in _slots.Values)
        {
            if (slot.IsIdle && !slot.IsFollowed && _time.GetElapsedTime(slot.LastUsed) >= idle)
            {
                await slot.TryCloseAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task CloseIdleQuietlyAsync()
    {
        try
        {
            await CloseIdleAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or ObjectDisposedException)
        {
            _logger.IdleCloseFailed(e);
        }
    }

    /// <summary>Takes one place among the open stores.</summary>
    private async Task MakeRoomAsync(string label)
    {
        int max = _resources.Options.MaxOpenStores;
        if (Interlocked.Increment(ref _open) <= max)
        {
            return;
        }

        // One at a time: several openings at once must not all choose the same victim and all count it as theirs.
        long start = _time.GetTimestamp();
        await _room.WaitAsync().ConfigureAwait(false);
        try
        {
            while (Volatile.Read(ref _open) > max)
            {
                StoreSlot? victim = _slots.Values.Where(s => s.IsIdle).MinBy(s => s.LastUsed);
                if (victim is not null && await victim.TryCloseAsync().ConfigureAwait(false))
                {
                    continue;
                }

                if (_time.GetElapsedTime(start) > Deadline)
                {
                    Closed();
                    throw new StorageException(
                        FailureKind.Overloaded,
                        $"Opening {label} was given up after {Deadline.TotalSeconds:0.#} s: all {max} stores " +
                        "that may be " +
                        "open are in use. Try again, or raise MaxOpenStores.");
                }

                await Task.Delay(TimeSpan.FromMilliseconds(5), _time).ConfigureAwait(false);
            }
        }
        finally
        {
            _room.Release();
        }
    }
}

/// <summary>One store's place in the registry: closed, opening or open, with the number of leases on it.</summary>
internal sealed partial class StoreSlot(StoreRegistry registry, string directory, string label)
{
    private readonly Lock _lock = new();
    private Task<LocalStore>? _opening;
    private LocalStore? _store;
    private Task? _closing;
    private TaskCompletionSource? _released;
    private int _leases;
    private bool _retired;
    private long _lastUsed;

    public string Directory { get; } = directory;

    public string Label { get; } = label;

    /// <summary>What the opened store asks before each answer.</summary>
    public IAnswerGuard? Guard { get; init; }

    /// <summary>Where the opened store notes how far it got.</summary>
    public StoreProgress? Progress { get; init; }

    /// <summary>What of its options differs from the node's.</summary>
    public StoreTuning? Tuning { get; init; }

    /// <summary>Whose store it is, where metrics are to tell.</summary>
    public StoreOwner? Owner { get; init; }

    /// <summary>What is done with the opened store before it is handed out. May block.</summary>
    public Action<LocalStore>? Opened { get; init; }

    /// <summary>Whether somebody waits for changes of the open store.</summary>
    public bool IsFollowed => Volatile.Read(ref _store) is { IsFollowed: true };

    public long LastUsed => Volatile.Read(ref _lastUsed);

    public bool IsOpen => Volatile.Read(ref _store) is not null;

    public bool IsIdle
    {
        get
        {
            lock (_lock)
            {
                // One that must stay open would give nothing back, and its reads would be lost until a restart.
                return _store is { MustStayOpen: false } && _leases == 0 && _closing is null;
            }
        }
    }

    /// <summary>Takes a lease when the store is open: the common case, without waiting.</summary>
    public StoreLease? TryAcquire(BranchRecord branch)
    {
        lock (_lock)
        {
            ThrowIfRetired();
            if (_store is null || _closing is not null || _reopening is not null)
            {
                return null;
            }

            _leases++;
            _lastUsed = registry.Time.GetTimestamp();
            return new StoreLease(this, _store, branch);
        }
    }

    /// <summary>
    /// Takes a lease, opening the store when needed. A failed opening is forgotten: the next call tries again.
    /// </summary>
    public async Task<StoreLease> AcquireAsync(BranchRecord branch, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task wait;
            lock (_lock)
            {
                ThrowIfRetired();
                if (_closing is null && _reopening is null && _store is not null)
                {
                    _leases++;
                    _lastUsed = registry.Time.GetTimestamp();
                    return new StoreLease(this, _store, branch);
                }

                wait = _reopening?.Task ?? _closing ?? (_opening ??= OpenAsync());
            }

            await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public void Release()
    {
        lock (_lock)
        {
            _lastUsed = registry.Time.GetTimestamp();
            if (--_leases == 0)
            {
                _released?.TrySetResult();
            }
        }
    }

    /// <summary>Closes the store unless it is in use.</summary>
    public async Task<bool> TryCloseAsync()
    {
        Task closing;
        lock (_lock)
        {
            if (_store is null || _leases > 0 || _closing is not null)
            {
                return false;
            }

            closing = _closing = CloseAsync(_store);
        }

        await closing.ConfigureAwait(false);
        return true;
    }

    /// <summary>Refuses new leases, waits for those held, and closes the store.</summary>
    /// <returns><see langword="false"/> when leases are held past the deadline: then everything is as before.</returns>
    public async Task<bool> RetireAsync(TimeSpan deadline)
    {
        Task released;
        lock (_lock)
        {
            ThrowIfRetired();
            _retired = true;
            _released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_leases == 0)
            {
                _released.SetResult();
            }

            released = _released.Task;
        }

        try
        {
            await released.WaitAsync(deadline, registry.Time).ConfigureAwait(false);
            await CloseNowAsync().ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            Restore();
            return false;
        }
        catch
        {
            Restore();
            throw;
        }
    }

    /// <summary>Takes leases again after a retirement that did not come to its end.</summary>
    public void Restore()
    {
        lock (_lock)
        {
            _retired = false;
            _released = null;
        }
    }

    public async Task CloseForGoodAsync()
    {
        lock (_lock)
        {
            _retired = true;
        }

        await CloseNowAsync().ConfigureAwait(false);
    }

    private async Task CloseNowAsync()
    {
        Task? pending;
        lock (_lock)
        {
            pending = _opening;
        }

        if (pending is not null)
        {
            try
            {
                await pending.ConfigureAwait(false);
            }
            catch (StorageException)
            {
                // Whoever asked for the opening heard of it; a store that did not open needs no closing.
            }
        }

        Task closing;
        lock (_lock)
        {
            if (_store is null && _closing is null)
            {
                return;
            }

            closing = _closing ??= CloseAsync(_store!);
        }

        await closing.ConfigureAwait(false);
    }

    private async Task<LocalStore> OpenAsync()
    {
        await Task.Yield(); // The caller holds the lock.
        try
        {
            LocalStore store = await registry.OpenAsync(this).ConfigureAwait(false);
            lock (_lock)
            {
                _store = store;
                _opening = null;
                _lastUsed = registry.Time.GetTimestamp();
            }

            return store;
        }
        catch
        {
            lock (_lock)
            {
                _opening = null;
            }

            throw;
        }
    }

    private async Task CloseAsync(LocalStore store)
    {
        await Task.Yield(); // The caller holds the lock.
        try
        {
            await store.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            lock (_lock)
            {
                _store = null;
                _closing = null;
            }

            registry.Closed();
        }
    }

    private void ThrowIfRetired()
    {
        if (_retired)
        {
            throw new StorageException(
                FailureKind.BeingDeleted, $"{Label} is being deleted or closed: it takes no new work.");
        }
    }
}
