using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;

namespace Branching.Storage.Tests.Sharing;

/// <summary>
/// Loss of power in a model, as in <see cref="PowerLossTests"/>, while a node takes a database over and while a restore
/// swaps a branch: whatever was not fsynced on the local disk is lost, shared storage is not.
/// </summary>
public sealed class SharingPowerLossTests
{
    private const string Local = "keep:a=1 b=2|main:a=1 late=x";
    private const string Snapshotted = "keep:a=1 b=2|main:a=1";

    [Theory]
    [InlineData(true, Local)]
    [InlineData(false, Snapshotted)]
    public async Task Whatever_was_not_flushed_may_be_lost_at_any_step(bool restore, string before)
    {
        await using SharedNodes nodes = new();
        SharedNode owner = await nodes.StartAsync("owner");
        Database shop = await owner.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("keep");
        await shop.PutAsync("keep", "b", "2");
        await shop.SnapshotAsync("keep");
        SnapshotId snapshot = (await shop.SnapshotAsync("main")).Id;
        await shop.PutAsync("main", "late", "x");
        await owner.StopAsync();
        TemporaryRoot root = restore ? owner.Files : nodes.NewRoot();
        using TemporaryRoot copies = new();
        PowerLossRecorder recorder = new(root.Path, copies.Path);
        SharedNode node = await nodes.StartAsync(
            restore ? "owner" : "other", root, new Disk { BeforeStep = step => Record(recorder, step) });
        if (restore)
        {
            await node.OwnAsync();
        }

        recorder.Start();
        if (restore)
        {
            await node.Root.RestoreAsync(
                TemporaryRoot.Shop, new RestoreRequest(snapshot, "tests", SnapshotBefore: false, OpenCheck: false),
                null, default);
        }
        else
        {
            await node.OwnAsync();
        }

        recorder.Stop();
        await node.StopAsync();

        Assert.InRange(recorder.Copies.Count, 10, 250);
        string[] unanswered = [before, Snapshotted];
        for (int i = 0; i < recorder.Copies.Count; i++)
        {
            (string path, string step) = recorder.Copies[i];
            using TemporaryRoot lost = new(path);
            using TemporaryRoot shared = new();
            TemporaryRoot.CopyTree(nodes.Directory, shared.Path);
            string found = await Taking.DescribeAsync(shared.Path, lost, node.Name, TemporaryRoot.Shop, step);
            string[] allowed = i == recorder.Copies.Count - 1 ? [Snapshotted] : unanswered;
            Assert.True(allowed.Contains(found, StringComparer.Ordinal), $"before {step}: '{found}'");
        }
    }

    // Fetched objects are a cache of files that are verified by digest whenever they are used.
    private static void Record(PowerLossRecorder recorder, DiskStep step)
    {
        if (!step.Path.Contains("/fetched", StringComparison.Ordinal))
        {
            recorder.Before(step);
        }
    }
}
