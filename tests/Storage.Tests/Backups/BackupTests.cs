using System.Collections.Concurrent;
using System.Globalization;
using Branching.Storage.Backups;
using Branching.Storage.CrashChild;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.LocalStores;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Backups;

public sealed class BackupTests
{
    [Fact]
    public async Task Each_backup_holds_what_the_store_held_and_copies_only_what_is_new()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        house.Store.CreateColumnFamily("users");
        await house.FillAsync(1);
        string first = house.Describe();
        BackupResult one = await house.CreateAsync(new CreateBackup
        {
            Label = "before the release",
            Metadata = new Dictionary<string, string> { ["ticket"] = "1234" },
        });
        await house.FillAsync(2, flush: false);
        string second = house.Describe();

        BackupResult two = await house.CreateAsync();

        Assert.Equal((new BackupId(1), new BackupId(2)), (one.Id, two.Id));
        Assert.Equal(first, await house.RestoreAndDescribeAsync(one.Id));
        Assert.Equal(second, await house.RestoreAndDescribeAsync());
        Assert.True(two.ReusedFiles >= 1 && two.NewBytes < two.Manifest.TotalBytes, $"{two}");
        Assert.Equal(house.Store.LastAcknowledged, two.Manifest.Sequence);
        IReadOnlyList<BackupEntry> entries = await house.Backups.ListAsync(default);
        Assert.All(entries, entry => Assert.True(entry.IsWhole, entry.Problem));
        Assert.Equal("before the release", entries[0].Manifest!.Label);
        Assert.Equal("1234", entries[0].Manifest!.Metadata["ticket"]);
    }

    [Fact]
    public async Task A_second_backup_of_the_same_store_reads_no_table_again()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        BackupResult one = await house.CreateAsync();
        long tables = one.Manifest.Files.Where(file => file.Role == SnapshotFileRole.Table).Sum(file => file.Bytes);

        BackupResult two = await house.CreateAsync(backups: await house.OpenAsync());

        Assert.True(tables > 0);
        Assert.True(two.DigestedBytes <= two.Manifest.TotalBytes - tables, $"{two.DigestedBytes} of {two.Manifest}");
    }

    [Fact]
    public async Task What_is_new_is_hashed_while_it_is_sent_and_what_may_be_there_is_hashed_before()
    {
        ConcurrentQueue<StorageEvent> sent = [];
        BackupSeams seams = new()
        {
            Wrap = storage => new WatchedStorage(storage)
            {
                At = happened =>
                {
                    sent.Enqueue(happened);
                    return Task.CompletedTask;
                },
            },
        };
        await using BackupHouse house = await BackupHouse.OpenAsync(seams);
        await house.FillAsync(1, keys: 4000); // 2 MB.
        sent.Clear();
        BackupResult one = await house.CreateAsync();
        int[] first = Count();
        File.Delete(Path.Combine(house.Place, "digests"));
        sent.Clear();

        BackupResult two = await house.CreateAsync(backups: await house.OpenAsync(seams: seams));

        Assert.Equal(one.Manifest.TotalBytes, one.DigestedBytes);
        Assert.Equal((one.NewFiles, one.NewFiles), (first[0], first[1]));
        Assert.True(two.ReusedFiles >= 1 && two.NewBytes < 1 << 20, $"{two}");
        string table = one.Manifest.Files.Single(file => file.Role == SnapshotFileRole.Table).Sha256;
        Assert.DoesNotContain(sent, happened => happened.Name.EndsWith(table, StringComparison.Ordinal));
        Assert.Equal(house.Describe(), await house.RestoreAndDescribeAsync(two.Id));
        Assert.True((await house.Backups.VerifyAsync(
            two.Id, BackupVerification.Checksums, null, null, default)).Passed);

        // Calls that send a file without its digest, and all that do.
        int[] Count() =>
        [
            sent.Count(happened => happened is { Primitive: "put-file", After: false, Name: "" }),
            sent.Count(happened => happened is { Primitive: "put-file", After: false }),
        ];
    }

    [Fact]
    public async Task A_new_file_that_stands_there_cut_is_put_anew()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        BackupManifest manifest = (await house.CreateAsync()).Manifest;
        string current = house.ObjectOf(manifest, "CURRENT");
        await File.WriteAllTextAsync(current, "MANI");

        BackupResult next = await house.CreateAsync();

        Assert.Equal(1, next.MendedFiles);
        Assert.Equal(house.Describe(), await house.RestoreAndDescribeAsync(manifest.Id));
    }

    [Fact]
    public async Task Several_stores_share_a_directory_and_their_common_files()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.CreateAsync();
        string branch = Path.Combine(house.Root, "branch");
        house.Store.CreateCheckpoint(branch);
        await using LocalStore other = house.OpenStore(branch);

        BackupResult two = await house.Backups.CreateAsync(other, new CreateBackup(), null, default);

        Assert.Contains(
            two.Manifest.Files.Where(file => file.Role == SnapshotFileRole.Table),
            table => File.Exists(Path.Combine(house.Place, BackupNames.ObjectOf(table.Sha256))));
        Assert.True(two.ReusedFiles >= 1);
    }

    [Fact]
    public async Task Writes_go_on_while_a_backup_is_made_and_it_holds_all_that_were_acknowledged_before()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        using CancellationTokenSource stop = new();
        Task<int> writer = Task.Run(async () =>
        {
            int i = 0;
            for (; !stop.IsCancellationRequested; i++)
            {
                await TestStore.WriteAsync(house.Store, TestStore.Put("counter", $"{i}"));
            }

            return i;
        });
        await Waiting.UntilAsync(() => TestStore.Get(house.Store, "counter") is not null, "a write");
        int before = int.Parse(TestStore.Get(house.Store, "counter")!, CultureInfo.InvariantCulture);

        BackupResult made = await house.CreateAsync();

        await stop.CancelAsync();
        Assert.True(await writer > before);
        await house.RestoreAsync(made.Id);
        await using LocalStore restored = house.OpenStore(house.Target);
        Assert.True(int.Parse(TestStore.Get(restored, "counter")!, CultureInfo.InvariantCulture) >= before);
        Assert.Equal(made.Manifest.Sequence, restored.LastAcknowledged);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_backup_that_flushes_first_has_no_log_to_replay(bool flush)
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1, flush: false);

        BackupResult made = await house.CreateAsync(new CreateBackup { FlushFirst = flush });

        long log = made.Manifest.Files.Where(file => file.Role == SnapshotFileRole.Log).Sum(file => file.Bytes);
        Assert.Equal(flush, log == 0);
        Assert.Equal(house.Describe(), await house.RestoreAndDescribeAsync());
    }

    [Fact]
    public async Task A_backup_that_needs_no_fsync_says_so_and_a_later_one_makes_up_for_it()
    {
        List<string> flushed = [];
        BackupSeams seams = new()
        {
            Disk = new Disk
            {
                BeforeStep = step =>
                {
                    if (step.Kind == DiskStepKind.FlushFile)
                    {
                        lock (flushed)
                        {
                            flushed.Add(step.Path);
                        }
                    }
                },
            },
        };
        await using BackupHouse house = await BackupHouse.OpenAsync(seams);
        await house.FillAsync(1);
        BackupResult fast = await house.CreateAsync(new CreateBackup { Sync = false });
        flushed.Clear();

        BackupResult durable = await house.CreateAsync();

        Assert.False(fast.Manifest.IsDurable);
        Assert.True(durable.Manifest.IsDurable);
        Assert.Contains(house.ObjectOf(durable.Manifest, ".sst"), flushed);
    }

    [Fact]
    public async Task Deleting_keeps_what_others_need_and_a_number_is_never_given_twice()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        string[] models = new string[4];
        for (int i = 1; i <= 3; i++)
        {
            await house.FillAsync(i);
            models[i] = house.Describe();
            await house.CreateAsync();
        }

        PurgeReport first = await house.Backups.DeleteAsync(new BackupId(1), default);
        PurgeReport last = await house.Backups.DeleteAsync(new BackupId(3), default);
        BackupResult next = await house.CreateAsync();

        Assert.Equal([new BackupId(1)], first.Deleted);
        Assert.True(first.Objects > 0 && last.Objects > 0 && last.KeptBecause is null);
        Assert.Equal(new BackupId(4), next.Id);
        Assert.Equal(models[2], await house.RestoreAndDescribeAsync(new BackupId(2)));
        Assert.Equal(models[3], await house.RestoreAndDescribeAsync(next.Id));
        Assert.Equal(FailureKind.BackupNotFound, (await Assert.ThrowsAsync<StorageException>(
            () => house.Backups.DeleteAsync(new BackupId(3), default))).Kind);
    }

    [Fact]
    public async Task Purging_keeps_the_newest_whole_ones_and_never_a_damaged_one_in_their_place()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        for (int i = 1; i <= 4; i++)
        {
            await house.FillAsync(i);
            await house.CreateAsync();
        }

        string newest = Path.Combine(house.Place, BackupNames.ManifestOf(new BackupId(4)));
        await File.AppendAllTextAsync(newest, " ");

        PurgeReport purged = await house.Backups.PurgeAsync(2, default);

        Assert.Equal([new BackupId(1)], purged.Deleted);
        Assert.Equal(0, purged.Objects); // Nobody can tell what the damaged one needs.
        Assert.Contains("needs", purged.KeptBecause, StringComparison.Ordinal);
        IReadOnlyList<BackupEntry> left = await house.Backups.ListAsync(default);
        Assert.Equal([false, true, true], left.Select(entry => entry.IsWhole).Order());

        PurgeReport gone = await house.Backups.DeleteAsync(new BackupId(4), default);
        Assert.True(gone.Objects > 0, "with the damaged one gone, its files and those of the purged ones go");
        Assert.Empty((await house.Backups.PurgeAsync(0, default)).KeptBecause ?? "");
        Assert.Empty(house.Objects());
    }

    [Theory]
    [InlineData("a byte of the manifest", FailureKind.BackupDamaged)]
    [InlineData("an empty manifest", FailureKind.BackupDamaged)]
    [InlineData("a file that is gone", FailureKind.BackupDamaged)]
    [InlineData("a file that is cut", FailureKind.BackupDamaged)]
    [InlineData("a later format", FailureKind.FormatTooNew)]
    [InlineData("a foreign file", FailureKind.BackupDamaged)]
    public async Task A_damaged_backup_is_listed_with_the_reason_and_the_others_are_whole(
        string damage, FailureKind kind)
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.CreateAsync();
        await house.FillAsync(2);
        BackupManifest manifest = (await house.CreateAsync()).Manifest;
        string path = Path.Combine(house.Place, BackupNames.ManifestOf(manifest.Id));
        string table = Path.Combine(house.Place, BackupNames.ObjectOf(
            manifest.Files.Last(file => file.Role == SnapshotFileRole.Table).Sha256));
        switch (damage)
        {
            case "a byte of the manifest":
                byte[] bytes = await File.ReadAllBytesAsync(path);
                bytes[bytes.Length / 2] ^= 1;
                await File.WriteAllBytesAsync(path, bytes);
                break;
            case "an empty manifest":
                await File.WriteAllBytesAsync(path, []);
                break;
            case "a file that is gone":
                File.Delete(table);
                break;
            case "a file that is cut":
                using (FileStream file = File.OpenWrite(table))
                {
                    file.SetLength(file.Length - 1);
                }

                break;
            case "a later format":
                await File.WriteAllBytesAsync(path, (manifest with { Format = 2 }).Seal());
                break;
            default:
                await File.WriteAllTextAsync(Path.Combine(house.Place, BackupNames.Manifests, "notes.txt"), "mine");
                break;
        }

        IReadOnlyList<BackupEntry> entries = await house.Backups.ListAsync(default);

        BackupEntry damaged = Assert.Single(entries, entry => !entry.IsWhole);
        Assert.Equal(kind, damaged.Kind);
        Assert.NotEmpty(damaged.Problem!);
        Assert.Contains(entries, entry => entry.IsWhole && entry.Id == new BackupId(1));
        BackupManifest latest = await house.Backups.ReadAsync(null, default);
        Assert.Equal(damage == "a foreign file" ? 2UL : 1UL, latest.Id.Value);
    }

    [Fact]
    public async Task Verification_finds_each_kind_of_damage_at_its_level()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        BackupManifest manifest = (await house.CreateAsync()).Manifest;
        string table = house.ObjectOf(manifest, ".sst");

        foreach (BackupVerification level in Enum.GetValues<BackupVerification>())
        {
            Assert.True((await house.Backups.VerifyAsync(null, level, house.Root, null, default)).Passed, $"{level}");
        }

        byte[] bytes = await File.ReadAllBytesAsync(table);
        bytes[100] ^= 1;
        await File.WriteAllBytesAsync(table, bytes);
        BackupReport sizes = await house.Backups.VerifyAsync(null, BackupVerification.Sizes, null, null, default);
        BackupReport sums = await house.Backups.VerifyAsync(null, BackupVerification.Checksums, null, null, default);

        Assert.True(sizes.Passed);
        Assert.Equal(FindingKind.WrongDigest, Assert.Single(sums.Findings).Kind);
        Assert.DoesNotContain(house.Beside(), name => name.StartsWith("backup-", StringComparison.Ordinal));
        Assert.Equal(FailureKind.BackupDamaged, (await Assert.ThrowsAsync<StorageException>(
            () => house.RestoreAsync())).Kind);
        Assert.False(Directory.Exists(house.Target));
    }

    [Fact]
    public async Task A_backup_that_checks_what_it_reuses_mends_a_damaged_file_for_all()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        string model = house.Describe();
        BackupManifest manifest = (await house.CreateAsync()).Manifest;
        string table = house.ObjectOf(manifest, ".sst");
        byte[] bytes = await File.ReadAllBytesAsync(table);
        bytes[100] ^= 1;
        await File.WriteAllBytesAsync(table, bytes);

        BackupResult next = await house.CreateAsync(new CreateBackup { CheckReused = true });

        Assert.Equal(1, next.MendedFiles);
        Assert.Equal(model, await house.RestoreAndDescribeAsync(manifest.Id));
    }

    [Fact]
    public async Task The_lock_names_its_holder_and_readers_keep_files_from_being_deleted()
    {
        TaskCompletionSource entered = new(), goOn = new();
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.CreateAsync();
        BackupDirectory slow = await house.OpenAsync(seams: new BackupSeams
        {
            Wrap = storage => new WatchedStorage(storage)
            {
                At = happened =>
                {
                    if (happened.Primitive is "put" or "fetch" && !happened.After)
                    {
                        entered.TrySetResult();
                        return goOn.Task;
                    }

                    return Task.CompletedTask;
                },
            },
        });

        Task<BackupResult> creating = house.CreateAsync(backups: slow);
        await entered.Task.WaitAsync(Waiting.Deadline);
        StorageException locked = await Assert.ThrowsAsync<StorageException>(() => house.CreateAsync());
        string restored = await house.RestoreAndDescribeAsync(); // Readers do not wait for it.
        goOn.SetResult();
        await creating;
        entered = new TaskCompletionSource();
        goOn = new TaskCompletionSource();
        Task<BackupRestoreReport> restoring = slow.RestoreAsync(
            null, house.Target, new RestoreBackup(), null, default);
        await entered.Task.WaitAsync(Waiting.Deadline);
        StorageException inUse = await Assert.ThrowsAsync<StorageException>(
            () => house.Backups.PurgeAsync(0, default));
        goOn.SetResult();

        Assert.Equal(FailureKind.Locked, locked.Kind);
        Assert.Contains($"process {Environment.ProcessId}", locked.Message, StringComparison.Ordinal);
        Assert.Equal(house.Describe(), restored);
        Assert.Equal(FailureKind.InUse, inUse.Kind);
        Assert.True((await restoring).Done);
    }

    [Fact]
    public async Task A_cancelled_backup_leaves_no_backup_no_lock_and_nothing_to_copy_twice()
    {
        using CancellationTokenSource stop = new();
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.FillAsync(2);
        BackupDirectory interrupted = await house.OpenAsync(
            options: new BackupOptions { FreeBytesReserve = 0, Parallelism = 1 },
            seams: new BackupSeams
            {
                Wrap = storage => new WatchedStorage(storage)
                {
                    At = happened => happened is { Primitive: "put-file", After: true }
                        ? stop.CancelAsync()
                        : Task.CompletedTask,
                },
            });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => interrupted.CreateAsync(house.Store, new CreateBackup(), null, stop.Token));

        Assert.Empty(await house.Backups.ListAsync(default));
        Assert.Equal(["backups", "store"], house.Beside());
        BackupResult made = await house.CreateAsync();
        Assert.True(made.ReusedFiles >= 1, "what was copied before is not copied again");
        Assert.True(
            (await house.Backups.VerifyAsync(made.Id, BackupVerification.Checksums, null, null, default)).Passed);
    }

    [Fact]
    public async Task A_directory_that_holds_something_else_is_refused_and_not_touched()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        string foreign = Directory.CreateDirectory(Path.Combine(house.Root, "foreign")).FullName;
        await File.WriteAllTextAsync(Path.Combine(foreign, "thesis.txt"), "mine");

        StorageException refused = await Assert.ThrowsAsync<StorageException>(
            () => house.OpenAsync(create: true, place: foreign));
        StorageException absent = await Assert.ThrowsAsync<StorageException>(
            () => house.OpenAsync(place: Path.Combine(house.Root, "nowhere")));

        Assert.Equal((FailureKind.UnknownStore, FailureKind.BackupNotFound), (refused.Kind, absent.Kind));
        Assert.Equal(["thesis.txt"], Directory.GetFileSystemEntries(foreign).Select(Path.GetFileName));
        Assert.False(Directory.Exists(Path.Combine(house.Root, "nowhere")));
    }

    [Fact]
    public async Task A_disk_without_room_is_found_before_anything_is_copied()
    {
        long? free = 10_000;
        await using BackupHouse house = await BackupHouse.OpenAsync(new BackupSeams { FreeBytes = _ => free });
        await house.FillAsync(1);

        StorageException full = await Assert.ThrowsAsync<StorageException>(() => house.CreateAsync());
        free = null;
        BackupResult unknown = await house.CreateAsync();
        free = 5;
        StorageException restore = await Assert.ThrowsAsync<StorageException>(() => house.RestoreAsync());

        Assert.Equal((FailureKind.DiskFull, FailureKind.DiskFull), (full.Kind, restore.Kind));
        Assert.Matches("[0-9]+ bytes are needed .* 10000 are available", full.Message);
        Assert.Matches("[0-9]+ bytes are needed .* 5 are available", restore.Message);
        Assert.Null(unknown.BytesAvailable);
        Assert.False(Directory.Exists(house.Target));
    }

    [Fact]
    public async Task The_files_of_a_change_log_are_part_of_a_backup()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        string log = Directory.CreateDirectory(Path.Combine(house.Root, "log")).FullName;
        await File.WriteAllTextAsync(Path.Combine(log, "00000000000000000001.log"), "entries");
        await File.WriteAllTextAsync(Path.Combine(log, "state.json"), "{}");
        await File.WriteAllTextAsync(Path.Combine(log, "state.json.tmp"), "torn");

        BackupResult made = await house.CreateAsync(new CreateBackup { ChangeLogDirectory = log });
        await house.RestoreAsync();
        string without = Path.Combine(house.Root, "without");
        await house.Backups.RestoreAsync(
            null, without, new RestoreBackup { WithChangeLog = false, OpenCheck = true }, null, default);

        Assert.True(made.Manifest.HasChangeLog);
        string changes = Path.Combine(house.Target, "changes");
        Assert.Equal(
            ["00000000000000000001.log", "state.json"],
            Directory.GetFiles(changes).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Equal("entries", await File.ReadAllTextAsync(Path.Combine(changes, "00000000000000000001.log")));
        Assert.False(Directory.Exists(Path.Combine(without, "changes")));
        Assert.Equal(house.Describe(), await house.DescribeAsync(house.Target));
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("changes/../x")]
    [InlineData("changes/a/b")]
    [InlineData("000012.sst/..")]
    [InlineData("changes/.hidden")]
    public async Task A_manifest_whose_file_leads_out_of_the_store_is_damaged(string name)
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        BackupManifest manifest = (await house.CreateAsync()).Manifest;
        BackupFile[] files = [.. manifest.Files];
        files[0] = files[0] with { Name = name, Role = name.Contains("changes") ? null : files[0].Role };

        await File.WriteAllBytesAsync(
            Path.Combine(house.Place, BackupNames.ManifestOf(manifest.Id)), (manifest with { Files = files }).Seal());

        Assert.Equal(FailureKind.BackupDamaged, Assert.Single(await house.Backups.ListAsync(default)).Kind);
        Assert.Equal(FailureKind.BackupDamaged, (await Assert.ThrowsAsync<StorageException>(
            () => house.RestoreAsync(manifest.Id))).Kind);
    }

    [Fact]
    public async Task A_slow_rate_is_kept()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1, keys: 200);
        ManualTime time = new();
        BackupDirectory slow = await BackupDirectory.OpenAsync(
            house.Place, create: false,
            new BackupOptions
            {
                FreeBytesReserve = 0,
                BytesPerSecond = 20_000,
                StepTimeout = TimeSpan.FromDays(1), // By the same clock, which runs ahead here.
            },
            NullLogger.Instance, time, default);

        Task<BackupResult> creating = slow.CreateAsync(house.Store, new CreateBackup(), null, default);
        await Waiting.UntilAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return creating.IsCompleted;
        }, "the backup");

        Assert.True((await creating).Elapsed >= TimeSpan.FromSeconds(5), $"{(await creating).Elapsed}");
    }
}
