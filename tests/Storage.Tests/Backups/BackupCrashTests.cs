using System.Collections.Concurrent;
using Branching.Storage.Backups;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Backups;

/// <summary>
/// A child process makes, deletes, purges, restores or imports a backup and is killed (SIGKILL) at each step of it in
/// turn. BRANCHING_CRASH_STEPS=all adds every step on the file system and every primitive of the directory.
/// </summary>
public sealed class BackupCrashTests(ITestOutputHelper output)
{
    private static readonly string[] _scenarios =
        ["create", "delete", "purge", "restore", "restore-kept", "restore-fresh", "import"];

    [Fact]
    public async Task Killed_at_any_step_every_backup_is_whole_and_a_target_is_exactly_the_old_or_the_new()
    {
        using Template template = await Template.MakeAsync();
        ConcurrentBag<string> killedAt = [];

        await Parallel.ForEachAsync(_scenarios, async (scenario, _) =>
        {
            int killed = await KillAtEachAsync(scenario, template, killedAt);
            output.WriteLine($"{scenario}: killed at {killed} points");
            Assert.True(killed >= 3, $"{scenario} has only {killed} events");
        });

        Kills.AssertAtEvery<BackupStep>("point", killedAt);
    }

    private static Task<int> KillAtEachAsync(
        string scenario, Template template, ConcurrentBag<string> killedAt) =>
        new Kills<Scene>
        {
            Scenario = scenario,
            Make = () => new Scene(template),
            Arguments = (scene, n) => [scene.Root, "backup-" + scenario, $"{n}", Kills.Kinds],
            Look = (scene, ended, where) => scene.AssertAsync(scenario, ended.Exit == 0, where),
            KilledAt = killedAt,
        }.RunAsync();

    /// <summary>
    /// A store, three backups of it, what each must hold, a store restored from the first, and the last as a tar.
    /// </summary>
    private sealed class Template : IDisposable
    {
        private Template(string root) => Root = root;

        public string Root { get; }

        public List<string> Models { get; } = [];

        public static async Task<Template> MakeAsync()
        {
            Template template = new(Directory.CreateTempSubdirectory("branching-backup-").FullName);
            await using BackupHouse house = await BackupHouse.OpenAsync();
            for (int i = 1; i <= 3; i++)
            {
                await house.FillAsync(i, keys: 3);
                template.Models.Add(house.Describe());
                await house.CreateAsync();
            }

            await house.RestoreAsync(new BackupId(1));

            // Tables of the newest backup, so that a restore that keeps files finds some; RocksDB removes them.
            BackupManifest newest = await house.Backups.ReadAsync(null, default);
            foreach (BackupFile table in newest.Files.Where(file => file.Role == SnapshotFileRole.Table))
            {
                File.Copy(
                    Path.Combine(house.Place, BackupNames.ObjectOf(table.Sha256)),
                    Path.Combine(house.Target, table.Name), overwrite: true);
            }

            await using (FileStream tar = File.Create(Path.Combine(template.Root, "backup.tar")))
            {
                await house.Backups.ExportAsync(null, tar, null, default);
            }

            await house.FillAsync(4, flush: false, keys: 3);
            template.Models.Add(house.Describe());
            await house.Store.DisposeAsync();
            foreach (string name in (string[])["store", "backups", "restored"])
            {
                TemporaryRoot.CopyTree(Path.Combine(house.Root, name), Path.Combine(template.Root, name));
            }

            return template;
        }

        public void Dispose() => Directory.Delete(Root, recursive: true);
    }

    /// <summary>A copy of the template that a child was killed in.</summary>
    private sealed class Scene : IDisposable
    {
        private readonly Template _template;
        private readonly StoreResources _resources;

        public Scene(Template template)
        {
            _template = template;
            Root = Directory.CreateTempSubdirectory("branching-backup-").FullName;
            TemporaryRoot.CopyTree(template.Root, Root);
            _resources = new StoreResources(
                new StorageOptions { DataRoot = Root, BlockCacheBytes = 8 << 20 }, NullLogger.Instance,
                TimeProvider.System);
        }

        public string Root { get; }

        public async Task AssertAsync(string scenario, bool finished, string where)
        {
            BackupDirectory backups = await BackupDirectory.OpenAsync(
                Path.Combine(Root, "backups"), create: false, new BackupOptions { FreeBytesReserve = 0 },
                NullLogger.Instance, TimeProvider.System, default);
            IReadOnlyList<BackupEntry> entries = await backups.ListAsync(default);
            Assert.All(entries, entry => Assert.True(entry.IsWhole, $"{where}: {entry.Problem}"));
            bool untouched = scenario.StartsWith("restore", StringComparison.Ordinal);
            foreach (BackupEntry entry in entries.Where(_ => !untouched))
            {
                await AssertRestorableAsync(backups, entry.Id!.Value, scenario, where);
            }

            ulong[] numbers = [.. entries.Select(entry => entry.Id!.Value.Value)];
            ulong[][] allowed = scenario switch
            {
                "create" or "import" => [[1, 2, 3], [1, 2, 3, 4]],
                "delete" => [[1, 2, 3], [1, 2]],
                "purge" => [[1, 2, 3], [2, 3], [3]],
                _ => [[1, 2, 3]],
            };
            Assert.True(allowed.Any(numbers.SequenceEqual), $"{where}: {string.Join(' ', numbers)}");
            Assert.True(!finished || allowed[^1].SequenceEqual(numbers), where);
            await (scenario switch
            {
                "create" or "import" => AssertNextAsync(backups, numbers, where),
                "delete" or "purge" => AssertCollectedAsync(backups, where),
                _ => AssertTargetAsync(backups, scenario, finished, where),
            });
        }

        public void Dispose()
        {
            _resources.Dispose();
            Directory.Delete(Root, recursive: true);
        }

        private async Task AssertNextAsync(BackupDirectory backups, ulong[] numbers, string where)
        {
            await using (LocalStore store = Open(Path.Combine(Root, "store")))
            {
                BackupResult next = await backups.CreateAsync(store, new CreateBackup(), null, default);
                Assert.True(next.Id.Value == numbers[^1] + 1, where);
                await AssertDescribesAsync(backups, next.Id, _template.Models[3], where);
            }

            string[] beside = [.. Directory.GetFileSystemEntries(Root).Select(path => Path.GetFileName(path)).Order()];
            Assert.True(beside.SequenceEqual(["backup.tar", "backups", "restored", "store"]), where);
        }

        private async Task AssertCollectedAsync(BackupDirectory backups, string where)
        {
            await backups.PurgeAsync(1, default);
            BackupEntry left = Assert.Single(await backups.ListAsync(default));
            int objects = Directory.GetFiles(
                Path.Combine(Root, "backups", "objects"), "*", SearchOption.AllDirectories).Length;
            Assert.True(
                objects == left.Manifest!.Files.DistinctBy(file => file.Sha256, StringComparer.Ordinal).Count(),
                $"{where}: {objects} files are left");
            await AssertDescribesAsync(
                backups, left.Id!.Value, _template.Models[(int)left.Id.Value.Value - 1], where);
        }

        private async Task AssertTargetAsync(BackupDirectory backups, string scenario, bool finished, string where)
        {
            string target = Path.Combine(Root, scenario == "restore-fresh" ? "fresh" : "restored");
            string? there = Directory.Exists(target) ? await DescribeAsync(target) : null;
            string? old = scenario == "restore-fresh" ? null : _template.Models[0];
            Assert.True(there == _template.Models[2] || (there == old && !finished), $"{where}: neither");

            await backups.RestoreAsync(
                null, target, new RestoreBackup { Mode = BackupRestoreMode.Replace }, null, default);

            Assert.True(await DescribeAsync(target) == _template.Models[2], where);
            string[] left = [.. Directory.GetDirectories(Root).Select(path => Path.GetFileName(path))
                .Where(name => name.Contains('.', StringComparison.Ordinal))];
            Assert.True(
                left.All(name => name.Contains(".replaced-", StringComparison.Ordinal)),
                $"{where}: {string.Join(' ', left)}");
            foreach (string kept in left)
            {
                string model = await DescribeAsync(Path.Combine(Root, kept));
                Assert.True(model == old, $"{where}: {kept} is not the old store");
            }
        }

        private async Task AssertRestorableAsync(
            BackupDirectory backups, BackupId id, string scenario, string where)
        {
            // The fourth is an import of the third, or one of the store as it is.
            int model = id.Value == 4 && scenario == "import" ? 2 : (int)id.Value - 1;
            await AssertDescribesAsync(backups, id, _template.Models[model], where);
        }

        private async Task AssertDescribesAsync(BackupDirectory backups, BackupId id, string model, string where)
        {
            string target = Path.Combine(Root, "look-" + Guid.NewGuid().ToString("N"));
            await backups.RestoreAsync(id, target, new RestoreBackup(), null, default);
            Assert.True(await DescribeAsync(target) == model, $"{where}: backup {id}");
            Directory.Delete(target, recursive: true);
        }

        private async Task<string> DescribeAsync(string directory)
        {
            await using LocalStore store = Open(directory);
            return SnapshotHouse.Describe(store);
        }

        private LocalStore Open(string directory) => LocalStore.Open(
            directory, "a store", _resources, create: false, NullLogger.Instance, TimeProvider.System);
    }
}
