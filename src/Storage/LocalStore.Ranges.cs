using System.Buffers;
using System.Runtime.CompilerServices;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>Ranges and views.</content>
public sealed partial class LocalStore
{
    // The first pages of an asynchronous range are short, for those who want only a few entries.
    private const int FirstPageEntries = 16;
    private const int LargestPageEntries = 4096;
    private const long PageBytes = 256 << 10;

    private readonly HashSet<RangeReader> _readers = [];
    private readonly HashSet<StoreView> _views = [];

    /// <summary>The entries of a range, without copies: each is valid until the next is asked for.</summary>
    /// <param name="options">Which entries; <see langword="null"/>: all of the default family.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>. While reading: <see cref="FailureKind.ColumnFamilyNotFound"/>,
    /// <see cref="FailureKind.Closed"/>; or reading failed.
    /// </exception>
    public StoreRange Range(RangeOptions? options = null)
    {
        options ??= new RangeOptions();
        Check(options);
        return new StoreRange(this, options);
    }

    /// <summary>The entries of a range, read page by page on the thread pool. Their memory belongs to the
    /// receiver.</summary>
    /// <remarks>
    /// All as of the moment of the first page, unless it is tailing. However it ends (at the end, by leaving the loop,
    /// an exception, cancellation, the closing of the store), its native objects are given back then.
    /// </remarks>
    /// <param name="options">Which entries; <see langword="null"/>: all of the default family.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="StorageException">As <see cref="Range"/>.</exception>
    public IAsyncEnumerable<KeyValueEntry> RangeAsync(
        RangeOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new RangeOptions();
        Check(options);
        return ReadPagesAsync(options, cancellationToken);
    }

    /// <summary>The store as it is now, to be read at leisure. Dispose it soon.</summary>
    public StoreView OpenView() => Answered("View", () =>
    {
        StoreView view = new(this, _database.NewSnapshot(), Now());
        lock (_cursorLock)
        {
            _views.Add(view);
        }

        return view;
    });

    /// <summary>As <see cref="TryGet"/>, in a view.</summary>
    public bool TryGetAt(
        StoreView view, string? columnFamily, ReadOnlySpan<byte> key, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckKey(key);
        CheckView(view);
        Enter();
        try
        {
            bool found = TryRead(Family(columnFamily), key, destination, out _, view.ReadOptions, view.Time);
            Guard?.ThrowIfInvalid();
            return found;
        }
        catch (RocksDbException e)
        {
            throw Failure("Get", e);
        }
        catch (ObjectDisposedException e) when (ColumnFamily.IsSubjectOf(e))
        {
            throw DroppedMeanwhile("Get", e);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>One move of a reader; opens it at the first.</summary>
    internal bool Step(RangeReader reader)
    {
        Enter();
        try
        {
            bool more = reader.Step();
            Guard?.ThrowIfInvalid();
            return more;
        }
        catch (RocksDbException e)
        {
            throw Failure("Scan", e);
        }
        catch (ObjectDisposedException e) when (ColumnFamily.IsSubjectOf(e))
        {
            throw DroppedMeanwhile("Scan", e);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Opens a walk; called inside the store.</summary>
    internal RangeWalk OpenWalk(RangeOptions options, ScanBounds? bounds = null)
    {
        if (options.View is { } view)
        {
            CheckView(view);
        }

        return new RangeWalk(
            this, _database, Family(options.ColumnFamily), options, bounds ?? ScanBounds.Of(options.Range));
    }

    internal void Forget(RangeReader reader)
    {
        lock (_cursorLock)
        {
            _readers.Remove(reader);
        }
    }

    internal void Forget(StoreView view)
    {
        lock (_cursorLock)
        {
            _views.Remove(view);
        }
    }

    internal void ThrowIfClosing()
    {
        if (_gate.IsClosed)
        {
            throw Closed();
        }
    }

    /// <summary>Opens the walk of a reader, which the closing of the store then waits for.</summary>
    internal RangeWalk OpenWalk(RangeOptions options, RangeReader reader)
    {
        RangeWalk walk = OpenWalk(options);
        lock (_cursorLock)
        {
            _readers.Add(reader);
        }

        return walk;
    }

    private async IAsyncEnumerable<KeyValueEntry> ReadPagesAsync(
        RangeOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long left = options.Limit ?? long.MaxValue;
        if (left == 0)
        {
            yield break;
        }

        using ScanCursor cursor = await Task.Run(
            () => OpenCursor(options, cancellationToken), cancellationToken).ConfigureAwait(false);
        List<KeyValueEntry> page = [];
        bool more = true;
        for (int size = FirstPageEntries; more && left > 0; size = Math.Min(2 * size, LargestPageEntries))
        {
            page.Clear();
            int entries = (int)Math.Min(size, left);
            more = await Task.Run(() => cursor.ReadPage(entries, PageBytes, page), cancellationToken)
                .ConfigureAwait(false);
            left -= page.Count;
            foreach (KeyValueEntry entry in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return entry;
            }
        }
    }

    /// <summary>
    /// Waits until the readers of ranges have let go of the store. Their entries point into it, so nothing can be taken
    /// from them; one that is forgotten keeps the directory open until it is collected.
    /// </summary>
    private async Task WaitForReadersAsync()
    {
        Task[] open;
        lock (_cursorLock)
        {
            open = [.. _readers.Select(reader => reader.Released)];
        }

        if (open.Length == 0)
        {
            return;
        }

        try
        {
            await Task.WhenAll(open).WaitAsync(_options.RangeCloseTimeout, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            _logger.RangesLeftOpen(Label, Directory, open.Count(task => !task.IsCompleted));
        }
    }

    private void CloseViews()
    {
        StoreView[] open;
        lock (_cursorLock)
        {
            open = [.. _views];
            _views.Clear();
        }

        foreach (StoreView view in open)
        {
            view.Close();
        }
    }

    private void CheckView(StoreView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (!view.IsOf(this))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"{Label} was read with a view of another store, or of an earlier opening.");
        }
    }

    private void Check(RangeOptions options)
    {
        CheckRange(options.Range);
        string? why = options switch
        {
            { Offset: < 0 } => $"an offset of {options.Offset}; it is at least 0",
            { Limit: < 0 } => $"a limit of {options.Limit}; it is at least 0",
            { ReadaheadBytes: < 0 } => $"a read-ahead of {options.ReadaheadBytes} bytes; it is at least 0",
            { Tailing: true, Reverse: true } => "tailing in descending order; it is only possible in ascending order",
            { Tailing: true, View: not null } => "tailing in a view, which never changes",
            { Content: < RangeContent.All or > RangeContent.ValuesOnly } =>
                $"content {(int)options.Content}, which is unknown",
            _ => null,
        };
        if (why is not null)
        {
            throw new StorageException(FailureKind.InvalidArgument, $"A range of {Label} asks for {why}.");
        }
    }
}
