using System.Collections;

namespace Branching.Storage;

/// <summary>An entry of a range where RocksDB has it, without a copy.</summary>
/// <remarks>
/// Valid until the reader that showed it moves or is disposed; afterwards every use of it fails. Copy with
/// <see cref="ToEntry"/> what must live longer.
/// </remarks>
public readonly struct PinnedEntry
{
    private readonly RangeReader _reader;
    private readonly long _move;

    internal PinnedEntry(RangeReader reader, long move)
    {
        _reader = reader;
        _move = move;
    }

    /// <summary>The key; empty in a range of values only.</summary>
    /// <exception cref="InvalidOperationException">The reader has moved on.</exception>
    public ReadOnlySpan<byte> Key => _reader.KeyAt(_move);

    /// <summary>The value; empty in a range of keys only.</summary>
    /// <exception cref="InvalidOperationException">The reader has moved on.</exception>
    public ReadOnlySpan<byte> Value => _reader.ValueAt(_move);

    /// <summary>A copy that lives on.</summary>
    /// <exception cref="InvalidOperationException">The reader has moved on.</exception>
    public KeyValueEntry ToEntry() => new(Key.ToArray(), Value.ToArray());
}

/// <summary>A range of a store, to be read as often as wanted: each reading begins anew.</summary>
/// <remarks>
/// Nothing is opened before the first entry is asked for, so queries compose without cost:
/// <c>store.Range(options).Where(…).Skip(10).Take(5)</c>. Reading blocks on the disk.
/// </remarks>
public sealed class StoreRange : IEnumerable<PinnedEntry>
{
    private readonly LocalStore _store;
    private readonly RangeOptions _options;

    internal StoreRange(LocalStore store, RangeOptions options)
    {
        _store = store;
        _options = options;
    }

    /// <summary>A reader of the range. Dispose it; <c>foreach</c> and every query do.</summary>
    public RangeReader GetEnumerator() => new(_store, _options);

    IEnumerator<PinnedEntry> IEnumerable<PinnedEntry>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>Reads a range once. One caller at a time.</summary>
/// <remarks>
/// It gives its native objects back at the end of the range, when it is disposed, and at its next move after the store
/// was closed. Closing the store waits for that, but not for long: see <see cref="LocalStore.DisposeAsync"/>.
/// </remarks>
public sealed class RangeReader : IEnumerator<PinnedEntry>
{
    private readonly LocalStore _store;
    private readonly RangeOptions _options;
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RangeWalk? _walk;
    private long _left;
    private long _move;
    private bool _ended;

    internal RangeReader(LocalStore store, RangeOptions options)
    {
        _store = store;
        _options = options;
        _left = options.Limit ?? long.MaxValue;
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">It stands on no entry.</exception>
    public PinnedEntry Current => _walk is not null && !_ended && _move > 0
        ? new PinnedEntry(this, _move)
        : throw new InvalidOperationException("The range was not begun, or has ended: ask MoveNext first.");

    object IEnumerator.Current => Current;

    /// <summary>Completes when it holds nothing of the store any more.</summary>
    internal Task Released => _released.Task;

    /// <summary>
    /// Moves to the next entry. A tailing range that has ended may be asked again, and goes on if there is more.
    /// </summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Closed"/>; or reading failed.</exception>
    public bool MoveNext()
    {
        if (_released.Task.IsCompleted)
        {
            return false;
        }

        _move++; // First: whatever happens now, the last entry is not to be looked at any more.
        try
        {
            bool more = _left > 0 && _store.Step(this);
            _ended = !more;
            if (more)
            {
                _left--;
            }
            else if (!_options.Tailing || _left == 0)
            {
                Release();
            }

            return more;
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>Not possible: begin a new reading.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public void Reset() => throw new NotSupportedException("A range is read once; enumerate it again.");

    /// <summary>Ends the reading.</summary>
    public void Dispose()
    {
        _move++;
        Release();
    }

    internal ReadOnlySpan<byte> KeyAt(long move)
    {
        RangeWalk walk = At(move);
        return _options.Content == RangeContent.ValuesOnly ? default : walk.Key;
    }

    internal ReadOnlySpan<byte> ValueAt(long move)
    {
        RangeWalk walk = At(move);
        return _options.Content == RangeContent.KeysOnly ? default : walk.Value;
    }

    /// <summary>Moves; called inside the store.</summary>
    internal bool Step()
    {
        if (_walk is null)
        {
            _walk = _store.OpenWalk(_options, this);
            _walk.Begin();
            _walk.Skip(_options.Offset);
        }
        else if (_walk.IsValid)
        {
            _walk.Next();
        }
        else
        {
            _walk.GoOn();
        }

        return _walk.IsValid;
    }

    private RangeWalk At(long move) => move == _move && _walk is { } walk && !_ended
        ? walk
        : throw new InvalidOperationException(
            "The entry is gone: its range has moved on or ended. Copy with ToEntry what must live longer.");

    private void Release()
    {
        if (_released.Task.IsCompleted)
        {
            return;
        }

        _ended = true;
        _walk?.Dispose();
        _walk = null;
        _released.TrySetResult();
        _store.Forget(this);
    }
}
