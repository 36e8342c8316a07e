using System.Text;
using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Simulation;

/// <summary>A node that wants the database, uses it, and meets with accidents.</summary>
internal sealed class SimulatedNode(SimulatedCluster cluster, int number)
{
    private static readonly StoreId[] _stores =
        [StoreId.Parse(new string('a', 32)), StoreId.Parse(new string('b', 32))];

    private readonly SimulatedWorld _world = cluster.World;
    private int _changes;

    /// <summary>What is on the node's disk, through all its lives; null for nothing.</summary>
    public SimulatedCopy? Copy { get; set; }

    public void Start(int life)
    {
        SimulatedProcess process = new(_world, number, life);
        SimulatedLife started = new(this, process, cluster);
        _world.Schedule(_world.Milliseconds(0, 3000), process, () => started.Begin());
        ScheduleAccident(process, life);
    }

    public string NextKey() => $"n{number}-{++_changes}";

    private void ScheduleAccident(SimulatedProcess process, int life) =>
        _world.Schedule(_world.Milliseconds(500, 25_000), null, () =>
        {
            if (_world.Chance(0.3))
            {
                process.Crashed = true;
                cluster.Counts.Crashes++;
                Start(life + 1);
                return;
            }

            // Some pauses are longer than the lease, some longer than the grace period of a collection.
            cluster.Counts.Pauses++;
            process.PausedUntil = _world.Now
                + (_world.Chance(0.3) ? _world.Milliseconds(5000, 40_000) : _world.Milliseconds(10, 4000));
            ScheduleAccident(process, life);
        });

    /// <summary>One life of the node's process.</summary>
    internal sealed class SimulatedLife(SimulatedNode node, SimulatedProcess process, SimulatedCluster cluster)
    {
        private static readonly OwnershipOptions _options = new();
        private readonly SimulatedWorld _world = cluster.World;
        private readonly SimulatedStorage _storage = cluster.Connect(process);
        private SnapshotRepository _repository = null!;
        private SharedCatalog _catalog = null!;

        public void Begin()
        {
            _repository = new SnapshotRepository(
                _storage, SimulatedCluster.Name, SimulatedCluster.Id, process, NullLogger.Instance, cluster.Rules);
            _catalog = new SharedCatalog(
                _storage, SimulatedCluster.Name, SimulatedCluster.Id, NullLogger.Instance);
            Task running = RunAsync();
            _ = running.ContinueWith(
                failed => _world.Schedule(TimeSpan.Zero, null, () => throw new InvalidOperationException(
                    "A node of the simulation failed.", failed.Exception)),
                default, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }

        private async Task RunAsync()
        {
            while (true)
            {
                try
                {
                    await OwnAsync();
                }
                catch (StorageException e) when (IsExpected(e))
                {
                    // Lost a race, was fenced, or the storage failed: what this is about.
                }

                await process.DelayAsync(_world.Milliseconds(10, 3000));
            }
        }

        private static bool IsExpected(StorageException e) => e.Kind is FailureKind.SharedStorageUnavailable
            or FailureKind.NotOwner or FailureKind.Fenced or FailureKind.LeaseExpired or FailureKind.Closed
            or FailureKind.SnapshotNotFound or FailureKind.Refused;

        private async Task OwnAsync()
        {
            DatabaseOwnership ownership = new(
                _storage, SimulatedCluster.Name, SimulatedCluster.Id, _options, process, NullLogger.Instance,
                cluster.Rules);
            OwnerIdentity me = new($"node{process.Node}", $"id{process.Node}", process.Id);
            OwnershipStatus status = await ownership.LookAsync(default);
            bool mine = status.Owner?.NodeId == me.NodeId && status.Owner.ProcessId != process.Id;
            bool current = IsCurrent(status, me);
            ClaimOptions options = new(
                FormerOwnerIsThisNode: mine, WaitForLease: !_world.Chance(0.05),
                BeforeClaim: current ? (epoch, _) => IntendAsync(status, epoch) : null);
            IReadOnlyList<string> before = cluster.CataloguedSoFar();
            Claim claim = await ownership.ClaimAsync(me, options, default);
            await using (claim)
            {
                current &= !cluster.Rules.LookAtEntriesAfterClaim || IsCurrent(claim.Before, me);
                Tenure tenure = await claim.ServeAsync(default);
                await using (tenure)
                {
                    if (!await EnterAsync(tenure, current))
                    {
                        return;
                    }

                    cluster.Serves(process, tenure);
                    cluster.CheckCatalog(await _catalog.ReadAsync(tenure, default), before);
                    await Task.WhenAll(AnswerAsync(tenure), WorkAsync(tenure));
                }
            }
        }

        private bool IsCurrent(OwnershipStatus status, OwnerIdentity me) =>
            node.Copy is { } copy && status.IsCurrent(copy.Epoch, copy.Intent, me.NodeId);

        private async Task IntendAsync(OwnershipStatus status, Epoch epoch)
        {
            SimulatedCopy copy = node.Copy!;
            copy.Epoch = status.EpochOfCurrent(copy.Epoch);
            copy.Intent = new ClaimIntent(epoch.Value, process.Id);
            await process.DelayAsync(_world.Milliseconds(0, 20));
        }

        /// <summary>Goes on with the copy, or restores one, which may fail; then enters.</summary>
        /// <returns>Whether it got so far.</returns>
        private async Task<bool> EnterAsync(Tenure tenure, bool keeps)
        {
            if (keeps)
            {
                cluster.Counts.Kept++;
                await tenure.EnterAsync(default);
                cluster.EntersWith(node.Copy!, tenure.Epoch);
                node.Copy!.WasServed = true;
                await process.DelayAsync(_world.Milliseconds(0, 20));
                node.Copy.Epoch = tenure.Epoch;
                node.Copy.Intent = null;
                return true;
            }

            await process.DelayAsync(_world.Milliseconds(1, 4000));
            if (_world.Chance(0.2))
            {
                cluster.Counts.FailedRestores++;
                if (_world.Chance(0.5))
                {
                    await tenure.ReleaseAsync(default);
                }

                return false;
            }

            node.Copy = new SimulatedCopy { Epoch = tenure.Epoch };
            await process.DelayAsync(_world.Milliseconds(0, 20));
            await tenure.EnterAsync(default);
            cluster.EntersWith(node.Copy, tenure.Epoch);
            node.Copy.WasServed = true;
            return true;
        }

        private async Task AnswerAsync(Tenure tenure)
        {
            while (tenure.EndCause is null)
            {
                await process.DelayAsync(_world.Milliseconds(1, 300));
                long write = node.Copy!.Write();
                if (tenure.IsValid)
                {
                    cluster.Answered(tenure, write);
                }
            }
        }

        private async Task WorkAsync(Tenure tenure)
        {
            while (tenure.EndCause is null)
            {
                await process.DelayAsync(_world.Milliseconds(1, 500));
                try
                {
                    await ActAsync(tenure);
                }
                catch (StorageException e) when (IsExpected(e))
                {
                    // Its outcome is unknown or it did not happen; nothing was acknowledged.
                }
            }
        }

        private Task ActAsync(Tenure tenure) => _world.Random.Next(20) switch
        {
            < 8 => PublishAsync(tenure),
            < 12 => CatalogueAsync(tenure),
            < 15 => _repository.CollectAsync(
                tenure, new GarbageOptions(Grace: TimeSpan.FromSeconds(_world.Random.Next(5, 12))), default),
            < 18 => RetireAsync(tenure),
            18 => _catalog.CompactAsync(tenure, default),
            _ => _world.Chance(0.3) ? tenure.ReleaseAsync(default) : Task.CompletedTask,
        };

        private async Task CatalogueAsync(Tenure tenure)
        {
            string key = node.NextKey() + process.Id;
            await _catalog.AppendAsync(tenure, new CatalogChange(Policy: new PolicyChange(key, "on")), default);
            cluster.Catalogued(key);
        }

        private async Task RetireAsync(Tenure tenure)
        {
            List<SnapshotId> some = cluster.Acknowledged();
            if (some.Count == 0)
            {
                return;
            }

            SnapshotId id = some[_world.Random.Next(some.Count)];
            bool wasValid = tenure.EndCause is null;
            cluster.Retires(id);
            await _repository.RetireAsync(tenure, id, evenLast: true, default);
            Assert.True(wasValid);
        }

        private async Task PublishAsync(Tenure tenure)
        {
            using Publication publication = await _repository.BeginPublicationAsync(tenure, default);
            List<SnapshotFile> files = [];
            int count = _world.Random.Next(1, 4);
            for (int i = 0; i < count; i++)
            {
                // Few contents, so that objects are shared, collected, and wanted again.
                string content = $"content {_world.Random.Next(8)}";
                string sha256 = SimulatedCluster.DigestOf(content);
                string? name = publication.FindObject(sha256);
                if (name is null)
                {
                    name = publication.NameObject(sha256);
                    await _storage.PutIfAbsentAsync(
                        publication.FullNameOf(name), Encoding.ASCII.GetBytes(content), default);
                    publication.Uploaded(sha256, name);
                }

                files.Add(new SnapshotFile($"{i:d6}.sst", SnapshotFileRole.Table, content.Length, sha256, name));
            }

            SnapshotManifest draft = Draft(_stores[_world.Random.Next(_stores.Length)], files);
            SnapshotId id = await _repository.PublishAsync(tenure, draft, default);
            cluster.Published(id, files);
        }

        private static SnapshotManifest Draft(StoreId store, IReadOnlyList<SnapshotFile> files) => new(
            1, "test", SimulatedCluster.Id, SimulatedCluster.Name, new SnapshotId(store, default, 0), BranchName.Main,
            null, default, 0, new Sequence(1), DateTimeOffset.UnixEpoch, "node", "7.8.3",
            new OptionsFingerprint([new FamilyFingerprint("default", "bytewise")]), files,
            files.Sum(f => f.Bytes), 0, new Dictionary<string, string>(StringComparer.Ordinal));
    }
}

/// <summary>A node's local copy of the database: what it was served under last, and how much it holds.</summary>
internal sealed class SimulatedCopy
{
    private static long _writes;

    public Epoch Epoch { get; set; }

    public ClaimIntent? Intent { get; set; }

    /// <summary>Whether it is more than what a restore made.</summary>
    public bool WasServed { get; set; }

    /// <summary>The number of the last write in it; every later one of the same line is missing.</summary>
    public long Last { get; private set; }

    public long Write() => Last = Interlocked.Increment(ref _writes);
}
