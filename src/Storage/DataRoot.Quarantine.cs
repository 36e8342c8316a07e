using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Branching.RocksDb;

namespace Branching.Storage;

public sealed partial class DataRoot
{
    private const string ReasonName = "reason.json";

    // Each look replays a store's log; beyond this many the reason says only that nobody looked.
    private const int MostStoresLookedAt = 64;

    /// <summary>Sets a whole database aside, with the reason beside it. Its stores must be closed.</summary>
    /// <returns>Where it is now.</returns>
    internal string SetAsideDatabase(DatabaseName name, string reason, StaleDatabase? facts)
    {
        DateTimeOffset now = _time.GetUtcNow();
        string stamp = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        string place = Path.Combine(Quarantine, $"{stamp}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}");
        string database = Path.Combine(Databases, name.Value);
        _disk.CreateDirectory(place);
        string json = JsonSerializer.Serialize(
            new QuarantineReason(Path.GetRelativePath(Directory, database), reason, now, facts),
            Documents.Default.QuarantineReason);
        _disk.WriteNewFile(Path.Combine(place, ReasonName), json + "\n");
        _disk.FlushDirectory(place);
        _disk.FlushDirectory(Quarantine);
        _disk.Reach(SharingStep.DatabaseQuarantining);
        _disk.Rename(database, Path.Combine(place, name.Value));
        _disk.FlushDirectory(place);
        _disk.FlushDirectory(Databases);
        _disk.Reach(SharingStep.DatabaseQuarantined);
        _logger.DatabaseSetAside(name, place, reason);
        return place;
    }

    /// <summary>Removes quarantine places that a crash left before anything was moved there.</summary>
    private void SweepQuarantine()
    {
        foreach (string entry in Disk.List(Quarantine))
        {
            string place = Path.Combine(Quarantine, entry);
            if (System.IO.Directory.Exists(place) && Disk.List(place) is [] or [ReasonName])
            {
                _disk.DeleteTree(place);
            }
        }
    }

    /// <summary>What a database that is to be set aside holds, and what takes its place.</summary>
    internal StaleDatabase Describe(
        DatabaseDocument document, Database? database, Epoch newest, Func<StoreId, Sequence?> restored)
    {
        List<StaleBranch> branches = [];
        foreach (BranchRecord record in database?.ListBranches() ?? [])
        {
            (ulong? sequence, string? problem) = branches.Count < MostStoresLookedAt
                ? LastSequence(Path.Combine(database!.Directory, "stores", record.Id.ToString()))
                : (null, "not looked at: too many branches");
            branches.Add(new StaleBranch(
                record.Name.Value, record.Id.ToString(), sequence, restored(record.Id)?.Value, problem));
        }

        return new StaleDatabase(document.Id, document.Epoch, newest.Value, branches);
    }

    /// <summary>The last sequence of a closed store, read without changing it.</summary>
    private (ulong? Sequence, string? Problem) LastSequence(string store)
    {
        try
        {
            using RocksDatabase opened = RocksDatabase.OpenReadOnly(
                store, _resources.CreateDatabaseOptions(false), families: _resources.Merges.Describe(store, store));
            return (opened.LatestSequence, null);
        }
        catch (Exception e) when (e is RocksDbException or StorageException or IOException
            or UnauthorizedAccessException)
        {
            return (null, e.Message);
        }
    }
}
