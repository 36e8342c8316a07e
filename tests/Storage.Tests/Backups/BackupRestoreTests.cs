using Branching.Storage.Backups;
using Branching.Storage.Tests.LocalStores;

namespace Branching.Storage.Tests.Backups;

public sealed class BackupRestoreTests
{
    [Fact]
    public async Task A_restored_store_takes_writes_and_can_be_backed_up_again()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.CreateAsync();

        BackupRestoreReport report = await house.Backups.RestoreAsync(
            null, house.Target, new RestoreBackup { OpenCheck = true }, null, default);

        Assert.Equal((true, new BackupId(1), house.Target), (report.Done, report.Id, report.Target));
        await using LocalStore restored = house.OpenStore(house.Target);
        await TestStore.WriteAsync(restored, TestStore.Put("after", "1"));
        restored.Flush();
        BackupResult again = await house.Backups.CreateAsync(restored, new CreateBackup(), null, default);
        Assert.True(again.ReusedFiles >= 1 && again.DigestedBytes < again.Manifest.TotalBytes, $"{again}");
        Assert.Equal(["backups", "restored", "store"], house.Beside());
    }

    [Fact]
    public async Task What_stands_at_the_target_is_replaced_only_when_that_is_said()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        string first = house.Describe();
        await house.CreateAsync();
        await house.RestoreAsync();
        await house.FillAsync(2);
        string second = house.Describe();
        await house.CreateAsync();

        StorageException refused = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync());
        string untouched = await house.DescribeAsync(house.Target);
        await house.RestoreAsync(mode: BackupRestoreMode.Replace);

        // The one that was just restored: RocksDB may have rewritten the tables of an older one since.
        BackupRestoreReport kept = await house.Backups.RestoreAsync(
            new BackupId(2), house.Target, new RestoreBackup { Mode = BackupRestoreMode.Keep, KeepReplaced = true },
            null, default);
        await house.RestoreAsync(new BackupId(1), BackupRestoreMode.Keep);

        Assert.Equal(FailureKind.Refused, refused.Kind);
        Assert.Contains("is not empty", refused.Message, StringComparison.Ordinal);
        Assert.Equal(first, untouched);
        Assert.Equal(first, await house.DescribeAsync(house.Target));
        Assert.True(kept.KeptFiles >= 1, "the table that both have is taken over");
        Assert.Equal(second, await house.DescribeAsync(kept.Replaced!));
        Assert.Equal(4, house.Beside().Length);
    }

    [Fact]
    public async Task An_empty_directory_at_the_target_is_taken()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.CreateAsync();
        Directory.CreateDirectory(house.Target);

        await house.RestoreAsync();

        Assert.Equal(house.Describe(), await house.DescribeAsync(house.Target));
        Assert.Equal(["backups", "restored", "store"], house.Beside());
    }

    [Fact]
    public async Task The_backup_directory_and_whatever_is_in_or_around_it_is_no_target()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.CreateAsync();
        string link = Path.Combine(house.Root, "link");
        Directory.CreateSymbolicLink(link, house.Place);
        string[] targets =
        [
            house.Place, Path.Combine(house.Place, "objects"), Path.Combine(house.Place, "new"), house.Root,
            Path.Combine(link, "new"), link,
        ];

        foreach (string target in targets)
        {
            StorageException refused = await Assert.ThrowsAsync<StorageException>(
                () => house.RestoreAsync(mode: BackupRestoreMode.Replace, target: target));
            Assert.True(refused.Kind == FailureKind.Refused, $"{target}: {refused}");
        }

        Assert.True((await house.Backups.VerifyAsync(
            null, BackupVerification.Checksums, null, null, default)).Passed);
    }

    [Fact]
    public async Task A_store_that_is_open_here_or_in_another_process_is_no_target()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        string model = house.Describe();
        await house.CreateAsync();

        StorageException own = await Assert.ThrowsAsync<StorageException>(
            () => house.RestoreAsync(mode: BackupRestoreMode.Replace, target: house.Store.Directory));
        await house.RestoreAsync();
        StorageException? other = null;
        string[] child = ChildProcess.Storage(house.Root, "backup-hold");
        Ended ended = await ChildProcess.RunAsync(child, (process, lines) =>
        {
            other = Assert.Throws<StorageException>(
                () => house.RestoreAsync(mode: BackupRestoreMode.Replace).GetAwaiter().GetResult());
            process.Kill();
        });

        Assert.Equal(FailureKind.InUse, own.Kind);
        Assert.Contains($"process {Environment.ProcessId}", own.Message, StringComparison.Ordinal);
        Assert.True(other?.Kind == FailureKind.InUse, $"{other} {ended}");
        Assert.Equal(model, house.Describe());
        Assert.Equal(model, await house.DescribeAsync(house.Target));
    }

    [Fact]
    public async Task A_dry_run_and_a_comparison_change_nothing()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.CreateAsync();

        BackupRestoreReport plan = await house.Backups.RestoreAsync(
            null, house.Target, new RestoreBackup { DryRun = true }, null, default);
        string[] beside = house.Beside();
        await house.RestoreAsync();
        BackupRestoreReport equal = await house.RestoreAsync(mode: BackupRestoreMode.VerifyOnly);
        await house.DescribeAsync(house.Target); // Opening it writes a new manifest.
        string table = Directory.GetFiles(house.Target, "*.sst")[0];
        byte[] bytes = await File.ReadAllBytesAsync(table);
        bytes[10] ^= 1;
        await File.WriteAllBytesAsync(table, bytes);
        BackupRestoreReport differs = await house.RestoreAsync(mode: BackupRestoreMode.VerifyOnly);
        BackupRestoreReport refused = await house.Backups.RestoreAsync(
            null, house.Target, new RestoreBackup { DryRun = true }, null, default);

        Assert.Equal((false, 0), (plan.Done, plan.Differences.Count));
        Assert.True(plan.CopiedBytes > 0 && plan.BytesNeeded >= plan.CopiedBytes && plan.BytesAvailable > 0);
        Assert.Equal(["backups", "store"], beside);
        Assert.Empty(equal.Differences);
        Assert.Contains(differs.Differences, text => text.Contains(Path.GetFileName(table), StringComparison.Ordinal));
        Assert.Contains("not empty", Assert.Single(refused.Differences), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_system_that_cannot_exchange_directories_refuses_to_replace_and_restores_afresh()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync(new BackupSeams { TryExchange = (_, _) => false });
        await house.FillAsync(1);
        await house.CreateAsync();
        await house.RestoreAsync();
        string before = await house.DescribeAsync(house.Target);

        StorageException refused = await Assert.ThrowsAsync<StorageException>(
            () => house.RestoreAsync(mode: BackupRestoreMode.Replace));

        Assert.Equal(FailureKind.NotSupported, refused.Kind);
        Assert.Equal(before, await house.DescribeAsync(house.Target));
        Assert.Equal(["backups", "restored", "store"], house.Beside());
    }

    [Fact]
    public async Task A_cancelled_restore_is_continued_and_changes_nothing_before()
    {
        using CancellationTokenSource stop = new();
        int fetched = 0;
        await using BackupHouse house = await BackupHouse.OpenAsync(new BackupSeams
        {
            AtStep = step =>
            {
                if (step == BackupStep.RestoreFileFetched && Interlocked.Increment(ref fetched) == 3)
                {
                    stop.Cancel();
                }
            },
        });
        await house.FillAsync(1);
        await house.FillAsync(2);
        await house.CreateAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => house.Backups.RestoreAsync(
            null, house.Target, new RestoreBackup(), null, stop.Token));
        bool there = Directory.Exists(house.Target);
        int before = fetched;
        BackupRestoreReport report = await house.RestoreAsync();

        Assert.False(there);
        Assert.True(fetched - before < report.Files, $"{fetched - before} of {report.Files} were fetched again");
        Assert.Equal(house.Describe(), await house.DescribeAsync(house.Target));
        Assert.Equal(["backups", "restored", "store"], house.Beside());
    }

    [Fact]
    public async Task What_an_interrupted_restore_of_another_backup_left_is_removed()
    {
        using CancellationTokenSource stop = new();
        await using BackupHouse house = await BackupHouse.OpenAsync(new BackupSeams
        {
            AtStep = step =>
            {
                if (step == BackupStep.RestoreStaged)
                {
                    stop.Cancel();
                }
            },
        });
        await house.FillAsync(1);
        string first = house.Describe();
        await house.CreateAsync();
        await house.FillAsync(2);
        await house.CreateAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => house.Backups.RestoreAsync(
            null, house.Target, new RestoreBackup(), null, stop.Token));
        await house.RestoreAsync(new BackupId(1));

        Assert.Equal(first, await house.DescribeAsync(house.Target));
        Assert.Equal(["backups", "restored", "store"], house.Beside());
    }

    [Theory]
    [InlineData(nameof(DiskStepKind.CreateDirectory))]
    [InlineData(nameof(DiskStepKind.WriteFile))]
    [InlineData(nameof(DiskStepKind.FlushFile))]
    [InlineData(nameof(DiskStepKind.FlushDirectory))]
    [InlineData(nameof(DiskStepKind.Rename))]
    [InlineData(nameof(DiskStepKind.DeleteTree))]
    public async Task A_restore_that_fails_at_any_step_leaves_exactly_the_old_or_the_new(string name)
    {
        DiskStepKind kind = Enum.Parse<DiskStepKind>(name);
        int failAt = 0, seen = 0;
        await using BackupHouse house = await BackupHouse.OpenAsync(new BackupSeams
        {
            Disk = new Disk
            {
                BeforeStep = step =>
                {
                    if (step.Kind == kind && Interlocked.Increment(ref seen) == failAt)
                    {
                        throw new IOException("No space left on device", 28);
                    }
                },
            },
        });
        await house.FillAsync(1);
        string old = house.Describe();
        await house.CreateAsync();
        await house.RestoreAsync(new BackupId(1));
        await house.FillAsync(2);
        string fresh = house.Describe();
        await house.CreateAsync();

        int failures = 0;
        for (failAt = 1; failAt < 100; failAt++)
        {
            seen = 0;
            try
            {
                await house.RestoreAsync(new BackupId(2), BackupRestoreMode.Replace);
            }
            catch (StorageException e)
            {
                Assert.Equal(FailureKind.DiskFull, e.Kind);
                failures++;
            }

            bool failed = seen >= failAt;
            seen = -1_000_000;
            string there = await house.DescribeAsync(house.Target);
            Assert.True(there == old || there == fresh, $"{kind} {failAt}");
            if (!failed)
            {
                break;
            }

            await house.RestoreAsync(new BackupId(1), BackupRestoreMode.Replace);
            Assert.Equal(old, await house.DescribeAsync(house.Target));
            foreach (string left in house.Beside().Except(["backups", "restored", "store"]))
            {
                // It failed after the swap and before the old one was put away: nobody may take that for debris.
                Assert.Contains(".replaced-", left, StringComparison.Ordinal);
                Assert.Equal(old, await house.DescribeAsync(Path.Combine(house.Root, left)));
                Directory.Delete(Path.Combine(house.Root, left), recursive: true);
            }
        }

        Assert.InRange(failAt, 2, 99);
        Assert.True(failures > 0 || kind == DiskStepKind.DeleteTree, $"{failures} failures were told");
    }
}
