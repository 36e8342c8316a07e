using System.Globalization;
using System.Text;

namespace Branching.Storage.Tests.Branches;

/// <summary>
/// A file system that is really full, where this user may mount one.
/// </summary>
public sealed class FullDiskTests
{
    [MountingFact]
    public async Task A_branch_refused_by_a_full_disk_leaves_nothing_and_succeeds_once_there_is_room()
    {
        using TemporaryDisk disk = new("24m");
        await using DataRoot root = await DataRoot.OpenAsync(TemporaryRoot.OptionsFor(Path.Combine(disk.Path, "root")));
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        string filler = Path.Combine(disk.Path, "filler");
        TemporaryDisk.Fill(filler);

        FailureKind kind = await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("b"));

        Assert.Equal(FailureKind.DiskFull, kind);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(disk.Path, "root", "databases", "shop", "building")));
        Assert.Equal("a=1", await shop.ReadAllAsync("main"));
        File.Delete(filler);
        await shop.BranchAsync("b");
        Assert.Equal("a=1", await shop.ReadAllAsync("b"));
    }

    [MountingFact]
    public async Task A_log_that_met_a_full_disk_ends_no_process_and_the_next_process_has_every_acknowledged_write()
    {
        using TemporaryDisk disk = new("24m");
        string directory = Path.Combine(disk.Path, "root");
        await using (DataRoot root = await DataRoot.OpenAsync(TemporaryRoot.OptionsFor(directory)))
        {
            await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        }

        await File.WriteAllBytesAsync(Path.Combine(disk.Path, "filler"), new byte[12 << 20]);

        Ended ended = await ChildProcess.RunAsync(ChildProcess.Storage(directory, "fill-disk"));

        Assert.True(ended.Exit == 0, ended.ToString());
        IReadOnlyList<string> lines = ended.Lines;
        int acknowledged = int.Parse(Said(lines, "acknowledged "), CultureInfo.InvariantCulture);
        Assert.True(acknowledged > 100, $"Only {acknowledged} writes fitted.");
        Assert.StartsWith("DiskFull ", Said(lines, "failed "), StringComparison.Ordinal);
        Assert.Matches("^Poisoned .* restart the node to recover", Said(lines, "again "));
        Assert.Equal($"{acknowledged}", Said(lines, "readable "));
        Assert.Equal("1", Said(lines, "statistics "));
        Assert.Contains("closed", lines, StringComparer.Ordinal);
        Assert.Matches(
            "^Poisoned Opening branch 'main' of database 'shop' failed.* restart the node to recover this store",
            Said(lines, "refused "));
        await using DataRoot again = await DataRoot.OpenAsync(TemporaryRoot.OptionsFor(directory));
        Database shop = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, default);
        for (int i = 0; i < acknowledged; i++)
        {
            byte[] key = Encoding.UTF8.GetBytes(i.ToString("D6", CultureInfo.InvariantCulture));
            System.Buffers.ArrayBufferWriter<byte> value = new();
            Assert.True(lease.Store.TryGet(null, key, value), $"Acknowledged write {i} is lost.");
            Assert.Equal(1 + (i * 7919 % 20_000), value.WrittenCount);
        }

        Assert.True((await lease.Store.WriteAsync(DatabaseShortcuts.Put("after", "1"), default)).Applied);
    }

    private static string Said(IReadOnlyList<string> lines, string prefix) =>
        Assert.Single(lines, line => line.StartsWith(prefix, StringComparison.Ordinal))[prefix.Length..];
}
