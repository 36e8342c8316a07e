using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Snapshots;

/// <summary>Shared storage that is too small, slow, or may only be read.</summary>
public sealed class SharedStorageLimitsTests
{
    [Fact]
    public async Task Without_room_on_shared_storage_nothing_is_sent_and_the_error_says_how_much_is_needed()
    {
        MemorySharedStorage memory = new() { FreeBytes = 100_000 };
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync(shared: memory);
        await house.FillAsync("main", 1);
        await house.FlushAsync();

        StorageException full = await Assert.ThrowsAsync<StorageException>(() => house.TakeAsync());

        Assert.Equal(FailureKind.DiskFull, full.Kind);
        Assert.Matches("'memory' has 100000 bytes available, [0-9]{6} are needed for [0-9]+ files", full.Message);
        Assert.DoesNotContain(memory.Names, IsObject);
        Assert.Empty(Directory.GetFileSystemEntries(house.Building));
        memory.FreeBytes = 10_000_000;
        SnapshotManifest first = (await house.TakeAsync()).Manifest;
        Assert.True(first.TotalBytes > 100_000);
    }

    [Fact]
    public async Task What_is_on_shared_storage_already_needs_no_room_there()
    {
        MemorySharedStorage memory = new() { FreeBytes = 10_000_000 };
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync(shared: memory);
        await house.FillAsync("main", 1);
        await house.FlushAsync();
        await house.TakeAsync();
        await house.FillAsync("main", 2, count: 1);
        memory.FreeBytes = 100_000;
        house.Taker = house.NewTaker(); // Knows no digest: what is new is read before it is said not to fit.

        SnapshotResult second = await house.TakeAsync();

        Assert.True(second.SentBytes < 100_000);
        Assert.True(second.Manifest.TotalBytes > 100_000);
    }

    [Fact]
    public async Task A_copy_without_room_at_the_other_place_sends_nothing()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest taken = (await house.TakeAsync()).Manifest;
        MemorySharedStorage small = new() { FreeBytes = 1000 };
        await using SnapshotHouse other = await SnapshotHouse.OpenAsync(shared: small);
        SnapshotCopier copier = new(
            house.Shared, house.Repository, house.Options, TimeProvider.System, NullLogger.Instance);
        SnapshotRepository target = new(
            small, house.Shop.Name, house.Shop.Id, TimeProvider.System, NullLogger.Instance);
        DatabaseOwnership ownership = new(
            small, house.Shop.Name, house.Shop.Id, new OwnershipOptions(), TimeProvider.System,
            NullLogger.Instance);
        Claim claim = await ownership.ClaimAsync(SnapshotHouse.Me, new ClaimOptions(), default);
        await using Tenure there = await claim.ServeAsync(default);

        StorageException full = await Assert.ThrowsAsync<StorageException>(
            () => copier.CopyAsync(taken, small, target, there, house.Restored, null, default));

        Assert.Equal(FailureKind.DiskFull, full.Kind);
        Assert.Contains("1000 bytes available", full.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(small.Names, IsObject);
    }

    [Fact]
    public async Task While_shared_storage_is_slow_writes_and_branches_go_on_and_the_snapshot_holds_what_was_before_it()
    {
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        MemorySharedStorage memory = new();
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync(shared: memory);
        await house.FillAsync("main", 1);
        string before = await house.DescribeBranchAsync();
        memory.BeforeEffect = step =>
        {
            if (step.Kind != "PutIfAbsent" || !IsObject(step.Name))
            {
                return Task.CompletedTask;
            }

            arrived.TrySetResult();
            return gate.Task;
        };

        Task<SnapshotResult> taking = house.TakeAsync();
        await arrived.Task.WaitAsync(Waiting.Deadline);
        await house.FillAsync("main", 2);
        await house.FlushAsync();
        await house.CompactAsync();
        await house.Shop.BranchAsync("meanwhile");
        Assert.False(taking.IsCompleted);
        gate.SetResult();
        SnapshotManifest taken = (await taking).Manifest;

        string place = Path.Combine(house.Restored, "store");
        await house.NewRestorer().RestoreStoreAsync(
            house.Shared, house.Repository, taken, place, LocalObjects.Open(Path.Combine(house.Restored, "objects")),
            new RestoreOptions(OpenCheck: true), null, default);
        using StoreResources resources = new(
            TemporaryRoot.OptionsFor(house.RootPath), NullLogger.Instance, TimeProvider.System);
        await using LocalStore restored = LocalStore.Open(
            place, "restored", resources, create: false, NullLogger.Instance, TimeProvider.System);
        Assert.Equal(before, SnapshotHouse.Describe(restored));
        Assert.NotEqual(before, await house.DescribeBranchAsync());
    }

    [MountingFact]
    public async Task On_a_read_only_mount_snapshots_are_listed_verified_and_restored_and_a_publication_says_why_not()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest taken = (await house.TakeAsync()).Manifest;
        string mount = Directory.CreateTempSubdirectory("branching-readonly-").FullName;
        Run("mount", "--bind", house.SharedDirectory, mount);
        try
        {
            Run("mount", "-o", "remount,bind,ro", mount);
            PosixSharedStorage shared = await PosixSharedStorage.OpenToReadAsync(mount);
            SnapshotRepository repository = new(
                shared, house.Shop.Name, house.Shop.Id, TimeProvider.System, NullLogger.Instance);

            Assert.Equal(taken.Id, Assert.Single((await repository.ReadAsync(default)).Snapshots).Id);
            VerificationReport verified = await new SnapshotVerifier(
                shared, repository, house.Options, TimeProvider.System, NullLogger.Instance).VerifyAsync(
                    taken, new VerifyOptions(VerificationLevel.Opened, house.Restored), null, default);
            Assert.True(verified.Passed, string.Join(' ', verified.Findings));
            RestoredStore restored = await house.NewRestorer().RestoreStoreAsync(
                shared, repository, taken, Path.Combine(house.Restored, "store"),
                LocalObjects.Open(Path.Combine(house.Restored, "objects")), new RestoreOptions(OpenCheck: true), null,
                default);
            Assert.Equal(taken.Sequence, restored.Sequence);
            SnapshotTaker taker = new(shared, repository, house.Options, TimeProvider.System, NullLogger.Instance);
            await house.FillAsync("main", 2);
            StorageException published = await Assert.ThrowsAsync<StorageException>(() => taker.TakeAsync(
                house.Shop, BranchName.Main, house.Tenure, new TakeSnapshot(), null, default));
            StorageException opened = await Assert.ThrowsAsync<StorageException>(
                () => PosixSharedStorage.OpenAsync(mount));
            Assert.All([published, opened], failure =>
            {
                Assert.Equal(FailureKind.PermissionDenied, failure.Kind);
                Assert.Contains("read-only", failure.Message, StringComparison.Ordinal);
            });
        }
        finally
        {
            Run("umount", mount);
            Directory.Delete(mount);
        }
    }

    private static void Run(params string[] command) =>
        Assert.True(ChildProcess.Succeeds(out string answer, command), answer);

    private static bool IsObject(string name) => name.Contains("/objects/", StringComparison.Ordinal);
}
