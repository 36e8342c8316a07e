using Branching.Storage.CrashChild;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Snapshots;

public sealed class VerifyAndCopyTests
{
    [Theory]
    [InlineData(VerificationLevel.Checksums)]
    [InlineData(VerificationLevel.Opened)]
    public async Task A_whole_snapshot_passes_and_is_recorded(VerificationLevel level)
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        await house.FlushAsync();
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;

        VerificationReport report = await house.NewVerifier().VerifyAndRecordAsync(
            manifest, new VerifyOptions(level, house.Restored), house.Tenure, null, default);
        VerificationResult recorded = (await house.Repository.ReadAsync(default)).Verifications[manifest.Id];

        Assert.True(report.Passed, string.Join('\n', report.Findings));
        Assert.Empty(report.Findings);
        Assert.Equal((manifest.Files.Count, manifest.TotalBytes), (report.Files, report.Bytes));
        Assert.Equal((level, true), (recorded.Level, recorded.Passed));
        Assert.Empty(Directory.GetFileSystemEntries(house.Restored));
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_found_each_with_its_own_finding()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        for (int i = 0; i < 4; i++)
        {
            await house.FillAsync("main", i, count: 50);
            await house.FlushAsync();
        }

        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        SnapshotFile[] tables = [.. manifest.Files.Where(file => file.Role == SnapshotFileRole.Table)];
        string[] paths =
            [.. tables.Select(table => Path.Combine(house.SharedDirectory, house.Repository.FullNameOf(table)))];
        RestoreTests.Damage(paths[0], "flip");
        RestoreTests.Damage(paths[1], "cut");
        RestoreTests.Damage(paths[2], "delete");
        await File.WriteAllTextAsync(Path.Combine(Path.GetDirectoryName(paths[3])!, "notes.txt"), "mine");

        VerificationReport report = await house.NewVerifier().VerifyAndRecordAsync(
            manifest, new VerifyOptions(VerificationLevel.Opened, house.Restored), house.Tenure, null, default);
        VerificationResult recorded = (await house.Repository.ReadAsync(default)).Verifications[manifest.Id];

        Assert.False(report.Passed);
        Assert.Equal(
            new Dictionary<string, FindingKind>(StringComparer.Ordinal)
            {
                [tables[0].Name] = FindingKind.WrongDigest,
                [tables[1].Name] = FindingKind.WrongSize,
                [tables[2].Name] = FindingKind.Missing,
                ["notes.txt"] = FindingKind.Extra,
            },
            report.Findings.ToDictionary(finding => finding.Name, finding => finding.Kind, StringComparer.Ordinal));
        Assert.False(recorded.Passed);
        Assert.Contains(tables[0].Name, recorded.Failure, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(house.Restored));
    }

    [Fact]
    public async Task A_changed_byte_anywhere_in_any_object_is_found()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 30);
        await house.FlushAsync();
        await house.FillAsync("main", 2, count: 5);
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;

        foreach (SnapshotFile file in manifest.Files.Where(file => file.Bytes > 0))
        {
            string path = Path.Combine(house.SharedDirectory, house.Repository.FullNameOf(file));
            byte[] whole = await File.ReadAllBytesAsync(path);
            RestoreTests.Damage(path, "flip");
            VerificationReport report = await house.NewVerifier().VerifyAsync(
                manifest, new VerifyOptions(VerificationLevel.Checksums, house.Restored), null, default);
            SnapshotFinding finding = Assert.Single(report.Findings);
            Assert.Equal((FindingKind.WrongDigest, file.Name), (finding.Kind, finding.Name));
            File.Delete(path);
            await File.WriteAllBytesAsync(path, whole);
        }
    }

    [Fact]
    public async Task A_store_that_is_not_what_its_manifest_says_fails_the_trial()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 30);
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;

        VerificationReport report = await house.NewVerifier().VerifyAsync(
            manifest with { Sequence = new Sequence(1) },
            new VerifyOptions(VerificationLevel.Opened, house.Restored), null, default);

        Assert.Equal(FindingKind.NotOpenable, Assert.Single(report.Findings).Kind);
    }

    [Fact]
    public async Task A_verification_that_cannot_read_says_so_instead_of_passing_or_failing_the_snapshot()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        house.Shared.At = happened => happened is { Primitive: "fetch" }
            ? throw new StorageException(FailureKind.SharedStorageUnavailable, "gone")
            : Task.CompletedTask;

        FailureKind kind = await DatabaseShortcuts.KindOfAsync(() => house.NewVerifier().VerifyAndRecordAsync(
            manifest, new VerifyOptions(VerificationLevel.Checksums, house.Restored), house.Tenure, null, default));
        house.Shared.At = null;

        Assert.Equal(FailureKind.SharedStorageUnavailable, kind);
        Assert.Empty((await house.Repository.ReadAsync(default)).Verifications);
        Assert.Equal(FailureKind.InvalidArgument, await DatabaseShortcuts.KindOfAsync(
            () => house.NewVerifier().VerifyAsync(
                manifest, new VerifyOptions(VerificationLevel.Checksums, house.Restored + "/none"), null, default)));
    }

    [Fact]
    public async Task A_copy_on_another_shared_storage_restores_the_same_and_shares_objects_there()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 300);
        await house.FlushAsync();
        SnapshotManifest first = (await house.TakeAsync()).Manifest;
        await house.FillAsync("main", 2, count: 10);
        SnapshotManifest second = (await house.TakeAsync()).Manifest;
        string expected = await house.DescribeBranchAsync();
        string elsewhere = OtherFileSystem();
        try
        {
            WatchedStorage to = new(await PosixSharedStorage.OpenAsync(elsewhere));
            (SnapshotRepository target, Tenure tenure) = await ClaimAsync(house, to);
            await using Tenure held = tenure;
            SnapshotCopier copier = NewCopier(house);

            SnapshotManifest one = await copier.CopyAsync(first, to, target, tenure, house.Restored, null, default);
            int sent = to.SentFiles.Length;
            SnapshotManifest two = await copier.CopyAsync(second, to, target, tenure, house.Restored, null, default);

            string[] files = to.SentFiles;
            Assert.Equal(files.Distinct(StringComparer.Ordinal).Count(), files.Length);
            Assert.True(files.Length - sent < second.Files.Count);
            Assert.Equal([one.Id, two.Id], (await target.ReadAsync(default)).Snapshots.Select(one => one.Id));
            RestoredStore restored = await house.NewRestorer().RestoreStoreAsync(
                to, target, two, Path.Combine(house.Restored, "copy"), house.NewObjects(),
                new RestoreOptions(ReadCheck: true), null, default);
            Assert.Equal(expected, await house.DescribeAsync(restored.Directory));
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    [Fact]
    public async Task A_copy_is_made_once_and_again_only_when_objects_of_it_are_gone()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 300);
        await house.FlushAsync();
        SnapshotManifest taken = (await house.TakeAsync()).Manifest;
        string expected = await house.DescribeBranchAsync();
        string elsewhere = OtherFileSystem();
        try
        {
            WatchedStorage to = new(await PosixSharedStorage.OpenAsync(elsewhere));
            (SnapshotRepository target, Tenure tenure) = await ClaimAsync(house, to);
            await using Tenure held = tenure;
            SnapshotManifest first = await NewCopier(house).CopyAsync(
                taken, to, target, tenure, house.Restored, null, default);
            int sent = to.SentFiles.Length;

            SnapshotCopier second = NewCopier(house);
            SnapshotManifest same = await second.CopyAsync(taken, to, target, tenure, house.Restored, null, default);
            int sentAgain = to.SentFiles.Length - sent;
            File.Delete(Path.Combine(elsewhere, target.FullNameOf(
                first.Files.First(file => file.Role == SnapshotFileRole.Table))));
            SnapshotCopier third = NewCopier(house);
            SnapshotManifest mended = await third.CopyAsync(taken, to, target, tenure, house.Restored, null, default);

            Assert.Equal((first.Id, 0, 0L, 0), (same.Id, second.SentFiles, second.SentBytes, sentAgain));
            Assert.NotEqual(first.Id, mended.Id);
            Assert.Equal(1, third.SentFiles);
            RestoredStore restored = await house.NewRestorer().RestoreStoreAsync(
                to, target, mended, Path.Combine(house.Restored, "copy"), house.NewObjects(),
                new RestoreOptions(ReadCheck: true), null, default);
            Assert.Equal(expected, await house.DescribeAsync(restored.Directory));
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    [Fact]
    public async Task A_damaged_snapshot_is_not_copied()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1);
        SnapshotManifest manifest = (await house.TakeAsync()).Manifest;
        SnapshotFile log = manifest.Files.First(file => file.Role == SnapshotFileRole.Log);
        RestoreTests.Damage(Path.Combine(house.SharedDirectory, house.Repository.FullNameOf(log)), "flip");
        string elsewhere = OtherFileSystem();
        try
        {
            PosixSharedStorage to = await PosixSharedStorage.OpenAsync(elsewhere);
            (SnapshotRepository target, Tenure tenure) = await ClaimAsync(house, to);
            await using Tenure held = tenure;
            SnapshotCopier copier = NewCopier(house);

            FailureKind kind = await DatabaseShortcuts.KindOfAsync(
                () => copier.CopyAsync(manifest, to, target, tenure, house.Restored, null, default));

            Assert.Equal(FailureKind.SnapshotDamaged, kind);
            Assert.Empty((await target.ReadAsync(default)).Snapshots);
            Assert.Empty(Directory.GetFileSystemEntries(house.Restored));
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    private static SnapshotCopier NewCopier(SnapshotHouse house) => new(
        house.Shared, house.Repository, house.Options, TimeProvider.System, NullLogger.Instance);

    /// <summary>Shared memory is a file system of its own on every Linux; where it is missing, or the tests are in it,
    /// whatever the other common place is on.</summary>
    private static string OtherFileSystem()
    {
        bool isOther = Directory.Exists("/dev/shm")
            && !Path.GetTempPath().StartsWith("/dev/shm/", StringComparison.Ordinal);
        string parent = isOther ? "/dev/shm" : Directory.Exists("/var/tmp") ? "/var/tmp" : Path.GetTempPath();
        string name = "branching-copy-" + Guid.NewGuid().ToString("N");
        return Directory.CreateDirectory(Path.Combine(parent, name)).FullName;
    }

    private static async Task<(SnapshotRepository Repository, Tenure Tenure)> ClaimAsync(
        SnapshotHouse house, ISharedStorage shared)
    {
        await new DatabaseLives(shared).ReserveAsync(
            house.Shop.Name, house.Shop.Id, "tests", house.Shop.CreatedAt, default);
        DatabaseOwnership ownership = new(
            shared, house.Shop.Name, house.Shop.Id, new OwnershipOptions(), TimeProvider.System, NullLogger.Instance);
        Claim claim = await ownership.ClaimAsync(SnapshotHouse.Me, new ClaimOptions(), default);
        return (new SnapshotRepository(
            shared, house.Shop.Name, house.Shop.Id, TimeProvider.System, NullLogger.Instance),
            await claim.ServeAsync(default));
    }
}
