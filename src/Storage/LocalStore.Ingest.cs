using Branching.RocksDb;
using Branching.Storage.Bulk;
using Branching.Storage.Transactions;

namespace Branching.Storage;

/// <content>Table files that come from elsewhere.</content>
public sealed partial class LocalStore
{
    private static readonly IngestOptions _moved = new() { MoveFiles = true };

    /// <summary>Begins a bulk load that works in a directory of its own.</summary>
    /// <param name="options">How it works.</param>
    /// <param name="directory">Must not exist; its parent must, on the store's file system, so that nothing is
    /// copied.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>, <see cref="FailureKind.ColumnFamilyNotFound"/>,
    /// <see cref="FailureKind.ReadOnly"/>, <see cref="FailureKind.Poisoned"/>.
    /// </exception>
    public BulkLoad BeginBulkLoad(BulkLoadOptions options, string directory) =>
        BeginBulkLoad(options, directory, lease: null, static _ => { });

    /// <summary>As the public one; <paramref name="lease"/> is given back at its end.</summary>
    internal BulkLoad BeginBulkLoad(
        BulkLoadOptions options, string directory, IDisposable? lease, Action<CrashPoint> reach)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        BulkLoad.Check(options);
        return Inside("Bulk load", () =>
        {
            ThrowIfReadOnly();
            ThrowIfPoisoned();
            CheckTarget(directory, "A bulk load");
            Family(options.ColumnFamily);
            System.IO.Directory.CreateDirectory(directory);
            return new BulkLoad(this, options, directory, lease, reach);
        });
    }

    /// <summary>Takes table files over: all of their keys at once, or none. Durable on return. Blocking.</summary>
    /// <remarks>
    /// <para>
    /// It has a turn among the writes: what was acknowledged before is beneath it, what comes later is above it, and a
    /// branch or snapshot made afterwards contains it. The files are moved into the store, or copied from another file
    /// system.
    /// </para>
    /// <para>
    /// Where keys expire, values must begin with a stamp (docs/formats.md); <see cref="BulkLoad"/> makes them so.
    /// </para>
    /// </remarks>
    /// <param name="columnFamily">The column family, or <see langword="null"/> for the default one.</param>
    /// <param name="tables">Files that RocksDB's table writer made, on the store's file system; at least one. Of a key
    /// that is in several, the last file's value counts.</param>
    /// <returns>The store's sequence after it.</returns>
    /// <exception cref="StorageException">Nothing was taken over, unless the kind is
    /// <see cref="FailureKind.LeaseExpired"/> or <see cref="FailureKind.Fenced"/>: then nobody knows.</exception>
    public Sequence Ingest(string? columnFamily, IReadOnlyList<string> tables)
    {
        ArgumentNullException.ThrowIfNull(tables);
        if (tables.Count == 0)
        {
            throw Refused("an ingest has no table file");
        }

        return Answered("Ingest", () =>
        {
            lock (_commitLock)
            {
                ThrowIfReadOnly();
                ThrowIfPoisoned();
                Guard?.ThrowIfInvalid();
                StoreHooks? hooks = _hooks;
                hooks?.BeforeWritingBeside();
                try
                {
                    return IngestInTurn(Family(columnFamily), tables);
                }
                finally
                {
                    hooks?.AfterCommit();
                }
            }
        });
    }

    /// <summary>What is fixed about a family, by its name.</summary>
    internal FamilyTraits? TraitsOf(string? columnFamily) => TraitsOf(Family(columnFamily));

    /// <summary>Begins a table file for a family of this store.</summary>
    internal SstFileWriter CreateTable(string? columnFamily, string path) => Inside("Making a table file", () =>
        new SstFileWriter(path, _resources.CreateFamilyOptions(_tuning, TraitsOf(columnFamily))));

    internal void NoteDebris(string path, Exception cause) => _logger.DebrisLeft(Label, path, cause);

    /// <summary>Refuses a record that a write would refuse.</summary>
    internal void CheckRecord(
        FamilyTraits? traits, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TimeSpan timeToLive)
    {
        CheckKey(key);
        string? why = traits?.Refuse(value) is { } refusal
            ? $"merge operator '{traits.Merge!.Name}' does not take its value: {refusal}"
            : timeToLive == default || timeToLive == Timeout.InfiniteTimeSpan || IsTimeToLive(timeToLive)
                ? null
                : $"its time to live of {timeToLive} is outside of 1 ms to {ExpiryStamp.MaxMilliseconds} ms";
        if (timeToLive != default && traits is not { Expires: true })
        {
            why = "it has a time to live, but the keys of its column family do not expire";
        }

        if (why is not null)
        {
            throw new StorageException(
                FailureKind.InvalidArgument, $"A record of a bulk load into {Label} was refused: {why}.");
        }
    }

    private Sequence IngestInTurn(ColumnFamily family, IReadOnlyList<string> tables)
    {
        ulong before = _database.LatestSequence;

        // While a snapshot is held RocksDB gives the files a sequence of their own, also where they cover no key of the
        // store; otherwise nothing would tell afterwards that the store has changed.
        using (ReadSnapshot held = _database.NewSnapshot())
        {
            Take(family, tables);
        }

        Sequence end = new(_database.LatestSequence);
        if (end.Value == before)
        {
            throw new StorageException(
                FailureKind.Internal,
                $"Tables were taken over by {Label} without a sequence; a snapshot may miss them.");
        }

        Volatile.Write(ref _lastAcknowledged, end.Value);
        NoteWrittenBeside();
        Progress?.NoteWritten(end, _time);
        return end;
    }

    private void Take(ColumnFamily family, IReadOnlyList<string> tables)
    {
        try
        {
            _database.IngestFiles(family, tables, _moved);
        }
        catch (RocksDbException e) when (e.Status is RocksDbStatus.Corruption or RocksDbStatus.InvalidArgument
            or RocksDbStatus.PathNotFound or RocksDbStatus.NotSupported)
        {
            // It is the files that are wrong, not the store: RocksDB looks at them before it changes anything.
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"An ingest into {Label} was refused: {e.Message} Nothing was taken over.", e);
        }
    }
}
