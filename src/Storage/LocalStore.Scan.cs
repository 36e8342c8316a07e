using System.Globalization;
using Branching.RocksDb;

namespace Branching.Storage;

public sealed partial class LocalStore
{
    private const int CountCancellationInterval = 4096;

    private readonly HashSet<ScanCursor> _cursors = [];
    private readonly Lock _cursorLock = new();

    /// <summary>Reads one page of a range, of one consistent view. Blocking: call from the thread pool.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>, <see cref="FailureKind.ColumnFamilyNotFound"/>,
    /// <see cref="FailureKind.Closed"/>; or reading failed.
    /// </exception>
    public ScanPage Scan(ScanRequest request)
    {
        using ScanCursor cursor = OpenCursor(request);
        List<KeyValueEntry> entries = new(Math.Min(request.Limit, 256));
        bool more = cursor.ReadPage(request.Limit, request.MaxBytes, entries);
        return new ScanPage(entries, more, cursor.Sequence);
    }

    /// <summary>Opens a scan whose pages all show the store as it is now. Dispose it soon.</summary>
    /// <remarks><c>Limit</c> and <c>MaxBytes</c> of the request are ignored: each page has its own.</remarks>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public ScanCursor OpenCursor(ScanRequest request)
    {
        Check(request);
        return Answered("Scan", () =>
        {
            ScanCursor cursor = new(this, _database, Family(request.ColumnFamily), request);
            lock (_cursorLock)
            {
                _cursors.Add(cursor);
            }

            return cursor;
        });
    }

    /// <summary>Counts the keys of a range by reading them all. Exact for one view. Blocking.</summary>
    /// <exception cref="OperationCanceledException">Cancelled meanwhile.</exception>
    public long Count(string? columnFamily, KeyRange range, CancellationToken cancellationToken)
    {
        CheckRange(range);
        ScanBounds bounds = ScanBounds.Of(range);
        return Answered("Count", () =>
        {
            ColumnFamily family = Family(columnFamily);
            if (bounds.IsEmpty)
            {
                return 0L;
            }

            // A full count must not push what point reads need out of the cache.
            using ReadOptions options = new()
            {
                LowerBound = bounds.Lower,
                UpperBound = bounds.Upper,
                FillCache = false,
            };
            using Iterator iterator = _database.NewIterator(family, options);
            long count = 0;
            for (iterator.SeekToFirst(); iterator.IsValid; iterator.Next())
            {
                if (++count % CountCancellationInterval == 0)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    ThrowIfClosing();
                }
            }

            iterator.ThrowIfFailed();
            return count;
        });
    }

    /// <summary>About how many keys a column family holds. No key is read.</summary>
    /// <remarks>
    /// Overwrites that are not compacted yet count twice; a delete counts minus one even where it deleted nothing. The
    /// properties of table files that are not open are read from the disk.
    /// </remarks>
    public long EstimateCount(string? columnFamily) => Answered("Count", () =>
    {
        // Not rocksdb.estimate-num-keys: it adds up what was counted since the store was opened, and a store is opened
        // without reading its tables' properties, so that opening takes no longer the more tables there are.
        ColumnFamily family = Family(columnFamily);
        long entries = Number(family, "rocksdb.num-entries-active-mem-table")
            + Number(family, "rocksdb.num-entries-imm-mem-tables");
        long deletes = Number(family, "rocksdb.num-deletes-active-mem-table")
            + Number(family, "rocksdb.num-deletes-imm-mem-tables");
        string tables = _database.GetProperty(family, "rocksdb.aggregated-table-properties") ?? "";
        entries += Counted(tables, "# entries=");
        deletes += Counted(tables, "# deletions=");

        // A delete is an entry itself and takes one away.
        return Math.Max(0, entries - (2 * deletes));
    });

    private long Number(ColumnFamily family, string property)
        => _database.TryGetIntProperty(family, property, out ulong value) ? (long)Math.Min(value, long.MaxValue) : 0;

    /// <summary>Reads a count from RocksDB's text of the form <c># data blocks=1; # entries=42; …</c>.</summary>
    private static long Counted(string properties, string name)
    {
        int at = properties.IndexOf(name, StringComparison.Ordinal);
        if (at < 0)
        {
            return 0;
        }

        ReadOnlySpan<char> rest = properties.AsSpan(at + name.Length);
        int end = rest.IndexOfAnyExceptInRange('0', '9');
        return long.TryParse(
            end < 0 ? rest : rest[..end], NumberStyles.None, CultureInfo.InvariantCulture, out long count) ? count : 0;
    }

    /// <summary>As <see cref="Inside"/>, for what a caller is told: not without a valid tenure.</summary>
    internal T Answered<T>(string operation, Func<T> call)
    {
        T answer = Inside(operation, call);
        Guard?.ThrowIfInvalid();
        return answer;
    }

    /// <summary>Runs one blocking call inside the store and gives its failures their type.</summary>
    internal T Inside<T>(string operation, Func<T> call)
    {
        Enter();
        try
        {
            return call();
        }
        catch (RocksDbException e)
        {
            throw Failure(operation, e);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>A cursor was disposed by its user.</summary>
    internal void Forget(ScanCursor cursor)
    {
        lock (_cursorLock)
        {
            _cursors.Remove(cursor);
        }
    }

    private void CloseCursors()
    {
        ScanCursor[] open;
        lock (_cursorLock)
        {
            open = [.. _cursors];
            _cursors.Clear();
        }

        foreach (ScanCursor cursor in open)
        {
            cursor.Close();
        }
    }

    private void ThrowIfClosing()
    {
        if (_gate.IsClosed)
        {
            throw Closed();
        }
    }

    private void Check(ScanRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckRange(request.Range);
        if (request.Limit < 1 || request.MaxBytes < 1)
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"A scan of {Label} asks for {request.Limit} entries and {request.MaxBytes} bytes; " +
                "both are at least 1.");
        }

        if (request.HasResume && (request.ResumeAfter.IsEmpty || request.ResumeAfter.Length > MaxKeyBytes))
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"A scan of {Label} resumes after a key of {request.ResumeAfter.Length} bytes; " +
                $"keys have 1 to {MaxKeyBytes}.");
        }
    }

    private void CheckRange(KeyRange range)
    {
        if (range.From.Length > MaxKeyBytes || range.To.Length > MaxKeyBytes)
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"A range of {Label} has bounds of {range.From.Length} and {range.To.Length} bytes; " +
                $"keys have at most {MaxKeyBytes}.");
        }
    }
}
