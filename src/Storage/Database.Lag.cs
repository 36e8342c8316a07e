using System.Collections.Concurrent;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>What of the database is not yet on shared storage.</content>
public sealed partial class Database
{
    private readonly ConcurrentDictionary<StoreId, StoreProgress> _progress = new();

    /// <summary>How much of a branch is not yet on shared storage, as far as <see cref="LookForLagAsync"/> has looked.
    /// Cheap.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.BranchNotFound"/>.</exception>
    public SnapshotLag GetLag(BranchName branch) => ProgressOf(GetBranch(branch).Id).Measure(_time.GetUtcNow());

    /// <summary>As <see cref="GetLag(BranchName)"/>, also of a branch that was deleted since it was looked up. Cheap.
    /// </summary>
    public SnapshotLag GetLag(BranchRecord record) =>
        (_progress.GetValueOrDefault(record.Id) ?? new StoreProgress()).Measure(_time.GetUtcNow());

    /// <summary>How much of all durable branches together is not yet on shared storage: sequences in sum, and the age
    /// of the oldest of them. As far as <see cref="LookForLagAsync"/> has looked.</summary>
    public SnapshotLag GetLag()
    {
        DateTimeOffset now = _time.GetUtcNow();
        ulong missing = 0;
        TimeSpan behind = TimeSpan.Zero;
        foreach (BranchRecord record in _living.Values)
        {
            if (record.Durability == BranchDurability.Durable && _progress.TryGetValue(record.Id, out StoreProgress? p))
            {
                SnapshotLag lag = p.Measure(now);
                missing += lag.Sequences;
                behind = lag.Behind > behind ? lag.Behind : behind;
            }
        }

        return new SnapshotLag(null, null, null, missing, behind);
    }

    /// <summary>
    /// Looks into the durable branches that this process has not opened, each once: only their logs know what was
    /// written behind their newest snapshot. Without shared storage there is nothing to look for.
    /// </summary>
    /// <param name="branch">The only branch to look into; <see langword="null"/>: all.</param>
    /// <param name="cancellationToken">Ends it between two branches.</param>
    public Task LookForLagAsync(BranchName? branch, CancellationToken cancellationToken)
    {
        if (!SurvivesItsNode)
        {
            return Task.CompletedTask;
        }

        BranchRecord[] unknown =
        [
            .. _living.Values.Where(record => (branch is null || record.Name == branch)
                && record is { Durability: BranchDurability.Durable, State: BranchState.Ready }
                && !ProgressOf(record.Id).WasLookedFor),
        ];
        return unknown.Length == 0
            ? Task.CompletedTask
            : Task.Run(() => Array.ForEach(unknown, record => LookInto(record, cancellationToken)), cancellationToken);
    }

    private void LookInto(BranchRecord record, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StoreProgress progress = ProgressOf(record.Id);
        if (progress.WasLookedFor)
        {
            return; // Opened meanwhile.
        }

        string directory = _files.StoreOf(record.Id);
        try
        {
            progress.NoteFound(
                StoreInspection.Read(directory, LabelOf(record.Name), _registry.Merges).Sequence, _time);
        }
        catch (Exception e) when (e is StorageException or IOException or UnauthorizedAccessException)
        {
            // Damaged, or gone meanwhile: whoever opens it is told. Its lag stays what its snapshot says.
            _logger.LagNotKnown(LabelOf(record.Name), e);
        }
        finally
        {
            progress.WasLookedFor = true;
            if (!progress.WasOpened)
            {
                TakeBackInfoLog(directory); // Whoever opened it meanwhile writes to the newest.
            }
        }
    }

    /// <summary>RocksDB begins an information log whenever it reads a store, and removes old ones only when it writes.
    /// </summary>
    private static void TakeBackInfoLog(string directory)
    {
        try
        {
            if (System.IO.Directory.EnumerateFiles(directory, "LOG.old.*").Max(StringComparer.Ordinal) is { } former)
            {
                File.Move(former, Path.Combine(directory, "LOG"), overwrite: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return; // One log more is in nobody's way.
        }
    }

    private StoreProgress ProgressOf(StoreId id) => _progress.GetOrAdd(id, static _ => new StoreProgress());
}
