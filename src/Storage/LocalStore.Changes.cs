using System.Collections.Frozen;
using Branching.RocksDb;
using Branching.Storage.Changes;

namespace Branching.Storage;

/// <content>The store's change log. Off, it costs the writer one comparison.</content>
public sealed partial class LocalStore
{
    private ChangeLog? _changes;
    private Func<IEnumerable<KeyValuePair<uint, string>>>? _familyNames;

    /// <summary>Whether the store keeps a change log.</summary>
    public bool HasChangeLog => Volatile.Read(ref _changes) is not null;

    /// <summary>The store's change log. Valid as long as the store is open and the log on.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ChangeLogOff"/>.</exception>
    public ChangeLog Changes => Volatile.Read(ref _changes) ?? throw new StorageException(
        FailureKind.ChangeLogOff,
        $"{Label} keeps no change log: it is off unless it is switched on. Changes from before are not known.");

    /// <summary>Whether somebody waits for changes of this store.</summary>
    internal bool IsFollowed => Volatile.Read(ref _changes)?.IsFollowed == true;

    /// <summary>
    /// Keeps a change log from now on; one that lies there already goes on, with a gap for what it missed. On return
    /// every later write is in it. On already, it takes the settings. Blocking.
    /// </summary>
    /// <param name="place">Where; outside the store's own directory, on a disk as durable as the store's.</param>
    /// <param name="settings">How it is kept.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>: settings outside their ranges. <see cref="FailureKind.Corruption"/>,
    /// <see cref="FailureKind.UnknownStore"/>, <see cref="FailureKind.FormatTooNew"/>: what lies there is not used; the
    /// store goes on without a log.
    /// </exception>
    public void EnableChangeLog(ChangeLogPlace place, ChangeLogSettings settings)
    {
        ArgumentNullException.ThrowIfNull(place);
        ArgumentNullException.ThrowIfNull(settings);
        Enter();
        try
        {
            lock (_commitLock)
            {
                ThrowIfPoisoned();
                if (_changes is { } on)
                {
                    on.Set(settings);
                    return;
                }

                Volatile.Write(
                    ref _changes, ChangeLog.Open(place, Label, settings, new ChangeSource(this), _logger, _time));
            }
        }
        catch (RocksDbException e)
        {
            throw Failure("Opening the change log", e);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>
    /// Keeps no change log any more; what it has stays on the disk. Readers end with <see cref="FailureKind.Closed"/>.
    /// Blocking.
    /// </summary>
    public void DisableChangeLog()
    {
        Enter();
        try
        {
            lock (_commitLock)
            {
                CloseChangeLog();
            }
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>What is made durable in the store is durable in its log before.</summary>
    private void SyncChangeLog()
    {
        lock (_commitLock)
        {
            try
            {
                _changes?.Sync();
            }
            catch (StorageException e)
            {
                Poison(e);
                throw;
            }
        }
    }

    private void CloseChangeLog()
    {
        if (Interlocked.Exchange(ref _changes, null) is { } log)
        {
            log.Close(inOrder: Health.IsHealthy);
        }
    }

    /// <summary>Logs a group that is about to be committed.</summary>
    /// <returns><see langword="false"/>: the thread would have to wait, and nothing was written.</returns>
    private bool TryLog(ChangeLog log, WriteGroup group, bool mayWait) => log.TryAppend(
        group, _database.LatestSequence, _families, _familyNames ??= () => NamesOf(_families), mayWait);

    private static IEnumerable<KeyValuePair<uint, string>> NamesOf(FrozenDictionary<string, ColumnFamily> families) =>
        families.Select(family => KeyValuePair.Create(family.Value.Id, family.Value.Name));

    private sealed class ChangeSource(LocalStore store) : IChangeSource
    {
        public ulong Sequence => store._database.LatestSequence;

        public IEnumerable<KeyValuePair<uint, string>> Families => NamesOf(store._families);

        // A store whose files must stay open has nothing left to sync.
        public void Sync() => store._database.FlushWal(sync: true);

        public void ThrowIfMayNotAnswer() => store.Guard?.ThrowIfInvalid();

        public IEnumerable<CommittedBatch> BatchesFrom(ulong first)
        {
            List<CommittedBatch> batches = [];
            try
            {
                // As far as RocksDB still has its log: what was flushed to table files is not in it any more.
                using WalIterator log = store._database.GetUpdatesSince(first);
                while (log.MoveNext())
                {
                    batches.Add(new CommittedBatch(
                        log.Sequence, (uint)log.Count, log.Data[BatchDecoder.HeaderBytes..].ToArray()));
                }
            }
            catch (RocksDbException e)
            {
                // What was read up to here is good; the rest becomes a gap, which says all there is to say.
                store._logger.ChangeLogNotFilled(store.Label, first, e);
            }

            return batches;
        }
    }
}
