using Branching.Storage;
using Branching.Storage.Bulk;

namespace Branching.Grains;

/// <summary>A bulk load under way: holds the store open until it is completed, given up, or forgotten by its client.
/// One step at a time.</summary>
internal sealed class OpenBulkLoad : IAsyncDisposable
{
    // Between two parts a client only reads a file; after this long it is taken for dead.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    private readonly SemaphoreSlim _turn = new(1);
    private readonly BulkLoad _load;
    private readonly ITimer _idle;
    private long _parts;
    private bool _ended;

    public OpenBulkLoad(BulkLoad load, TimeProvider time, Action<OpenBulkLoad> forget)
    {
        _load = load;
        _idle = time.CreateTimer(_ => forget(this), state: null, _patience, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Names it to its client.</summary>
    public Guid Id { get; } = Guid.NewGuid();

    /// <summary>Keys and values added, in bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Adds a part, unless it is the last one again.</summary>
    public Task AddAsync(BulkLoadPart part, CancellationToken cancellationToken) => InTurnAsync(
        async () =>
        {
            if (part.Number == _parts)
            {
                return true;
            }

            if (part.Number != _parts + 1)
            {
                throw GrainFailure.Refused(
                    $"Part {part.Number} of a bulk load came after part {_parts}; they come in order.");
            }

            // Some of it may be in when it fails; then the whole load is of no use.
            await EndingOnFailureAsync(() => Task.Run(() => Add(part.Entries), CancellationToken.None));
            _parts++;
            return true;
        },
        cancellationToken);

    /// <summary>Makes everything visible, all at once.</summary>
    public Task<BulkLoadResult> CompleteAsync(CancellationToken cancellationToken) => InTurnAsync(
        async () =>
        {
            BulkLoadResult result = default;
            await EndingOnFailureAsync(async () => result = await _load.CompleteAsync(cancellationToken));
            _ended = true;
            return result;
        },
        cancellationToken);

    /// <summary>Gives it up, unless it was completed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _idle.DisposeAsync();
        await _turn.WaitAsync();
        try
        {
            _ended = true;
            await _load.DisposeAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    private void Add(IReadOnlyList<Entry> entries)
    {
        for (int i = 0; i < entries.Count; i++)
        {
            Entry entry = entries[i];
            _load.Add(entry.Key.Span, entry.Value.Span);
            Bytes += entry.Key.Length + entry.Value.Length;
        }
    }

    private async Task EndingOnFailureAsync(Func<Task> step)
    {
        try
        {
            await step();
        }
        catch
        {
            _ended = true;
            throw;
        }
    }

    private async Task<T> InTurnAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_ended)
            {
                throw new StorageException(
                    Storage.FailureKind.Closed, "The bulk load has ended; nothing of it was loaded. Begin it again.");
            }

            _idle.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return await step();
        }
        finally
        {
            // Also when it has ended by a failure: until it is forgotten it holds the store open.
            _idle.Change(_patience, Timeout.InfiniteTimeSpan);
            _turn.Release();
        }
    }
}
