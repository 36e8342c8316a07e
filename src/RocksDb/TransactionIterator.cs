namespace Branching.RocksDb;

/// <summary>Walks the keys of a column family as a <see cref="Transaction"/> sees them, its own writes
/// included.</summary>
/// <remarks>
/// Begins nowhere: seek first. Not thread-safe. It may go on after a write in the transaction: the next move finds its
/// place again. It ends with the transaction and with <see cref="Transaction.RollbackToSavePoint"/>; then only
/// disposing it is left. Until then it keeps the database open.
/// </remarks>
public sealed class TransactionIterator : IDisposable
{
    private readonly Transaction _transaction;
    private readonly Iterator _iterator;
    private readonly byte[]? _lowerBound;
    private readonly byte[]? _upperBound;
    private readonly int _rebuilds;
    private byte[] _key = new byte[64];
    private int _keyLength;
    private int _writes;
    private bool _atKey;

    internal TransactionIterator(
        Transaction transaction, Iterator iterator, byte[]? lowerBound, byte[]? upperBound)
    {
        _transaction = transaction;
        _iterator = iterator;
        _lowerBound = lowerBound;
        _upperBound = upperBound;
        _rebuilds = transaction.Rebuilds;
    }

    /// <summary>Whether it stands on a key.</summary>
    public bool IsValid
    {
        get
        {
            using Use use = Enter();
            return _atKey;
        }
    }

    /// <summary>The key it stands on. Valid until the next move or disposal.</summary>
    /// <exception cref="InvalidOperationException">It stands on none, or has ended.</exception>
    public ReadOnlySpan<byte> Key
    {
        get
        {
            using Use use = EnterAtKey();
            return _key.AsSpan(0, _keyLength);
        }
    }

    /// <summary>The value of the key it stands on. Valid until the next move or disposal, or the next write in the
    /// transaction.</summary>
    /// <exception cref="InvalidOperationException">It stands on none, has ended, or the transaction was written to
    /// since it moved here.</exception>
    public ReadOnlySpan<byte> Value
    {
        get
        {
            using Use use = EnterAtKey();
            return _writes == _transaction.Writes
                ? _iterator.Value
                : throw new InvalidOperationException(
                    "The transaction was written to since the iterator moved here: seek the key again.");
        }
    }

    /// <summary>Moves to the first key within the bounds.</summary>
    public void SeekToFirst()
    {
        using Use use = EnterToMove();
        First();
    }

    /// <summary>Moves to the last key within the bounds.</summary>
    public void SeekToLast()
    {
        using Use use = EnterToMove();
        Last();
    }

    /// <summary>Moves to <paramref name="key"/> or the next one after it.</summary>
    public void Seek(ReadOnlySpan<byte> key)
    {
        using Use use = EnterToMove();
        if (_lowerBound is not null && key.SequenceCompareTo(_lowerBound) < 0)
        {
            First();
            return;
        }

        _iterator.Seek(key);
        Settle();
    }

    /// <summary>Moves to <paramref name="key"/> or the last one before it.</summary>
    public void SeekForPrev(ReadOnlySpan<byte> key)
    {
        using Use use = EnterToMove();
        if (_upperBound is not null && key.SequenceCompareTo(_upperBound) >= 0)
        {
            Last();
            return;
        }

        _iterator.SeekForPrev(key);
        Settle();
    }

    /// <summary>Moves to the next key.</summary>
    /// <exception cref="InvalidOperationException">It stands on none, or has ended.</exception>
    public void Next()
    {
        using Use use = EnterAtKey();
        _atKey = false;
        if (_writes == _transaction.Writes)
        {
            _iterator.Next();
        }
        else
        {
            ReadOnlySpan<byte> from = _key.AsSpan(0, _keyLength);
            _iterator.Seek(from);
            if (_iterator.IsValid && _iterator.Key.SequenceEqual(from))
            {
                _iterator.Next();
            }
        }

        Settle();
    }

    /// <summary>Moves to the previous key.</summary>
    /// <exception cref="InvalidOperationException">It stands on none, or has ended.</exception>
    public void Prev()
    {
        using Use use = EnterAtKey();
        _atKey = false;
        if (_writes == _transaction.Writes)
        {
            _iterator.Prev();
        }
        else
        {
            ReadOnlySpan<byte> from = _key.AsSpan(0, _keyLength);
            _iterator.SeekForPrev(from);
            if (_iterator.IsValid && _iterator.Key.SequenceEqual(from))
            {
                _iterator.Prev();
            }
        }

        Settle();
    }

    /// <summary>Closes the iterator.</summary>
    public void Dispose() => _iterator.Dispose();

    private void First()
    {
        // RocksDB holds what is in the database to the bounds, not what is in the transaction.
        if (_lowerBound is null)
        {
            _iterator.SeekToFirst();
        }
        else
        {
            _iterator.Seek(_lowerBound);
        }

        Settle();
    }

    private void Last()
    {
        if (_upperBound is null)
        {
            _iterator.SeekToLast();
        }
        else
        {
            _iterator.SeekForPrev(_upperBound);
            if (_iterator.IsValid && _iterator.Key.SequenceEqual(_upperBound))
            {
                _iterator.Prev();
            }
        }

        Settle();
    }

    private void Settle()
    {
        _writes = _transaction.Writes;
        _atKey = _iterator.IsValid && IsWithin(_iterator.Key);
        if (!_atKey)
        {
            return;
        }

        // Kept: a write in the transaction moves the bytes that the native key points to.
        ReadOnlySpan<byte> key = _iterator.Key;
        if (_key.Length < key.Length)
        {
            _key = new byte[Math.Max(key.Length, 2 * _key.Length)];
        }

        key.CopyTo(_key);
        _keyLength = key.Length;
    }

    private bool IsWithin(ReadOnlySpan<byte> key) =>
        (_lowerBound is null || key.SequenceCompareTo(_lowerBound) >= 0)
        && (_upperBound is null || key.SequenceCompareTo(_upperBound) < 0);

    private Use Enter()
    {
        _transaction.Enter();
        if (_rebuilds != _transaction.Rebuilds)
        {
            _transaction.Exit();
            throw new InvalidOperationException(
                "The iterator ended when the transaction was rolled back to a save point: open a new one.");
        }

        return new Use(_transaction);
    }

    /// <summary>A move that fails leaves it on no key.</summary>
    private Use EnterToMove()
    {
        Use use = Enter();
        _atKey = false;
        return use;
    }

    private Use EnterAtKey()
    {
        Use use = Enter();
        if (!_atKey)
        {
            use.Dispose();
            throw new InvalidOperationException("The iterator stands on no key: seek first, and ask IsValid.");
        }

        return use;
    }

    private readonly ref struct Use(Transaction transaction)
    {
        public void Dispose() => transaction.Exit();
    }
}
