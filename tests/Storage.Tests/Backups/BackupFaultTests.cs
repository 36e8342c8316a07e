using Branching.Storage.Backups;
using Branching.Storage.CrashChild;

namespace Branching.Storage.Tests.Backups;

/// <summary>Every call of the directory fails in turn, before or after its effect.</summary>
public sealed class BackupFaultTests
{
    private const int NoSpace = 28;
    private int _calls;
    private int _failAt;
    private bool _after;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_backup_that_fails_at_any_call_is_no_backup_and_the_next_one_is_whole(bool after)
    {
        _after = after;
        await using BackupHouse house = await BackupHouse.OpenAsync(Seams());
        await house.FillAsync(1);
        int failures = 0;

        for (int n = 1; n < 100; n++)
        {
            Arm(n);
            BackupResult? made = await TryAsync(() => house.CreateAsync());
            bool reached = _calls >= n;
            Arm(0);
            failures += made is null ? 1 : 0;

            IReadOnlyList<BackupEntry> entries = await house.Backups.ListAsync(default);
            Assert.All(entries, entry => Assert.True(entry.IsWhole, $"call {n}: {entry.Problem}"));
            Assert.Equal(["backups", "store"], house.Beside());
            if (!reached)
            {
                break;
            }

            await house.Backups.PurgeAsync(0, default);
            Assert.Empty(house.Objects());
        }

        Assert.True(failures > 5, $"{failures} calls failed");
        Assert.Equal(house.Describe(), await house.RestoreAndDescribeAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_deletion_that_fails_at_any_call_leaves_whole_backups_and_is_completed_by_the_next(bool after)
    {
        _after = after;
        await using BackupHouse house = await BackupHouse.OpenAsync(Seams());
        await house.FillAsync(1);
        string model = house.Describe();
        await house.CreateAsync();
        int failures = 0;

        // Directories of objects stay, and each is listed, so that the calls grow with the rounds: not all are tried.
        for (int n = 1; n < 60; n += n < 12 ? 1 : 7)
        {
            await house.FillAsync(n + 1, keys: 1);
            await house.CreateAsync();
            BackupManifest newest = await house.Backups.ReadAsync(null, default);
            Arm(n);
            PurgeReport? deleted = await TryAsync(() => house.Backups.DeleteAsync(newest.Id, default));
            bool reached = _calls >= n;
            Arm(0);
            failures += deleted is null ? 1 : 0;

            IReadOnlyList<BackupEntry> entries = await house.Backups.ListAsync(default);
            Assert.All(entries, entry => Assert.True(entry.IsWhole, $"call {n}: {entry.Problem}"));
            if (!reached)
            {
                break;
            }

            foreach (BackupEntry left in entries.Where(entry => entry.Id > new BackupId(1)))
            {
                await house.Backups.DeleteAsync(left.Id!.Value, default);
            }
        }

        Assert.True(failures > 5, $"{failures} calls failed");
        await house.Backups.DeleteAsync((await house.CreateAsync()).Id, default);
        BackupManifest first = await house.Backups.ReadAsync(new BackupId(1), default);
        Assert.Equal(
            first.Files.DistinctBy(file => file.Sha256).Count(), house.Objects().Length);
        Assert.Equal(model, await house.RestoreAndDescribeAsync(first.Id));
    }

    [MountingFact]
    public async Task A_backup_directory_on_a_full_disk_says_so_and_goes_on_when_there_is_room()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1, keys: 6000); // 3 MB.
        string mount = Directory.CreateDirectory(Path.Combine(house.Root, "small")).FullName;
        Assert.True(
            ChildProcess.Succeeds(out string answer, "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount), answer);
        try
        {
            // Free space is unknown here, so the disk itself is met.
            BackupDirectory small = await house.OpenAsync(
                create: true, place: Path.Combine(mount, "backups"),
                seams: new BackupSeams { FreeBytes = _ => null });

            StorageException full = await Assert.ThrowsAsync<StorageException>(() => house.CreateAsync(backups: small));
            Assert.True(ChildProcess.Succeeds(out answer, "mount", "-o", "remount,size=64m", mount), answer);
            BackupResult made = await house.CreateAsync(backups: small);

            Assert.Equal(FailureKind.DiskFull, full.Kind);
            Assert.Contains("purging old backups", full.Message, StringComparison.Ordinal);
            Assert.True((await small.VerifyAsync(
                made.Id, BackupVerification.Checksums, null, null, default)).Passed);
        }
        finally
        {
            ChildProcess.Succeeds(out _, "umount", mount);
        }
    }

    private static async Task<T?> TryAsync<T>(Func<Task<T>> call)
        where T : class
    {
        try
        {
            return await call();
        }
        catch (StorageException e)
        {
            Assert.Equal(FailureKind.DiskFull, e.Kind);
            return null;
        }
    }

    private void Arm(int failAt)
    {
        _calls = 0;
        _failAt = failAt;
    }

    private BackupSeams Seams() => new()
    {
        Wrap = storage => new WatchedStorage(storage)
        {
            At = happened => happened.After == _after && Interlocked.Increment(ref _calls) == _failAt
                ? throw new StorageException(
                    FailureKind.DiskFull, "the disk is full", new IOException("No space left on device", NoSpace))
                : Task.CompletedTask,
        },
    };
}
