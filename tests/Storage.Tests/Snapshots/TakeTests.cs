using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;

namespace Branching.Storage.Tests.Snapshots;

public sealed class TakeTests
{
    [Fact]
    public async Task A_snapshot_restores_exactly_what_the_store_held()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        await house.FlushAsync();
        await house.FillAsync("main", 2, count: 20); // Stays in the log.
        string expected = await house.DescribeBranchAsync();

        SnapshotResult result = await house.TakeAsync();

        Assert.True(result.Taken);
        Assert.Equal(expected, await house.RestoreAndDescribeAsync(result.Manifest));
        Assert.Contains(result.Manifest.Files, file => file.Role == SnapshotFileRole.Log && file.Bytes > 0);
        Assert.Empty(Directory.GetFileSystemEntries(house.Building));
    }

    [Fact]
    public async Task Older_snapshots_keep_their_own_state()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        List<(SnapshotManifest Manifest, string Expected)> taken = [];
        for (int i = 0; i < 4; i++)
        {
            await house.FillAsync("main", i % 3, count: 100 + (i * 10));
            if (i == 2)
            {
                await house.CompactAsync();
            }

            taken.Add(((await house.TakeAsync()).Manifest, await house.DescribeBranchAsync()));
        }

        SnapshotView view = await house.Repository.ReadAsync(default);

        Assert.Equal(taken.Select(one => one.Manifest.Id), view.Snapshots.Select(one => one.Id));
        foreach ((SnapshotManifest manifest, string expected) in taken)
        {
            Assert.Equal(expected, await house.RestoreAndDescribeAsync(manifest));
        }
    }

    [Fact]
    public async Task Nothing_written_since_the_last_snapshot_is_said_and_nothing_is_sent()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotResult first = await house.TakeAsync();
        house.Shared.Forget();

        SnapshotResult second = await house.TakeAsync();

        Assert.False(second.Taken);
        Assert.Equal(first.Id, second.Id);
        Assert.Equal(0, house.Shared.PutBytes);
    }

    [Fact]
    public async Task A_forced_snapshot_of_an_unchanged_store_sends_no_file()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotResult first = await house.TakeAsync();
        house.Shared.Forget();

        SnapshotResult second = await house.TakeAsync(evenIfUnchanged: true);

        Assert.True(second.Taken);
        Assert.NotEqual(first.Id, second.Id);
        Assert.Empty(house.Shared.SentFiles);
        Assert.InRange(house.Shared.PutBytes, 1, 16 << 10);
        Assert.Equal(0, second.SentBytes);
        Assert.Equal(second.Manifest.Files.Count, second.ReusedFiles);
    }

    [Fact]
    public async Task A_column_family_dropped_and_created_again_is_a_change()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        using (StoreLease lease = await house.Shop.AcquireAsync(BranchName.Main, default))
        {
            lease.Store.CreateColumnFamily("extra");
            await lease.Store.WriteAsync(
                new WriteRequest([WriteOperation.Put("a"u8.ToArray(), "1"u8.ToArray(), "extra")]), default);
        }

        SnapshotResult first = await house.TakeAsync();
        SnapshotResult unchanged = await house.TakeAsync();
        using (StoreLease lease = await house.Shop.AcquireAsync(BranchName.Main, default))
        {
            lease.Store.DropColumnFamily("extra");
            lease.Store.CreateColumnFamily("extra");
        }

        SnapshotResult second = await house.TakeAsync();

        Assert.False(unchanged.Taken);
        Assert.Equal(first.Manifest.Sequence, second.Manifest.Sequence);
        Assert.True(second.Taken);
        Assert.Equal(await house.DescribeBranchAsync(), await house.RestoreAndDescribeAsync(second.Manifest));
        Assert.Contains("family extra", await house.RestoreAndDescribeAsync(first.Manifest), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_second_snapshot_sends_only_what_is_new()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 2000);
        await house.CompactAsync();
        SnapshotResult first = await house.TakeAsync();
        await house.FillAsync("main", 2, count: 100);
        await house.FlushAsync();

        SnapshotResult second = await house.TakeAsync();

        string[] old = [.. first.Manifest.Files.Where(f => f.Role == SnapshotFileRole.Table).Select(f => f.ObjectName)];
        Assert.NotEmpty(old);
        Assert.All(old, name => Assert.Contains(second.Manifest.Files, file => file.ObjectName == name));
        Assert.InRange(second.SentBytes, 100_000, 150_000);
        Assert.InRange(second.DigestedBytes, 100_000, 150_000); // The old tables were not read again.
    }

    [Fact]
    public async Task Branches_send_the_files_of_their_parent_once()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 1000);
        await house.CompactAsync();
        await house.Shop.BranchAsync("one");
        await house.Shop.BranchAsync("two");
        await house.FillAsync("two", 7, count: 10);
        SnapshotResult main = await house.TakeAsync();

        SnapshotResult[] branches = await Task.WhenAll(house.TakeAsync("one"), house.TakeAsync("two"));

        Assert.All(branches, branch => Assert.InRange(branch.SentBytes, 1, main.SentBytes / 10));
        Assert.All(branches, branch => Assert.InRange(branch.DigestedBytes, 1, main.SentBytes / 10));
        Assert.Equal(await house.DescribeBranchAsync("two"), await house.RestoreAndDescribeAsync(branches[1].Manifest));
    }

    [Fact]
    public async Task Branches_that_are_taken_at_the_same_time_send_a_shared_file_once()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 1000);
        await house.CompactAsync();
        string[] branches = ["b0", "b1", "b2", "b3"];
        foreach (string name in branches)
        {
            await house.Shop.BranchAsync(name);
        }

        SnapshotResult[] results = await Task.WhenAll(branches.Select(name => house.TakeAsync(name)));

        string[] contents = [.. house.Shared.SentFiles.Select(name => name.Split('/')[^1].Split('.')[0])];
        Assert.Equal(contents.Distinct(StringComparer.Ordinal).Count(), contents.Length);
        foreach ((string name, SnapshotResult result) in branches.Zip(results))
        {
            Assert.Equal(await house.DescribeBranchAsync(name), await house.RestoreAndDescribeAsync(result.Manifest));
        }
    }

    [Fact]
    public async Task After_a_restart_no_table_is_read_again()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 1000);
        await house.CompactAsync();
        SnapshotResult first = await house.TakeAsync();
        house.Taker = house.NewTaker(); // Knows nothing but what is on the disk.

        SnapshotResult second = await house.TakeAsync(evenIfUnchanged: true);

        Assert.InRange(second.DigestedBytes, 1, first.DigestedBytes / 20);
        Assert.Empty(house.Shared.SentFiles.Skip(first.SentFiles));
    }

    [Fact]
    public async Task A_restored_store_is_snapshotted_without_reading_its_tables()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 1000);
        await house.CompactAsync();
        SnapshotResult first = await house.TakeAsync();
        await house.PutBackAsync(await house.RestoreAsync(first.Manifest));
        File.Delete(Path.Combine(Path.GetDirectoryName(house.Building)!, DigestCache.FileName));
        house.Shared.Forget();

        SnapshotResult second = await house.TakeAsync(evenIfUnchanged: true);

        Assert.InRange(second.DigestedBytes, 1, first.DigestedBytes / 20);
        Assert.InRange(second.SentBytes, 0, first.SentBytes / 20);
    }

    [Fact]
    public async Task File_numbers_given_again_after_a_restore_are_not_taken_for_the_files_of_before()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 100);
        await house.FlushAsync();
        SnapshotManifest older = (await house.TakeAsync()).Manifest;
        RestoredStore restored = await house.RestoreAsync(older);
        for (int i = 0; i < 6; i++)
        {
            await house.FillAsync("main", 20 + i, count: 100);
            await house.FlushAsync();
        }

        SnapshotManifest newer = (await house.TakeAsync()).Manifest;
        string atNewer = await house.DescribeBranchAsync();
        await house.PutBackAsync(restored);
        List<SnapshotManifest> again = [];
        for (int i = 3; i < 7; i++)
        {
            await house.FillAsync("main", i, count: 100); // Same keys' lengths, other values: files of the same size.
            await house.FlushAsync();
            again.Add((await house.TakeAsync()).Manifest);
        }

        HashSet<string> names = [.. newer.Files.Where(f => f.Role == SnapshotFileRole.Table).Select(f => f.Name)];
        names.ExceptWith(older.Files.Select(file => file.Name));
        Assert.True(
            again[^1].Files.Any(f => names.Contains(f.Name)), "No number was given twice; nothing is tested.");
        Assert.Equal(await house.DescribeBranchAsync(), await house.RestoreAndDescribeAsync(again[^1]));
        Assert.Equal(atNewer, await house.RestoreAndDescribeAsync(newer));
    }

    [Fact]
    public async Task A_file_that_was_sent_in_part_keeps_its_name()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync(new SnapshotOptions { Parallelism = 1 });
        await house.FillAsync("main", 1);
        await house.FlushAsync();
        List<string> tried = [];
        house.Shared.At = happened =>
        {
            if (happened is { Primitive: "put-file", After: false })
            {
                tried.Add(happened.Name);
                throw new StorageException(FailureKind.SharedStorageUnavailable, "gone");
            }

            return Task.CompletedTask;
        };
        await Assert.ThrowsAsync<StorageException>(() => house.TakeAsync());
        house.Shared.At = null;

        await house.TakeAsync();

        Assert.Contains(Assert.Single(tried), house.Shared.SentFiles);
    }

    [Fact]
    public async Task A_failed_snapshot_is_continued_without_sending_anything_twice()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 1000);
        await house.CompactAsync();
        house.Shared.At = happened => happened is { Primitive: "put", After: false }
            ? throw new StorageException(FailureKind.SharedStorageUnavailable, "gone")
            : Task.CompletedTask;

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.TakeAsync());
        int sent = house.Shared.SentFiles.Length;
        house.Shared.At = null;
        SnapshotResult again = await house.TakeAsync();

        Assert.Equal(FailureKind.SharedStorageUnavailable, failure.Kind);
        Assert.Contains("branch 'main' of database 'shop'", failure.Message, StringComparison.Ordinal);
        Assert.True(sent > 3);
        Assert.Equal(sent, house.Shared.SentFiles.Length);
        Assert.Equal(await house.DescribeBranchAsync(), await house.RestoreAndDescribeAsync(again.Manifest));
    }

    [Theory]
    [InlineData(FailureKind.DiskFull)]
    [InlineData(FailureKind.PermissionDenied)]
    [InlineData(FailureKind.SharedStorageUnavailable)]
    public async Task A_storage_that_is_full_read_only_or_gone_is_named_and_older_snapshots_stay(FailureKind kind)
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest older = (await house.TakeAsync()).Manifest;
        string atOlder = await house.DescribeBranchAsync();
        await house.FillAsync("main", 2);
        house.Shared.At = happened => happened is { Primitive: "put-file", After: false }
            ? throw new StorageException(kind, "the reason")
            : Task.CompletedTask;

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.TakeAsync());
        await house.FillAsync("main", 3); // Writes go on.
        house.Shared.At = null;
        SnapshotResult mended = await house.TakeAsync();

        Assert.Equal(kind, failure.Kind);
        Assert.Contains("the reason", failure.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(house.Building));
        Assert.Equal(atOlder, await house.RestoreAndDescribeAsync(older));
        Assert.Equal(await house.DescribeBranchAsync(), await house.RestoreAndDescribeAsync(mended.Manifest));
    }

    [Fact]
    public async Task A_failure_at_any_call_of_the_storage_leaves_nothing_local_and_the_next_snapshot_succeeds()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync(
            new SnapshotOptions { Parallelism = 1, FreeBytesReserve = 0 });
        for (int n = 1; n < 300; n++)
        {
            await house.FillAsync("main", n, count: 5);
            int left = n;
            house.Shared.At = _ => Interlocked.Decrement(ref left) == 0
                ? throw new StorageException(FailureKind.Io, "injected")
                : Task.CompletedTask;
            Exception? thrown = await Record.ExceptionAsync(() => house.TakeAsync());
            house.Shared.At = null;
            Assert.Empty(Directory.GetFileSystemEntries(house.Building));
            if (thrown is not null)
            {
                Assert.Equal(FailureKind.Io, Assert.IsType<StorageException>(thrown).Kind);
            }

            if (left > 0)
            {
                Assert.True(n > 20, $"only {n} calls");
                Assert.Equal(
                    await house.DescribeBranchAsync(),
                    await house.RestoreAndDescribeAsync((await house.TakeAsync()).Manifest));
                return;
            }
        }

        Assert.Fail("The snapshot makes more than 300 calls.");
    }

    [Fact]
    public async Task Objects_that_vanished_are_sent_again_under_another_name()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 500);
        await house.CompactAsync();
        SnapshotResult first = await house.TakeAsync();
        SnapshotFile table = first.Manifest.Files.First(file => file.Role == SnapshotFileRole.Table);
        await house.Shared.DeleteAsync(house.Repository.FullNameOf(table), default);

        SnapshotResult second = await house.TakeAsync(evenIfUnchanged: true);

        SnapshotFile again = second.Manifest.Files.Single(file => file.Name == table.Name);
        Assert.Equal(table.Sha256, again.Sha256);
        Assert.NotEqual(table.ObjectName, again.ObjectName);
        Assert.Equal(await house.DescribeBranchAsync(), await house.RestoreAndDescribeAsync(second.Manifest));
    }

    [Fact]
    public async Task A_former_owner_is_told_and_publishes_nothing()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        Tenure former = house.Tenure;
        await using Tenure later = await house.OwnAsync();

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.Taker.TakeAsync(
            house.Shop, BranchName.Main, former, new TakeSnapshot(), null, default));
        SnapshotView view = await house.Repository.ReadAsync(default);

        Assert.Equal(FailureKind.Fenced, failure.Kind);
        Assert.Empty(view.Snapshots);
        Assert.Empty(Directory.GetFileSystemEntries(house.Building));
        await former.DisposeAsync();
    }

    [Fact]
    public async Task An_owner_that_is_fenced_while_it_sends_publishes_nothing()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        Tenure former = house.Tenure;
        int taken = 0; // Several files are sent at once.
        house.Shared.At = async happened =>
        {
            if (happened is { Primitive: "put-file", After: true } && Interlocked.Exchange(ref taken, 1) == 0)
            {
                house.Shared.At = null;
                await house.OwnAsync();
            }
        };

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => house.Taker.TakeAsync(
            house.Shop, BranchName.Main, former, new TakeSnapshot(), null, default));

        Assert.Equal(FailureKind.Fenced, failure.Kind);
        Assert.Empty((await house.Repository.ReadAsync(default)).Snapshots);
        await former.DisposeAsync();
    }

    [Fact]
    public async Task A_cancelled_snapshot_leaves_nothing_behind()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        using CancellationTokenSource stop = new();
        house.Shared.At = happened =>
            happened is { Primitive: "put-file", After: false } ? stop.CancelAsync() : Task.CompletedTask;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => house.TakeAsync(cancellationToken: stop.Token));

        Assert.Empty(Directory.GetFileSystemEntries(house.Building));
        Assert.Empty((await house.Repository.ReadAsync(default)).Snapshots);
    }

    [Fact]
    public async Task Writers_go_on_while_a_snapshot_is_sent()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        string atTheCut = await house.DescribeBranchAsync();
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource sending = new(TaskCreationOptions.RunContinuationsAsynchronously);
        house.Shared.At = happened =>
        {
            if (happened is not { Primitive: "put-file", After: false })
            {
                return Task.CompletedTask;
            }

            sending.TrySetResult();
            return held.Task;
        };

        Task<SnapshotResult> taking = house.TakeAsync();
        await sending.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await house.FillAsync("main", 2); // Answered although nothing was sent yet.
        await house.CompactAsync();
        held.SetResult();
        SnapshotResult result = await taking;

        Assert.Equal(atTheCut, await house.RestoreAndDescribeAsync(result.Manifest));
    }

    [Fact]
    public async Task A_large_tail_is_flushed_first_and_a_small_one_travels_as_a_log()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync(
            new SnapshotOptions { FlushBytes = 64 << 10, FreeBytesReserve = 0 });
        await house.FillAsync("main", 1, count: 10);
        SnapshotResult small = await house.TakeAsync();
        await house.FillAsync("main", 2, count: 100);

        SnapshotResult large = await house.TakeAsync();

        Assert.DoesNotContain(small.Manifest.Files, file => file.Role == SnapshotFileRole.Table);
        Assert.Contains(large.Manifest.Files, file => file.Role == SnapshotFileRole.Table);
        Assert.True(large.Manifest.Files.Where(f => f.Role == SnapshotFileRole.Log).Sum(f => f.Bytes) < 10_000);
    }

    [Fact]
    public async Task Progress_ends_at_its_totals()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        Reports reports = new();

        SnapshotResult result = await house.TakeAsync(progress: reports);

        SnapshotProgress last = reports.Last;
        Assert.Equal(SnapshotPhase.Done, last.Phase);
        Assert.Equal((result.Manifest.Files.Count, result.Manifest.TotalBytes), (last.FilesTotal, last.BytesTotal));
        Assert.Equal((last.FilesTotal, last.BytesTotal), (last.FilesDone, last.BytesDone));
        Assert.Equal((result.SentFiles, result.SentBytes), (last.FilesMoved, last.BytesMoved));
    }

    [Fact]
    public async Task Requests_outside_their_range_are_refused()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        TakeSnapshot[] refused =
        [
            new(Parallelism: 0), new(Parallelism: 65), new(BytesPerSecond: 0),
            new(Labels: new Dictionary<string, string>(StringComparer.Ordinal) { [""] = "x" }),
        ];

        foreach (TakeSnapshot request in refused)
        {
            Assert.Equal(FailureKind.InvalidArgument, await DatabaseShortcuts.KindOfAsync(() => house.Taker.TakeAsync(
                house.Shop, BranchName.Main, house.Tenure, request, null, default)));
        }

        Assert.Equal(FailureKind.BranchNotFound, await DatabaseShortcuts.KindOfAsync(() => house.TakeAsync("none")));
    }
}

/// <summary>Remembers the last report.</summary>
internal sealed class Reports : IProgress<SnapshotProgress>
{
    private SnapshotProgress? _last;

    public SnapshotProgress Last => _last ?? throw new InvalidOperationException("Nothing was reported.");

    public void Report(SnapshotProgress value) => Volatile.Write(ref _last, value);
}
