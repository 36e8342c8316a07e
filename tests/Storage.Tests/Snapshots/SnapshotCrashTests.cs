using System.Collections.Concurrent;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Snapshots;

/// <summary>
/// A child process takes, collects or restores a snapshot and is killed (SIGKILL) at each step of it in turn. Whatever
/// counts as a snapshot afterwards is restored and compared with what the store held when it was taken.
/// BRANCHING_CRASH_STEPS=all adds every primitive of the shared storage, before and after its effect.
/// </summary>
public sealed class SnapshotCrashTests(ITestOutputHelper output)
{
    private static readonly string[] _scenarios = ["snapshot-take", "snapshot-collect", "snapshot-restore"];

    [Fact]
    public async Task Killed_at_any_step_every_snapshot_is_whole_and_the_next_run_succeeds()
    {
        await using Template template = await Template.MakeAsync();
        ConcurrentBag<string> killedAt = [];

        await Parallel.ForEachAsync(_scenarios, async (scenario, _) =>
        {
            int killed = await KillAtEachAsync(scenario, template, killedAt);
            output.WriteLine($"{scenario}: killed at {killed} points");
            Assert.True(killed > 5, $"{scenario} has only {killed} events");
        });

        Kills.AssertAtEvery<SnapshotStep>("point", killedAt);
    }

    private static Task<int> KillAtEachAsync(
        string scenario, Template template, ConcurrentBag<string> killedAt) =>
        new Kills<Scene>
        {
            Scenario = scenario,
            Make = template.Copy,
            Arguments = (scene, n) => [scene.Root, scenario, $"{n}", Kills.Kinds, scene.Shared],
            Look = (scene, ended, where) => scenario switch
            {
                "snapshot-take" => scene.AssertTakenOrNotAsync(template, ended.Finished, where),
                "snapshot-collect" => scene.AssertCollectedOrNotAsync(template, ended.Finished, where),
                _ => scene.AssertRestorableAsync(template, where),
            },
            KilledAt = killedAt,
        }.RunAsync();

    /// <summary>
    /// A node with a database, two snapshots of it and a write since, and what each snapshot must hold.
    /// </summary>
    private sealed class Template : IAsyncDisposable
    {
        private readonly TemporaryRoot _root = new();
        private readonly string _shared = Directory.CreateTempSubdirectory("branching-shared-").FullName;

        public List<string> Models { get; } = [];

        public static async Task<Template> MakeAsync()
        {
            Template template = new();
            await using DataRoot node = await template._root.OpenAsync();
            Database shop = await node.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            PosixSharedStorage shared = await PosixSharedStorage.OpenAsync(template._shared);
            await new DatabaseLives(shared).ReserveAsync(shop.Name, shop.Id, "tests", shop.CreatedAt, default);
            Owned owned = await Owned.ClaimAsync(shared, shop);
            await using Tenure tenure = owned.Tenure;
            SnapshotTaker taker = new(
                shared, owned.Repository, new SnapshotOptions { FlushBytes = 1 }, TimeProvider.System,
                NullLogger.Instance);
            for (int i = 0; i < 3; i++)
            {
                using (StoreLease lease = await shop.AcquireAsync(BranchName.Main, default))
                {
                    await lease.Store.WriteAsync(DatabaseShortcuts.Put($"k{i}", new string('v', 2000 + i)), default);
                    template.Models.Add(SnapshotHouse.Describe(lease.Store));
                }

                if (i < 2)
                {
                    await taker.TakeAsync(shop, BranchName.Main, tenure, new TakeSnapshot(), null, default);
                }
            }

            return template;
        }

        public Scene Copy() => new(_root.Path, _shared);

        public ValueTask DisposeAsync()
        {
            _root.Dispose();
            Directory.Delete(_shared, recursive: true);
            return ValueTask.CompletedTask;
        }
    }

    private sealed record Owned(SnapshotRepository Repository, Tenure Tenure)
    {
        public static async Task<Owned> ClaimAsync(ISharedStorage shared, Database shop)
        {
            DatabaseOwnership ownership = new(
                shared, shop.Name, shop.Id, new OwnershipOptions(), TimeProvider.System, NullLogger.Instance);
            Claim claim = await ownership.ClaimAsync(
                new OwnerIdentity("test", "child-id", Guid.NewGuid().ToString("N")),
                new ClaimOptions(FormerOwnerIsThisNode: true), default);
            SnapshotRepository repository = new(
                shared, shop.Name, shop.Id, TimeProvider.System, NullLogger.Instance);
            return new Owned(repository, await claim.ServeAsync(default));
        }
    }

    /// <summary>A copy of the template that a child was killed in.</summary>
    private sealed class Scene : IDisposable
    {
        private readonly TemporaryRoot _root = new();

        public Scene(string root, string shared)
        {
            TemporaryRoot.CopyTree(root, Root);
            Shared = Directory.CreateTempSubdirectory("branching-shared-").FullName;
            TemporaryRoot.CopyTree(shared, Shared);
        }

        public string Root => _root.Path;

        public string Shared { get; }

        public async Task AssertTakenOrNotAsync(Template template, bool finished, string where)
        {
            await using DataRoot node = await _root.OpenAsync();
            Database shop = await node.GetDatabaseAsync(TemporaryRoot.Shop, default);
            Assert.True(Directory.GetFileSystemEntries(shop.Files.Building).Length == 0, where);
            PosixSharedStorage shared = await PosixSharedStorage.OpenAsync(Shared);
            Owned owned = await Owned.ClaimAsync(shared, shop);
            await using Tenure tenure = owned.Tenure;
            SnapshotView view = await owned.Repository.ReadAsync(default);
            Assert.True(view.Snapshots.Count is 2 or 3 && (view.Snapshots.Count == 3 || !finished), where);
            await AssertModelsAsync(shared, owned.Repository, view.Snapshots, template.Models, where);

            SnapshotTaker taker = new(
                shared, owned.Repository, new SnapshotOptions(), TimeProvider.System, NullLogger.Instance);
            SnapshotResult next = await taker.TakeAsync(
                shop, BranchName.Main, tenure, new TakeSnapshot(), null, default);
            await owned.Repository.CollectAsync(tenure, new GarbageOptions(Grace: TimeSpan.Zero), default);

            Assert.True(next.Taken == (view.Snapshots.Count == 2), where);
            SnapshotView after = await owned.Repository.ReadAsync(default);
            await AssertModelsAsync(shared, owned.Repository, after.Snapshots, template.Models, where);
        }

        public async Task AssertCollectedOrNotAsync(Template template, bool finished, string where)
        {
            await using DataRoot node = await _root.OpenAsync();
            Database shop = await node.GetDatabaseAsync(TemporaryRoot.Shop, default);
            PosixSharedStorage shared = await PosixSharedStorage.OpenAsync(Shared);
            Owned owned = await Owned.ClaimAsync(shared, shop);
            await using Tenure tenure = owned.Tenure;
            SnapshotView view = await owned.Repository.ReadAsync(default);
            int first = 2 - view.Snapshots.Count;
            Assert.True(first == 1 || (first == 0 && !finished), where);
            await AssertModelsAsync(shared, owned.Repository, view.Snapshots, template.Models[first..], where);

            await owned.Repository.CollectAsync(tenure, new GarbageOptions(Grace: TimeSpan.Zero), default);
            GarbageReport again = await owned.Repository.CollectAsync(
                tenure, new GarbageOptions(Grace: TimeSpan.Zero), default);

            Assert.True(again.Deleted.Count == 0, $"{where}: {string.Join(' ', again.Deleted)}");
            await AssertModelsAsync(shared, owned.Repository, view.Snapshots, template.Models[first..], where);
        }

        public async Task AssertRestorableAsync(Template template, string where)
        {
            PosixSharedStorage shared = await PosixSharedStorage.OpenAsync(Shared);
            await using DataRoot node = await _root.OpenAsync();
            Database shop = await node.GetDatabaseAsync(TemporaryRoot.Shop, default);
            SnapshotRepository repository = new(
                shared, shop.Name, shop.Id, TimeProvider.System, NullLogger.Instance);
            SnapshotView view = await repository.ReadAsync(default);
            string place = Directory.CreateDirectory(Path.Combine(Root, "restored")).FullName;
            LocalObjects objects = LocalObjects.Open(Path.Combine(place, "objects"));
            int whole = Directory.GetFiles(objects.Directory).Length;
            SnapshotManifest newest = view.Snapshots[^1];

            RestoredStore restored = await new SnapshotRestorer(
                new SnapshotOptions(), TimeProvider.System, NullLogger.Instance).RestoreStoreAsync(
                    shared, repository, newest, Path.Combine(place, "store"), objects,
                    new RestoreOptions(OpenCheck: true), null, default);

            int distinct = newest.Files.DistinctBy(file => file.Sha256, StringComparer.Ordinal).Count();
            Assert.True(restored.FetchedFiles == distinct - whole, where);
            Assert.True(await DescribeAsync(restored.Directory) == template.Models[1], where);
        }

        public void Dispose()
        {
            _root.Dispose();
            Directory.Delete(Shared, recursive: true);
        }

        private async Task AssertModelsAsync(
            ISharedStorage shared, SnapshotRepository repository, IReadOnlyList<SnapshotManifest> snapshots,
            List<string> models, string where)
        {
            string place = Directory.CreateDirectory(Path.Combine(Root, Guid.NewGuid().ToString("N"))).FullName;
            LocalObjects objects = LocalObjects.Open(Path.Combine(place, "objects"));
            SnapshotRestorer restorer = new(new SnapshotOptions(), TimeProvider.System, NullLogger.Instance);
            foreach ((SnapshotManifest manifest, string model) in snapshots.Zip(models))
            {
                RestoredStore restored = await restorer.RestoreStoreAsync(
                    shared, repository, manifest, Path.Combine(place, manifest.Id.ToString()), objects,
                    new RestoreOptions(), null, default);
                Assert.True(await DescribeAsync(restored.Directory) == model, $"{where}: {manifest.Id}");
            }

            Directory.Delete(place, recursive: true);
        }

        private async Task<string> DescribeAsync(string directory)
        {
            using StoreResources resources = new(_root.Options, NullLogger.Instance, TimeProvider.System);
            await using LocalStore store = LocalStore.Open(
                directory, "a restored store", resources, create: false, NullLogger.Instance, TimeProvider.System);
            return SnapshotHouse.Describe(store);
        }
    }
}
