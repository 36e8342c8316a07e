using System.Globalization;
using Branching.RocksDb;

namespace Branching.Storage;

/// <content>How the store is, what is open on it, and whether it can be written.</content>
public sealed partial class LocalStore
{
    private readonly Dictionary<string, Func<long>> _openItems = new(StringComparer.Ordinal);

    /// <summary>Looks at everything that can be wrong. Blocking: makes and removes a small file beside the store's.
    /// </summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Closed"/>.</exception>
    public StoreHealthReport Examine() => Inside("Examine", () =>
    {
        List<string> causes = [];
        LookForBackgroundFailure();
        StorageException? poison = Volatile.Read(ref _poison);
        if (poison is not null)
        {
            causes.Add(poison.Message);
        }

        AddDirectoryCause(causes);
        AddEngineCauses(causes);
        StoreCondition condition = poison is not null
            ? StoreCondition.Poisoned
            : causes.Count > 0 ? StoreCondition.Degraded : StoreCondition.Healthy;
        return new StoreHealthReport(Label, Directory, condition, causes, MustStayOpen);
    });

    /// <summary>Proves that writes reach the disk: the log and the directory take them, and what is in memory goes into
    /// a table file. Blocking.</summary>
    /// <exception cref="StorageException">They do not; why not.</exception>
    public void ProveWrites()
    {
        ThrowIfPoisoned();
        if (ProbeFails() is { } e)
        {
            throw LocalStoreFailure.From(e, $"Writing to {Directory}, where {Label} is,");
        }

        Inside("Proving that writes succeed", () =>
        {
            _database.FlushWal(sync: true);
            return true;
        });
        Flush();
    }

    /// <summary>The text of one of RocksDB's properties, for example <c>rocksdb.stats</c>; <see langword="null"/> when
    /// it knows none of that name. Blocking.</summary>
    /// <param name="columnFamily">Whose property; <see langword="null"/> for the default one.</param>
    /// <param name="name">Its name.</param>
    public string? GetProperty(string? columnFamily, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Inside("Property", () => _database.GetProperty(Family(columnFamily), name));
    }

    /// <summary>Lists something that callers open on the store and close again, for the list of everything
    /// open.</summary>
    /// <param name="kind">A plural: "transactions", "locks"…</param>
    /// <param name="count">How many are open; thread-safe and cheap.</param>
    internal void ListAsOpen(string kind, Func<long> count)
    {
        lock (_openItems)
        {
            _openItems[kind] = count;
        }
    }

    /// <summary>What is open on the store, by kind; empty when it is closed meanwhile.</summary>
    internal IReadOnlyDictionary<string, long> CountOpenItems()
    {
        var items = new SortedDictionary<string, long>(StringComparer.Ordinal);
        if (!_gate.TryEnter())
        {
            return items;
        }

        try
        {
            items["cursors"] = OpenCursors;
            items["snapshots"] = Property("rocksdb.num-snapshots");
            items["waiting writes"] = _queue.Count;
            lock (_openItems)
            {
                foreach ((string kind, Func<long> count) in _openItems)
                {
                    items[kind] = count();
                }
            }

            return items;
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Measures a read that the caller begins now and ends by disposing the answer.</summary>
    internal ReadTimer TimeRead(string operation) => new(_resources.Instruments, operation);

    /// <summary>The sizes of the store's files, by a look at each of them; nothing when they cannot be looked
    /// at.</summary>
    internal BranchSize MeasureFiles()
    {
        try
        {
            return Database.Measure(Directory, CancellationToken.None);
        }
        catch (StorageException)
        {
            // A metric is not the place to fail; the directory's state is told by Examine.
            return new BranchSize(0, 0, 0, 0);
        }
    }

    /// <summary>Poisons the store when RocksDB failed at a flush or a compaction, whoever began it. Cheap while it did
    /// not. Called inside the store.</summary>
    /// <remarks>RocksDB itself goes on taking writes after some of these errors, and tells nobody of them. What it
    /// mends by itself counts too: only a reopening shows that all is well again.</remarks>
    private void LookForBackgroundFailure()
    {
        if (Volatile.Read(ref _poison) is null && !IsReadOnly && _database.FindBackgroundFailure() is { } e)
        {
            Poison(e.Status == RocksDbStatus.Unknown && ProbeFails() is { } cause
                ? LocalStoreFailure.From(cause, $"Work of RocksDB on {Label}")
                : LocalStoreFailure.From(e, $"Work of RocksDB on {Label}"));
        }
    }

    /// <summary>Why the directory takes no files, if so: on a full disk RocksDB cannot write down either what it
    /// failed at.</summary>
    private Exception? ProbeFails()
    {
        try
        {
            _seams.ProbeDirectory(Directory);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e;
        }
    }

    private long Property(string name) => _database.TryGetIntProperty(name, out ulong value) ? (long)value : 0;

    private DateTimeOffset? OldestSnapshotAt
        => Property("rocksdb.oldest-snapshot-time") is > 0 and var seconds
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;

    private void AddDirectoryCause(List<string> causes)
    {
        if (ProbeFails() is { } e)
        {
            causes.Add($"its directory {Directory} cannot be written: {e.Message}");
        }
    }

    private void AddEngineCauses(List<string> causes)
    {
        if (Property("rocksdb.background-errors") is > 0 and var errors)
        {
            causes.Add($"RocksDB met {errors} errors in flushes and compactions since it was opened");
        }

        if (Property("rocksdb.is-write-stopped") != 0)
        {
            causes.Add("RocksDB has stopped writes until flushes and compactions have caught up");
        }
        else if (Property("rocksdb.actual-delayed-write-rate") is > 0 and var rate)
        {
            causes.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"RocksDB slows writes down to {rate} bytes a second until compaction has caught up"));
        }

        try
        {
            Guard?.ThrowIfInvalid();
        }
        catch (StorageException e)
        {
            causes.Add(e.Message);
        }
    }
}
