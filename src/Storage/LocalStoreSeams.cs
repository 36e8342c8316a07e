using Branching.RocksDb;
using Branching.RocksDb.Files;

namespace Branching.Storage;

/// <summary>The steps of a store that tests replace, to fail where disks fail.</summary>
internal sealed class LocalStoreSeams
{
    /// <summary>What production uses.</summary>
    public static LocalStoreSeams Real { get; } = new();

    /// <summary>Makes a group durable.</summary>
    public IWriteCommit Commit { get; init; } = new RocksDbCommit();

    /// <summary>Tries to give a file a second name; <see langword="false"/>: it must be copied.</summary>
    public Func<string, string, bool> TryLink { get; init; } =
        static (existing, link) => LocalFiles.TryCreateHardLink(existing, link, out _);

    /// <summary>Makes and removes a file in a store's directory; fails as the file system does.</summary>
    public Action<string> ProbeDirectory { get; init; } = static directory =>
    {
        // RocksDB passes over names that are none of its own.
        string path = Path.Combine(directory, $"probe-{Guid.NewGuid():n}.tmp");
        File.WriteAllBytes(path, [1]);
        File.Delete(path);
    };

    private sealed class RocksDbCommit : IWriteCommit
    {
        private static readonly WriteOptions _atOnce = new(noSlowdown: true);

        public void Commit(RocksDatabase database, WriteBatch batch, bool sync) =>
            database.Write(batch, sync ? WriteOptions.Sync : WriteOptions.Buffered);

        public bool TryCommitAtOnce(RocksDatabase database, WriteBatch batch)
        {
            try
            {
                database.Write(batch, _atOnce);
                return true;
            }
            catch (RocksDbException e) when (e.Status == RocksDbStatus.Incomplete)
            {
                return false;
            }
        }
    }
}
