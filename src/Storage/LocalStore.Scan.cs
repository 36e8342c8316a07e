using Branching.RocksDb;

namespace Branching.Storage;

public sealed partial class LocalStore
{
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
        RangeOptions options = new()
        {
            ColumnFamily = request.ColumnFamily,
            Range = request.Range,
            Reverse = request.Reverse,
            Offset = request.HasResume ? 0 : request.Offset,
            Content = request.KeysOnly ? RangeContent.KeysOnly : RangeContent.All,
        };
        return OpenCursor(options, ScanBounds.Of(request), CancellationToken.None);
    }

    /// <summary>As <see cref="OpenCursor(ScanRequest)"/>, with all options of a range but its limit.</summary>
    /// <param name="options">Which entries, and how they are read.</param>
    /// <param name="cancellationToken">Ends the search for the first entry.</param>
    /// <exception cref="StorageException">As <see cref="Scan"/>.</exception>
    public ScanCursor OpenCursor(RangeOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        return OpenCursor(options, ScanBounds.Of(options.Range), cancellationToken);
    }

    private ScanCursor OpenCursor(RangeOptions options, ScanBounds bounds, CancellationToken cancellationToken) =>
        Answered("Scan", () =>
        {
            RangeWalk walk = OpenWalk(options, bounds);
            try
            {
                walk.Begin(cancellationToken);
                walk.Skip(options.Offset, cancellationToken);
            }
            catch
            {
                walk.Dispose();
                throw;
            }

            ScanCursor cursor = new(this, walk, options.Content);
            lock (_cursorLock)
            {
                _cursors.Add(cursor);
            }

            return cursor;
        });

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
        catch (ObjectDisposedException e) when (ColumnFamily.IsSubjectOf(e))
        {
            throw DroppedMeanwhile(operation, e);
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

    internal void Check(ScanRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckRange(request.Range);
        if (request.Limit < 1 || request.MaxBytes < 1)
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"A scan of {Label} asks for {request.Limit} entries and {request.MaxBytes} bytes; " +
                "both are at least 1.");
        }

        if (request.Offset < 0)
        {
            throw new StorageException(FailureKind.InvalidArgument,
                $"A scan of {Label} asks for an offset of {request.Offset}; it is at least 0.");
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
