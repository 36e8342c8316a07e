using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>What an owner answers while shared storage fails in part or as a whole.</summary>
public sealed class LeaseTests
{
    [Fact]
    public async Task Without_a_lease_nothing_is_answered_until_it_is_renewed()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, default);
        one.Wire.Cut();
        await Waiting.UntilAsync(() => !shop.Tenure!.IsValid, "the lease has run out");

        Assert.Equal(FailureKind.LeaseExpired, await KindOfAsync(() => shop.ReadAllAsync("main")));
        Assert.Equal(FailureKind.LeaseExpired, await KindOfAsync(
            async () => await lease.Store.WriteAsync(Put("b", "2"), default)));
        Assert.Throws<StorageException>(() => lease.Store.EstimateCount(null));
        Assert.True(Assert.Throws<StorageException>(() => lease.Store.TryGet(
            null, "a"u8, new System.Buffers.ArrayBufferWriter<byte>())).IsTransient);
        one.Wire.Mend();
        await Waiting.UntilAsync(() => shop.Tenure!.IsValid, "the lease is renewed");

        // The write had reached the disk before its answer was refused: its outcome was unknown, and it was this.
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
    }

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Buffered)]
    public async Task Answers_that_are_held_back_are_given_when_the_lease_is_renewed(Durability durability)
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one", leases: SharedNodes.Patient);
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, default);
        Sequence before = lease.Store.LastAcknowledged;
        one.Wire.Cut();
        await Waiting.UntilAsync(() => !shop.Tenure!.IsValid, "the lease has run out");

        Task<WriteResult> write =
            lease.Store.WriteAsync(Put("b", "2") with { Durability = durability }, default).AsTask();
        Task readable = shop.WaitForLeaseAsync(default);
        await Waiting.UntilAsync(() => lease.Store.LastAcknowledged != before, "the write has reached the disk");
        Assert.False(write.IsCompleted || readable.IsCompleted);
        one.Wire.Mend();

        Assert.Equal(new Sequence(before.Value + 1), (await write).Sequence);
        await readable;
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
    }

    [Fact]
    public async Task Answers_that_are_held_back_fail_when_another_node_has_taken_over()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one", leases: SharedNodes.Patient);
        SharedNode two = await nodes.StartAsync("two");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.SnapshotAsync("main");
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, default);
        one.Wire.Cut();
        await Waiting.UntilAsync(() => !shop.Tenure!.IsValid, "the lease has run out");

        Task<WriteResult> write = lease.Store.WriteAsync(Put("b", "2"), default).AsTask();
        Database taken = await two.OwnAsync();
        Assert.False(write.IsCompleted);
        one.Wire.Mend();

        Assert.Equal(FailureKind.Fenced, await KindOfAsync(() => write));
        Assert.Equal("a=1", await taken.ReadAllAsync("main"));
    }

    [Fact]
    public async Task A_page_that_was_read_without_a_lease_is_confirmed_when_it_is_renewed()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.PutAsync("main", "b", "2");
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, default);
        using ScanCursor cursor = lease.Store.OpenCursor(new ScanRequest(null, KeyRange.All, false, 1, 1 << 20));
        List<KeyValueEntry> page = [];
        one.Wire.Cut();
        await Waiting.UntilAsync(() => !shop.Tenure!.IsValid, "the lease has run out");

        Assert.Throws<StorageException>(() => cursor.ReadPage(1, 1 << 20, page));
        Assert.Throws<StorageException>(() => cursor.ConfirmPage());
        one.Wire.Mend();
        await Waiting.UntilAsync(() => shop.Tenure!.IsValid, "the lease is renewed");

        Assert.True(cursor.ConfirmPage());
        Assert.Equal("a"u8.ToArray(), Assert.Single(page).Key.ToArray());
        Assert.False(cursor.ReadPage(1, 1 << 20, page));
        Assert.Equal(2, page.Count);
    }

    [Fact]
    public async Task Asked_to_an_owner_goes_on_unfenced_until_it_sees_a_later_epoch()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync(
            "one", options: new SharedStorageOptions { WhenLeaseCannotBeRenewed = LeaseLoss.ContinueUnfenced });
        SharedNode two = await nodes.StartAsync("two");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        await shop.SnapshotAsync("main");
        one.Wire.Cut();
        await Waiting.UntilAsync(() => !shop.Tenure!.IsValid, "the lease has run out");

        await shop.PutAsync("main", "b", "2");
        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
        await two.OwnAsync();
        one.Wire.Mend();

        await Waiting.UntilAsync(() => shop.Tenure?.EndCause is not null, "the later epoch is seen");
        Assert.Equal(FailureKind.Fenced, await KindOfAsync(() => shop.ReadAllAsync("main")));
    }

    [Fact]
    public async Task A_storage_that_takes_nothing_new_keeps_the_owner_serving()
    {
        await using SharedNodes nodes = new();
        SharedNode one = await nodes.StartAsync("one");
        SharedNode two = await nodes.StartAsync("two");
        Database shop = await one.CreateAsync();
        long start = TimeProvider.System.GetTimestamp();
        one.Wire.Fail(static (step, _) => step == "put"); // Full: only what is there already can be replaced.

        await Waiting.UntilAsync(
            () => TimeProvider.System.GetElapsedTime(start) > SharedNodes.Leases.LeaseLength * 1.5,
            "longer than a lease");
        await Waiting.UntilAsync(() => shop.Tenure!.IsValid, "the lease is renewed");
        await shop.PutAsync("main", "a", "1");

        Assert.Equal(FailureKind.SharedStorageUnavailable, await KindOfAsync(() => shop.SnapshotAsync("main")));
        Assert.Equal(FailureKind.SharedStorageUnavailable, await KindOfAsync(() => shop.BranchAsync("preview")));
        Assert.Equal(FailureKind.NotOwner, await KindOfAsync(() => two.OwnAsync()));
        one.Wire.Mend();
        await shop.SnapshotOnceRenewedAsync("main");
        Assert.Equal(0ul, shop.GetLag().Sequences);
    }
}
