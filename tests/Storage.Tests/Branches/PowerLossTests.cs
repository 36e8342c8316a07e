namespace Branching.Storage.Tests.Branches;

/// <summary>
/// Loss of power in a model: at each step of an operation the tree is copied and all that was not fsynced is taken
/// back,
/// directory entries too; the root must then open as before or as after the operation.
/// </summary>
/// <remarks>
/// What RocksDB writes inside a checkpoint is taken as durable, as CreateCheckpoint promises; the entry of the
/// checkpoint's
/// directory in its parent is not.
/// </remarks>
public sealed class PowerLossTests
{
    [Theory]
    [InlineData("create")]
    [InlineData("delete")]
    public async Task Whatever_was_not_flushed_may_be_lost_at_any_step(string operation)
    {
        using TemporaryRoot root = new();
        using TemporaryRoot copies = new();
        PowerLossRecorder recorder = new(root.Path, copies.Path);
        bool answered;
        await using (DataRoot opened = await root.OpenAsync(new Disk { BeforeStep = recorder.Before }))
        {
            Database shop = await opened.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
            await shop.BranchAsync("doomed");
            recorder.Start();
            await (operation == "create"
                ? shop.BranchAsync("fresh")
                : shop.DeleteBranchAsync(BranchName.Parse("doomed"), default));
            recorder.Stop();
            answered = true;
        }

        Assert.True(answered);
        Assert.InRange(recorder.Copies.Count, 6, 40);
        for (int i = 0; i < recorder.Copies.Count; i++)
        {
            bool last = i == recorder.Copies.Count - 1;
            string[] allowed = (operation, last) switch
            {
                ("create", true) => ["doomed:a=1 fresh:a=1 main:a=1"],
                ("create", false) => ["doomed:a=1 main:a=1", "doomed:a=1 fresh:a=1 main:a=1"],
                (_, true) => ["main:a=1"],
                _ => ["doomed:a=1 main:a=1", "main:a=1"],
            };
            string found = await DescribeAsync(recorder.Copies[i].Path);
            Assert.True(allowed.Contains(found, StringComparer.Ordinal), $"before {recorder.Copies[i].Step}: {found}");
            Assert.Equal(found, await DescribeAsync(recorder.Copies[i].Path));
        }
    }

    private static async Task<string> DescribeAsync(string path)
    {
        await using DataRoot root = await DataRoot.OpenAsync(TemporaryRoot.OptionsFor(path));
        Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
        List<string> branches = [];
        foreach (BranchRecord branch in shop.ListBranches())
        {
            branches.Add($"{branch.Name}:{await shop.ReadAllAsync(branch.Name.Value)}");
        }

        return string.Join(' ', branches);
    }
}
