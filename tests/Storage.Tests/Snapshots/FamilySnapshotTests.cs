using System.Text;
using Branching.Storage.Bulk;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;

namespace Branching.Storage.Tests.Snapshots;

/// <summary>Families with settings, and loads in bulk, in snapshots.</summary>
public sealed class FamilySnapshotTests
{
    [Fact]
    public async Task Families_come_back_with_their_settings_and_merges_that_were_only_in_the_log()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        using (StoreLease lease = await house.Shop.AcquireAsync(DatabaseShortcuts.Name("main"), default))
        {
            lease.Store.CreateColumnFamily("n", new FamilySettings { Merge = "add" });
            lease.Store.CreateColumnFamily("s", new FamilySettings { Expires = true });
            await lease.Store.WriteAsync(
                new WriteRequest([WriteOperation.Put("k"u8.ToArray(), "5"u8.ToArray(), "n")]), default);
            lease.Store.Flush();
            await lease.Store.WriteAsync(
                new WriteRequest(
                [
                    WriteOperation.Merge("k"u8.ToArray(), "2"u8.ToArray(), "n"),
                    WriteOperation.Put("s1"u8.ToArray(), "Ada"u8.ToArray(), "s") with
                    {
                        TimeToLive = TimeSpan.FromDays(1),
                    },
                ]),
                default);
        }

        string expected = await house.DescribeBranchAsync();
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        RestoredStore restored = await house.RestoreAsync(
            manifest, options: new RestoreOptions(OpenCheck: true, ReadCheck: true));

        Assert.Contains(Convert.ToHexString(Encoding.UTF8.GetBytes("7")), expected, StringComparison.Ordinal);
        Assert.Equal(expected, await house.DescribeAsync(restored.Directory));
        Assert.Equal(
            ["default", "n@merge=add", "s@expiry=0"],
            manifest.Options.Families.Select(family => family.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_snapshot_that_needs_an_operator_nobody_has_is_refused_by_its_name()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        FamilyFingerprint plain = manifest.Options.Families[0];
        SnapshotManifest foreign = manifest with
        {
            Options = new OptionsFingerprint(
            [
                plain, plain with { Name = "words@merge=longest", MergeOperator = null },
                plain with { Name = "later@color=blue" },
            ]),
        };

        IReadOnlyList<string> differences = SnapshotCompatibility.FindDifferences(foreign);

        Assert.Equal(2, differences.Count);
        Assert.Contains("'longest'", differences[0], StringComparison.Ordinal);
        Assert.Contains("'color=blue'", differences[1], StringComparison.Ordinal);
        Assert.Empty(SnapshotCompatibility.FindDifferences(manifest));
    }

    [Fact]
    public async Task A_bulk_load_is_in_the_next_snapshot_although_no_write_came_after_it()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 10);
        SnapshotResult before = await house.TakeAsync();
        await using (BulkLoad load = await house.Shop.BeginBulkLoadAsync(DatabaseShortcuts.Name("main")))
        {
            load.Add("zz"u8, "loaded"u8);
            await load.CompleteAsync();
        }

        SnapshotResult after = await house.TakeAsync();

        Assert.True(after.Taken);
        Assert.True(after.Manifest.Sequence > before.Manifest.Sequence);
        Assert.Equal(await house.DescribeBranchAsync(), await house.RestoreAndDescribeAsync(after.Manifest));
    }
}
