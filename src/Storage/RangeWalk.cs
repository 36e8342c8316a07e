using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>
/// Stands on one entry of a range after the other, without those that have expired. Not thread-safe.
/// </summary>
internal sealed class RangeWalk : IDisposable
{
    // How often a long walk asks whether it should go on.
    public const int AskInterval = 4096;

    private readonly LocalStore _store;
    private readonly FamilyTraits? _traits;
    private readonly ReadOptions _options;
    private readonly ReadSnapshot? _ownSnapshot;
    private readonly Iterator? _iterator;
    private readonly bool _reverse;
    private readonly bool _tailing;
    private readonly long _now;
    private byte[] _reached = [];
    private int _reachedLength = -1;
    private int _moves;

    /// <summary>Opens the walk; it stands nowhere.</summary>
    public RangeWalk(
        LocalStore store, RocksDatabase database, ColumnFamily family, RangeOptions range, ScanBounds bounds)
    {
        _store = store;
        _traits = store.TraitsOf(family);
        _reverse = range.Reverse;
        _tailing = range.Tailing;
        _now = _traits is null || _tailing ? 0 : range.View?.Time ?? store.Now();
        _ownSnapshot = range.View is null && !_tailing ? database.NewSnapshot() : null;
        _options = new ReadOptions
        {
            Snapshot = range.View?.Snapshot ?? _ownSnapshot,
            LowerBound = bounds.Lower,
            UpperBound = bounds.Upper,
            FillCache = range.FillCache,
            VerifyChecksums = range.VerifyChecksums,
            ReadaheadBytes = range.ReadaheadBytes,
            Tailing = _tailing,
            AsyncIo = range.AsyncIo,
        };
        Sequence = range.View?.Sequence ?? new Sequence(_ownSnapshot?.Sequence ?? database.LatestSequence);
        try
        {
            _iterator = bounds.IsEmpty ? null : database.NewIterator(family, _options);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The sequence of the view; of a tailing walk, when it was opened.</summary>
    public Sequence Sequence { get; }

    /// <summary>Whether it stands on an entry.</summary>
    public bool IsValid => _iterator is { IsValid: true };

    /// <summary>The key. Valid until the next move or disposal.</summary>
    public ReadOnlySpan<byte> Key => _iterator!.Key;

    /// <summary>The value as users see it. Valid until the next move or disposal.</summary>
    public ReadOnlySpan<byte> Value
    {
        get
        {
            ReadOnlySpan<byte> stored = _iterator!.Value;
            return _traits is { Expires: true } ? stored[ExpiryStamp.Bytes..] : stored;
        }
    }

    /// <summary>Moves to the first entry of the range.</summary>
    public void Begin(CancellationToken cancellationToken = default)
    {
        if (_reverse)
        {
            _iterator?.SeekToLast();
        }
        else
        {
            _iterator?.SeekToFirst();
        }

        PassExpired(cancellationToken);
    }

    /// <summary>Moves to the next entry.</summary>
    public void Next(CancellationToken cancellationToken = default)
    {
        Move();
        PassExpired(cancellationToken);
    }

    /// <summary>Passes over this many entries, or as many as there are.</summary>
    public void Skip(long entries, CancellationToken cancellationToken = default)
    {
        for (; entries > 0 && IsValid; entries--)
        {
            AskToGoOn(cancellationToken);
            Next(cancellationToken);
        }
    }

    /// <summary>A tailing walk that had ended looks for what was written since.</summary>
    public void GoOn()
    {
        if (_iterator is null || IsValid)
        {
            return;
        }

        if (_reachedLength < 0)
        {
            Begin();
            return;
        }

        // The key after the last one, which is that key followed by a zero byte.
        _iterator.Seek(_reached.AsSpan(0, _reachedLength + 1));
        PassExpired(CancellationToken.None);
    }

    public void Dispose()
    {
        _iterator?.Dispose();
        _options.Dispose();
        _ownSnapshot?.Dispose();
    }

    private void Move()
    {
        if (_tailing)
        {
            Remember(_iterator!.Key);
        }

        if (_reverse)
        {
            _iterator!.Prev();
        }
        else
        {
            _iterator!.Next();
        }
    }

    private void PassExpired(CancellationToken cancellationToken)
    {
        if (_traits is not { Expires: true })
        {
            return;
        }

        long now = _now != 0 ? _now : _store.Now();
        while (IsValid && ExpiryStamp.IsExpired(ExpiryStamp.Read(_iterator!.Value), now))
        {
            AskToGoOn(cancellationToken);
            Move();
        }
    }

    private void AskToGoOn(CancellationToken cancellationToken)
    {
        if (++_moves % AskInterval == 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _store.ThrowIfClosing();
        }
    }

    private void Remember(ReadOnlySpan<byte> key)
    {
        if (_reached.Length <= key.Length)
        {
            _reached = new byte[(2 * key.Length) + 1];
        }

        key.CopyTo(_reached);
        _reached[key.Length] = 0;
        _reachedLength = key.Length;
    }
}
