using System.Text;
using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Ownership;

namespace Branching.Storage.Tests.Snapshots;

/// <summary>Manifests, fencing, pins, retirement, garbage and the catalog.</summary>
public sealed class RepositoryTests
{
    private static readonly GarbageOptions _noGrace = new(Grace: TimeSpan.FromDays(-1));
    private readonly SharedShop _database = new();

    private SnapshotRepository Repository => _database.Repository;

    [Fact]
    public async Task A_published_snapshot_is_read_back_as_it_was_drafted()
    {
        await using Tenure tenure = await _database.OwnAsync("one");

        SnapshotId id = await _database.PublishAsync(tenure, "a", "b");

        SnapshotManifest manifest = await Repository.ReadManifestAsync(id, default);
        Assert.Equal((id, "größer", "feature/x", 64), (
            manifest.Id, manifest.Labels["why"], manifest.Branch.Value, manifest.Sha256.Length));
        Assert.Equal(["000000.sst", "000001.sst"], manifest.Files.Select(f => f.Name));
        Assert.Equal("add", manifest.Options.Families[0].MergeOperator);
        Assert.Equal(id, (await Repository.ReadAsync(default)).Newest(SharedShop.Store)!.Id);
        Assert.Equal(id, SnapshotId.Parse(id.ToString()));
    }

    [Fact]
    public async Task Any_changed_byte_of_a_manifest_is_found_and_the_snapshot_is_listed_as_damaged()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId id = await _database.PublishAsync(tenure, "a");
        string name = _database.Paths.Manifest(id);
        byte[] good = [.. _database.Memory.Peek(name)!];

        for (int i = 0; i < good.Length; i++)
        {
            int at = i;
            _database.Memory.Damage(name, _ => [.. good[..at], (byte)(good[at] ^ 1), .. good[(at + 1)..]]);
            StorageException failure =
                await Assert.ThrowsAsync<StorageException>(() => Repository.ReadManifestAsync(id, default));
            Assert.Equal(FailureKind.SnapshotDamaged, failure.Kind);
        }

        DamagedSnapshot damaged = Assert.Single((await Repository.ReadAsync(default)).Damaged);
        Assert.Equal((name, id, FailureKind.SnapshotDamaged), (damaged.Name, damaged.Id, damaged.Kind));
    }

    [Fact]
    public async Task A_manifest_of_a_newer_format_is_refused_with_both_numbers()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId id = await _database.PublishAsync(tenure, "a");
        _database.Memory.Damage(_database.Paths.Manifest(id), Reseal);

        StorageException failure =
            await Assert.ThrowsAsync<StorageException>(() => Repository.ReadManifestAsync(id, default));

        Assert.Equal(FailureKind.FormatTooNew, failure.Kind);
        Assert.Contains("format 7", failure.Message, StringComparison.Ordinal);
        Assert.Contains("up to 1", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_content_is_sent_once_and_an_object_that_was_not_sent_is_refused()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId first = await _database.PublishAsync(tenure, "a");
        SnapshotId second = await _database.PublishAsync(tenure, "a", "b");

        SnapshotManifest one = await Repository.ReadManifestAsync(first, default);
        SnapshotManifest two = await Repository.ReadManifestAsync(second, default);
        Assert.Equal(one.Files[0].ObjectName, two.Files[0].ObjectName);
        Assert.Equal(1UL, second.Number - first.Number);
        SnapshotFile lie = one.Files[0] with { ObjectName = one.Files[0].ObjectName + "9" };
        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            () => Repository.PublishAsync(tenure, SharedShop.Draft([lie]), default));
        Assert.Equal(FailureKind.Refused, failure.Kind);
    }

    [Fact]
    public async Task What_a_fenced_owner_publishes_or_retires_is_nothing()
    {
        Tenure first = await _database.OwnAsync("one");
        SnapshotId kept = await _database.PublishAsync(first, "a");
        SnapshotId other = await _database.PublishAsync(first, "b");
        TaskCompletionSource held = new();
        _database.Memory.BeforeEffect = step => step.Name == _database.Paths.Retired(kept, first.Epoch)
            ? held.Task
            : Task.CompletedTask;
        Task retiring = Repository.RetireAsync(first, kept, evenLast: false, default);
        Tenure second = await _database.TakeOverAsync("two");

        held.SetResult();

        Assert.Equal(FailureKind.Fenced, (await Assert.ThrowsAsync<StorageException>(() => retiring)).Kind);
        Assert.Equal(FailureKind.Fenced, (await Assert.ThrowsAsync<StorageException>(
            () => _database.PublishAsync(first, "c"))).Kind);
        Assert.Equal([kept, other], (await Repository.ReadAsync(default)).Snapshots.Select(s => s.Id));
        Assert.Equal(other, second.Heads.Newest(SharedShop.Store));
        await Repository.CollectAsync(second, _noGrace, default);
        Assert.Equal([kept, other], (await Repository.ReadAsync(default)).Snapshots.Select(s => s.Id));
        await first.DisposeAsync();
        await second.DisposeAsync();
    }

    [Fact]
    public async Task Pin_blocks_retirement_release_enables_it_and_a_foreign_pin_needs_force()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId id = await _database.PublishAsync(tenure, "a");
        await _database.PublishAsync(tenure, "b");
        await Repository.PinAsync(new("audit", id, "until May", "ann", DateTimeOffset.UnixEpoch), default);

        StorageException pinned = await Assert.ThrowsAsync<StorageException>(
            () => Repository.RetireAsync(tenure, id, evenLast: true, default));
        StorageException foreign = await Assert.ThrowsAsync<StorageException>(
            () => Repository.UnpinAsync("audit", "bob", force: false, default));

        Assert.Equal((FailureKind.Pinned, FailureKind.Refused), (pinned.Kind, foreign.Kind));
        Assert.Contains("until May", pinned.Message, StringComparison.Ordinal);
        Assert.True(await Repository.UnpinAsync("audit", "ann", force: false, default));
        await Repository.RetireAsync(tenure, id, evenLast: false, default);
        Assert.Equal(FailureKind.SnapshotNotFound, (await Assert.ThrowsAsync<StorageException>(
            () => Repository.ReadManifestAsync(id, default))).Kind);
    }

    [Theory]
    [InlineData("PutIfAbsent", ".retiring-")]
    [InlineData("PutIfAbsent", ".retired-")]
    [InlineData("Delete", "1.json")]
    public async Task A_pin_in_the_middle_of_a_retirement_fails_or_stops_it(string kind, string part)
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId id = await _database.PublishAsync(tenure, "a");
        await _database.PublishAsync(tenure, "b");
        Task? pinning = null;
        _database.Memory.BeforeEffect = step =>
        {
            if (pinning is null && step.Kind == kind && step.Name.Contains(part, StringComparison.Ordinal)
                && step.Name.Contains("/snapshots/", StringComparison.Ordinal))
            {
                pinning = Repository.PinAsync(new("p", id, "race", "ann", DateTimeOffset.UnixEpoch), default);
            }

            return Task.CompletedTask;
        };

        Exception? retired = await Record.ExceptionAsync(() => Repository.RetireAsync(tenure, id, false, default));
        Exception? pinned = await Record.ExceptionAsync(() => pinning!);

        bool exists = (await Repository.ReadAsync(default)).Snapshots.Any(s => s.Id == id);
        Assert.Equal(pinned is null, exists && retired is StorageException { Kind: FailureKind.Pinned });
        Assert.Equal(pinned is null ? 1 : 0, (await Repository.ListPinsAsync(default)).Count);
    }

    [Fact]
    public async Task The_last_snapshot_and_the_last_verified_one_stay_unless_they_are_given_up()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId verified = await _database.PublishAsync(tenure, "a");
        VerificationResult passed = new(VerificationLevel.Opened, true, DateTimeOffset.UnixEpoch, "one");
        Assert.Equal(FailureKind.Refused, await RetireKindAsync(tenure, verified));
        await Repository.RecordVerificationAsync(tenure, verified, passed, default);
        SnapshotId newer = await _database.PublishAsync(tenure, "b");

        Assert.Equal(FailureKind.Refused, await RetireKindAsync(tenure, verified));

        await Repository.RecordVerificationAsync(tenure, newer, passed, default);
        await Repository.RetireAsync(tenure, verified, evenLast: false, default);
        await Repository.RetireAsync(tenure, newer, evenLast: true, default);
        Assert.Empty((await Repository.ReadAsync(default)).Snapshots);
    }

    [Fact]
    public async Task A_collection_deletes_what_nobody_needs_and_a_dry_run_only_says_so()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId old = await _database.PublishAsync(tenure, "old", "both");
        SnapshotId kept = await _database.PublishAsync(tenure, "new", "both");
        await Repository.RetireAsync(tenure, old, evenLast: false, default);
        int before = Objects();

        GarbageReport young = await Repository.CollectAsync(tenure, new GarbageOptions(), default);
        GarbageReport dry = await Repository.CollectAsync(tenure, _noGrace with { DryRun = true }, default);
        Assert.Equal((before, 1, 1), (Objects(), young.KeptYoung, dry.Deleted.Count(IsObject)));
        GarbageReport wet = await Repository.CollectAsync(tenure, _noGrace, default);

        Assert.Equal((2, 1, 3L), (Objects(), wet.Deleted.Count(IsObject), wet.DeletedBytes));
        Assert.Equal(2, (await Repository.ReadManifestAsync(kept, default)).Files.Count);
        await _database.PublishAsync(tenure, "old");
        Assert.Equal(3, Objects());
    }

    [Fact]
    public async Task A_damaged_manifest_stops_the_sweep_and_is_reported()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        SnapshotId id = await _database.PublishAsync(tenure, "a");
        _database.Memory.Damage(_database.Paths.Manifest(id), bytes => bytes[..^1]);

        GarbageReport report = await Repository.CollectAsync(tenure, _noGrace, default);

        Assert.Contains(_database.Paths.Manifest(id), report.SweepDisabledBecause!, StringComparison.Ordinal);
        Assert.Equal(1, Objects());
    }

    [Fact]
    public async Task A_collection_interrupted_at_any_step_is_completed_by_the_next()
    {
        for (int failAt = 1; ; failAt++)
        {
            SharedShop database = new();
            Tenure tenure = await database.OwnAsync("one");
            SnapshotId old = await database.PublishAsync(tenure, "x", "y");
            SnapshotId kept = await database.PublishAsync(tenure, "y", "z");
            await database.Repository.RetireAsync(tenure, old, evenLast: false, default);
            int step = 0;
            database.Memory.BeforeEffect = _ => ++step == failAt
                ? throw new StorageException(FailureKind.SharedStorageUnavailable, "Interrupted.")
                : Task.CompletedTask;
            Exception? failure =
                await Record.ExceptionAsync(() => database.Repository.CollectAsync(tenure, _noGrace, default));
            database.Memory.BeforeEffect = null;

            await database.Repository.CollectAsync(tenure, _noGrace, default);
            string[] names = [.. database.Memory.Names];
            GarbageReport second = await database.Repository.CollectAsync(tenure, _noGrace, default);

            Assert.Empty(second.Deleted);
            Assert.Equal(names, database.Memory.Names);
            Assert.Equal(2, database.Memory.Names.Count(IsObject));
            Assert.Equal(2, (await database.Repository.ReadManifestAsync(kept, default)).Files.Count);
            await tenure.DisposeAsync();
            if (failure is null)
            {
                Assert.InRange(failAt, 10, 100);
                return;
            }
        }
    }

    [Fact]
    public async Task The_catalog_outlives_owners_and_compaction()
    {
        Tenure first = await _database.OwnAsync("one");
        for (int i = 0; i < 3; i++)
        {
            await _database.Catalog.AppendAsync(
                first, new CatalogChange(Policy: new PolicyChange($"p{i}", $"{i}")), default);
        }

        await first.ReleaseAsync(default);
        Tenure second = await _database.OwnAsync("two");
        await _database.Catalog.AppendAsync(
            second, new CatalogChange(Policy: new PolicyChange("p0", null)), default);
        CatalogState before = await _database.Catalog.ReadAsync(default);
        await _database.Catalog.CompactAsync(second, default);
        CatalogState after = await _database.Catalog.ReadAsync(default);
        await second.ReleaseAsync(default);
        Tenure third = await _database.OwnAsync("three");

        Assert.Equal(["p1", "p2"], before.Policies.Keys.Order());
        Assert.Equal(["p1", "p2"], after.Policies.Keys.Order());
        Assert.Equal(["p1", "p2"], (await _database.Catalog.ReadAsync(third, default)).Policies.Keys.Order());
        Assert.Single(_database.Memory.Names, n => n.Contains("/catalog/", StringComparison.Ordinal));
        await third.DisposeAsync();
    }

    [Fact]
    public async Task A_change_of_the_catalog_whose_failure_was_answered_leaves_no_gap()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        int failures = 2;
        _database.Memory.AfterEffect = step => step.Kind == "PutIfAbsent" && failures-- > 0
            ? throw new StorageException(FailureKind.SharedStorageUnavailable, "The answer is lost.")
            : Task.CompletedTask;
        CatalogChange Change(string key) => new(Policy: new PolicyChange(key, "on"));
        SharedCatalog catalog = _database.Catalog;
        await Assert.ThrowsAsync<StorageException>(() => catalog.AppendAsync(tenure, Change("lost?"), default));

        ulong number = await catalog.AppendAsync(tenure, Change("next"), default);

        Assert.Equal(2UL, number);
        Assert.Equal(["lost?", "next"], (await catalog.ReadAsync(default)).Policies.Keys.Order());
    }

    private async Task<FailureKind> RetireKindAsync(Tenure tenure, SnapshotId id) =>
        (await Assert.ThrowsAsync<StorageException>(
            () => Repository.RetireAsync(tenure, id, evenLast: false, default))).Kind;

    private int Objects() => _database.Memory.Names.Count(IsObject);

    private static bool IsObject(string name) => name.Contains("/objects/", StringComparison.Ordinal);

    /// <summary>The same manifest as a later version would write it, with its digest.</summary>
    private static byte[] Reseal(byte[] bytes)
    {
        string text = Encoding.UTF8.GetString(bytes);
        text = text.Replace("\"format\": 1", "\"format\": 7", StringComparison.Ordinal);
        int at = text.LastIndexOf('"', text.LastIndexOf('"') - 1) + 1;
        byte[] blank = Encoding.UTF8.GetBytes(text[..at] + new string('0', 64) + text[(at + 64)..]);
        string digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(blank));
        return Encoding.UTF8.GetBytes(text[..at] + digest + text[(at + 64)..]);
    }
}
