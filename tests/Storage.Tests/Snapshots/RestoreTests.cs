using Branching.RocksDb;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Snapshots;

public sealed class RestoreTests
{
    [Fact]
    public async Task Ten_branches_of_one_parent_share_one_local_copy()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 1000);
        await house.CompactAsync();
        List<(SnapshotManifest Manifest, string Expected)> taken = [];
        for (int i = 0; i < 10; i++)
        {
            string name = $"b{i}";
            await house.Shop.BranchAsync(name);
            await house.FillAsync(name, i, count: 3);
            taken.Add(((await house.TakeAsync(name)).Manifest, await house.DescribeBranchAsync(name)));
        }

        LocalObjects objects = house.NewObjects();
        house.Shared.Forget();
        RestoredStore[] restored = await Task.WhenAll(taken.Select(one => house.RestoreAsync(one.Manifest, objects)));
        objects.Delete();

        string[] fetched = house.Shared.FetchedFiles;
        Assert.Equal(fetched.Distinct(StringComparer.Ordinal).Count(), fetched.Length);
        Assert.All(restored, store => Assert.True(store.LinkedFiles > 0));
        string table = taken[0].Manifest.Files.First(file => file.Role == SnapshotFileRole.Table).Name;
        Assert.All(restored, store => Assert.Equal(
            10u, Branching.RocksDb.Files.LocalFiles.GetStatus(Path.Combine(store.Directory, table)).LinkCount));
        foreach ((RestoredStore store, string expected) in restored.Zip(taken, (store, one) => (store, one.Expected)))
        {
            Assert.Equal(expected, await house.DescribeAsync(store.Directory));
        }
    }

    [Fact]
    public async Task Stores_that_share_files_do_not_see_each_other_s_writes()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 500);
        await house.FlushAsync();
        await house.FillAsync("main", 2, count: 5);
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        LocalObjects objects = house.NewObjects();
        RestoredStore one = await house.RestoreAsync(manifest, objects);
        RestoredStore two = await house.RestoreAsync(manifest, objects);
        string before = await house.DescribeAsync(two.Directory);

        using (RocksDatabase database = RocksDatabase.Open(one.Directory, new DatabaseOptions()))
        {
            WriteBatch batch = new();
            using (batch)
            {
                batch.Put(database.DefaultColumnFamily, "new"u8, "1"u8);
                database.Write(batch, WriteOptions.Sync);
            }

            database.Flush(family: null, wait: true);
            database.CompactRange(database.DefaultColumnFamily);
        }

        Assert.Equal(before, await house.DescribeAsync(two.Directory));
        Assert.Equal(before, await house.RestoreAndDescribeAsync(manifest)); // The local objects are unharmed, too.
    }

    [Fact]
    public async Task Sequence_numbers_go_on()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 77);
        Sequence sequence;
        using (StoreLease lease = await house.Shop.AcquireAsync(BranchName.Main, default))
        {
            sequence = lease.Store.LastAcknowledged;
        }

        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        RestoredStore restored = await house.RestoreAsync(manifest, options: new RestoreOptions(ReadCheck: true));

        Assert.Equal(sequence, manifest.Sequence);
        Assert.Equal(sequence, restored.Sequence);
        string found = await house.DescribeAsync(restored.Directory);
        Assert.StartsWith($"sequence {sequence}\n", found, StringComparison.Ordinal);
        Assert.Equal(house.Shop.GetBranch(BranchName.Main).Id, restored.Record.Id);
    }

    [Fact]
    public async Task Where_links_are_refused_files_are_copied()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        await house.FlushAsync();
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        SnapshotRestorer restorer = new(house.Options, TimeProvider.System, NullLogger.Instance)
        {
            TryLink = (_, _) => false,
        };

        RestoredStore restored = await house.RestoreAsync(manifest, restorer: restorer);

        Assert.Equal((0, manifest.Files.Count), (restored.LinkedFiles, restored.CopiedFiles));
        Assert.Equal(await house.DescribeBranchAsync(), await house.DescribeAsync(restored.Directory));
    }

    [Fact]
    public async Task A_restore_joins_another_database_under_a_mark_of_its_own()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        DatabaseId other = DatabaseId.New(TimeProvider.System);
        BranchRecord record = house.Shop.GetBranch(BranchName.Main) with { Id = StoreId.New(TimeProvider.System) };

        RestoredStore restored = await house.RestoreAsync(
            manifest, options: new RestoreOptions(OpenCheck: true, Target: new RestoreTarget(other, record)));
        string published = Path.Combine(house.Restored, record.Id.ToString());
        Directory.Move(restored.Directory, published);

        Assert.Equal(record.Id, StoreMarker.Read(published, other).Id);
        Assert.Equal(await house.DescribeBranchAsync(), await house.DescribeAsync(published));
    }

    [Theory]
    [InlineData("flip")]
    [InlineData("cut")]
    [InlineData("delete")]
    public async Task A_damaged_object_is_named_and_nothing_is_staged(string damage)
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        await house.FlushAsync();
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        SnapshotFile table = manifest.Files.First(file => file.Role == SnapshotFileRole.Table);
        string name = house.Repository.FullNameOf(table);
        Damage(Path.Combine(house.SharedDirectory, name), damage);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync(manifest));

        Assert.Equal(FailureKind.SnapshotDamaged, failure.Kind);
        Assert.Contains(table.Name, failure.Message, StringComparison.Ordinal);
        Assert.Contains(name, failure.Message, StringComparison.Ordinal);
        Assert.Equal(["objects"], Directory.GetFileSystemEntries(house.Restored).Select(Path.GetFileName));
    }

    [Fact]
    public async Task An_interrupted_restore_fetches_only_what_is_missing()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync(
            new SnapshotOptions { Parallelism = 1, FreeBytesReserve = 0 });
        await house.FillAsync("main", 1, count: 1000);
        await house.FlushAsync();
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        int left = 3;
        house.Shared.Forget();
        house.Shared.At = happened =>
            happened is { Primitive: "fetch", After: false } && Interlocked.Decrement(ref left) == 0
            ? throw new StorageException(FailureKind.SharedStorageUnavailable, "gone")
            : Task.CompletedTask;

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync(manifest));
        house.Shared.At = null;
        RestoredStore restored = await house.RestoreAsync(manifest);

        Assert.Equal(FailureKind.SharedStorageUnavailable, failure.Kind);
        int distinct = manifest.Files.DistinctBy(file => file.Sha256, StringComparer.Ordinal).Count();
        Assert.Equal(distinct, house.Shared.FetchedFiles.Length);
        Assert.Equal(distinct - 2, restored.FetchedFiles);
        Assert.Equal(await house.DescribeBranchAsync(), await house.DescribeAsync(restored.Directory));
    }

    [Fact]
    public async Task What_cannot_be_opened_here_is_refused_before_the_first_byte()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest good = (await house.TakeAsync()).Manifest;
        FamilyFingerprint family = good.Options.Families[0];
        (SnapshotManifest Manifest, string Says)[] bad =
        [
            (good with { RocksDbVersion = "99.1.0" }, "99.1"),
            (good with { Options = new([family with { Comparator = "Backwards" }]) }, "Backwards"),
            (good with { Options = new([family with { MergeOperator = "UInt64Add" }]) }, "UInt64Add"),
            (good with { Options = new([family with { Name = "other" }]) }, "default"),
        ];
        house.Shared.Forget();

        foreach ((SnapshotManifest manifest, string says) in bad)
        {
            StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync(manifest));
            Assert.Equal(FailureKind.SnapshotIncompatible, failure.Kind);
            Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        }

        Assert.DoesNotContain(house.Shared.Calls, call => call.Primitive == "fetch");
    }

    [Theory]
    [InlineData("../escape.sst")]
    [InlineData("/etc/passwd")]
    [InlineData("sub/000001.sst")]
    [InlineData("000001.exe")]
    [InlineData("CURRENT")]
    public async Task A_manifest_cannot_lead_out_of_the_store_s_directory(string name)
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest good = (await house.TakeAsync()).Manifest;
        SnapshotManifest bad = good with { Files = [.. good.Files, good.Files[0] with { Name = name }] };
        house.Shared.Forget();

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync(bad));

        Assert.Equal(FailureKind.SnapshotDamaged, failure.Kind);
        Assert.DoesNotContain(house.Shared.Calls, call => call.Primitive == "fetch");
    }

    [Theory]
    [InlineData("/dev/zero")]
    [InlineData(null)]
    public async Task An_object_that_is_a_link_to_a_device_or_to_the_very_content_is_refused(string? leadsTo)
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest taken = (await house.TakeAsync()).Manifest;
        string path = Path.Combine(house.SharedDirectory, house.Repository.FullNameOf(taken.Files[0]));
        string aside = Path.Combine(house.SharedDirectory, "aside");
        File.Move(path, aside);
        File.CreateSymbolicLink(path, leadsTo ?? aside);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync(taken));

        Assert.Equal(FailureKind.SnapshotDamaged, failure.Kind);
        Assert.Contains("is no file but a link", failure.Message, StringComparison.Ordinal);
        Assert.Contains("restore another snapshot", failure.Message, StringComparison.Ordinal);
        File.Delete(path);
        File.Move(aside, path);
        await house.RestoreAsync(taken);
    }

    [Fact]
    public async Task A_family_that_is_missing_in_the_files_is_found()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest good = (await house.TakeAsync()).Manifest;
        SnapshotManifest bad = good with
        {
            Options = new([.. good.Options.Families, good.Options.Families[0] with { Name = "lost" }]),
        };

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync(bad));

        Assert.Equal(FailureKind.SnapshotDamaged, failure.Kind);
        Assert.Contains("lost", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_little_disk_is_refused_before_the_first_byte_with_what_is_needed_and_available()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        house.Shared.Forget();
        SnapshotRestorer restorer = house.NewRestorer(new SnapshotOptions { FreeBytesReserve = 1L << 42 });

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => house.RestoreAsync(manifest, restorer: restorer));
        RestorePlan plan = restorer.Plan([manifest], house.Restored);

        Assert.Equal(FailureKind.DiskFull, failure.Kind);
        Assert.Contains($"{plan.BytesNeeded} are needed", failure.Message, StringComparison.Ordinal);
        Assert.True(plan.BytesNeeded > 1L << 42);
        Assert.Single(plan.Problems);
        Assert.DoesNotContain(house.Shared.Calls, call => call.Primitive == "fetch");
    }

    [Fact]
    public async Task A_plan_counts_shared_objects_once_and_touches_nothing()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 500);
        await house.CompactAsync();
        await house.Shop.BranchAsync("b");
        SnapshotManifest[] manifests = [(await house.TakeAsync()).Manifest, (await house.TakeAsync("b")).Manifest];
        house.Shared.Forget();

        RestorePlan plan = house.NewRestorer().Plan(manifests, Path.Combine(house.Restored, "none", "yet"));

        Assert.Empty(plan.Problems);
        Assert.DoesNotContain(house.Shared.Calls, call => call.Primitive == "fetch");
        Assert.Empty(Directory.GetFileSystemEntries(house.Restored));
        Assert.True(plan.BytesToFetch < plan.TotalBytes * 6 / 10);
        Assert.Equal(manifests.Sum(manifest => manifest.Files.Count), plan.Files);
    }

    [Fact]
    public async Task The_trial_finds_a_store_that_is_not_what_its_manifest_says()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest good = (await house.TakeAsync()).Manifest;
        SnapshotManifest bad = good with { Sequence = new Sequence(good.Sequence.Value + 1) };

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => house.RestoreAsync(bad, options: new RestoreOptions(OpenCheck: true)));

        Assert.Equal(FailureKind.SnapshotDamaged, failure.Kind);
        Assert.Equal(["objects"], Directory.GetFileSystemEntries(house.Restored).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Options_that_cannot_work_are_refused()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        StorageOptions storage = TemporaryRoot.OptionsFor("/nowhere");
        storage.BlockCacheBytes = 5;

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync(
            manifest, options: new RestoreOptions(Parallelism: 0, BytesPerSecond: 0, Storage: storage)));

        Assert.Equal(FailureKind.InvalidArgument, failure.Kind);
        foreach (string says in (string[])["Parallelism", "BytesPerSecond", "BlockCacheBytes"])
        {
            Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        }
    }

    internal static void Damage(string path, string damage)
    {
        switch (damage)
        {
            case "flip":
                byte[] bytes = File.ReadAllBytes(path);
                bytes[bytes.Length / 2] ^= 1;
                File.Delete(path);
                File.WriteAllBytes(path, bytes);
                break;
            case "cut":
                byte[] cut = File.ReadAllBytes(path)[..^1];
                File.Delete(path);
                File.WriteAllBytes(path, cut);
                break;
            case "delete":
                File.Delete(path);
                break;
            default:
                throw new ArgumentException(damage, nameof(damage));
        }
    }
}
