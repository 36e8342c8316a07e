using System.Diagnostics;
using System.Text.RegularExpressions;
using Branching.Storage.Backups;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Backups;
using Branching.Storage.Tests.LocalStores;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Snapshots;

/// <summary>
/// Manifests that disks, cut writes or malice changed, the latter under a digest that is right: each is refused with a
/// kind, or is whole by rules that are written down here a second time. BRANCHING_FUZZ_MANIFESTS sets how many.
/// </summary>
public sealed partial class ManifestFuzzTests(ITestOutputHelper output)
{
    private static readonly FailureKind[] _other = [FailureKind.FormatTooNew, FailureKind.FormatTooOld];

    [Fact]
    public async Task A_changed_manifest_of_a_snapshot_is_refused_or_whole()
    {
        await using SnapshotHouse house = await SnapshotHouse.OpenAsync();
        await house.FillAsync("main", 1, count: 30);
        SnapshotManifest first = (await house.TakeAsync()).Manifest;
        SnapshotManifest good = first with
        {
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["why"] = "größer" },
        };
        DatabaseId database = good.DatabaseId;

        Fuzz(good.Seal(), FailureKind.SnapshotDamaged, bytes =>
        {
            SnapshotManifest opened = ManifestMapping.Open(bytes, database, good.Id, "the manifest");
            Assert.Equal((good.Id, database), (opened.Id, opened.DatabaseId));
            Assert.True(opened.Depth >= 0 && opened.SentBytes >= 0, "negative numbers");
            AssertTexts([opened.Program, opened.Node, opened.RocksDbVersion, .. opened.Labels.Values]);
            AssertFamilies(opened.Options);
            AssertFiles(opened.TotalBytes, [.. opened.Files.Select(file => (file.Name, file.Bytes, file.Sha256))]);
            Assert.All(opened.Files, file =>
            {
                Assert.Equal(RoleOf(file.Name), file.Role);
                Match name = ObjectName().Match(file.ObjectName);
                Assert.True(name.Success && name.Groups["sha"].Value == file.Sha256, file.ObjectName);
                Assert.StartsWith(name.Groups["two"].Value, file.Sha256, StringComparison.Ordinal);
            });
        });
    }

    [Fact]
    public async Task A_changed_manifest_of_a_backup_is_refused_or_whole()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        BackupManifest taken = (await house.CreateAsync()).Manifest;
        BackupManifest good = taken with
        {
            Files = [.. taken.Files, new BackupFile("changes/1.log", null, 0, new string('0', 64))],
            Metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["why"] = "größer" },
        };

        Fuzz(good.Seal(), FailureKind.BackupDamaged, bytes =>
        {
            BackupManifest opened = BackupMapping.Open(bytes, good.Id, "the manifest");
            BackupManifest streamed = BackupMapping.Open(bytes, id: null, "the manifest");
            Assert.Equal((good.Id, good.Id), (opened.Id, streamed.Id));
            Assert.True(opened.NewBytes >= 0, "negative numbers");
            AssertTexts(
                [opened.Program, opened.Source, opened.Label, opened.RocksDbVersion, .. opened.Metadata.Values]);
            AssertFamilies(opened.Options);
            AssertFiles(opened.TotalBytes, [.. opened.Files.Select(file => (file.Name, file.Bytes, file.Sha256))]);
            Assert.All(opened.Files, file => Assert.Equal(RoleOf(file.Name), file.Role));
            Assert.Single(opened.Files, file => file.Name == "CURRENT");
            Assert.Single(opened.Files, file => file.Role == SnapshotFileRole.Manifest);
            Assert.All(
                opened.Files.GroupBy(file => file.Sha256, StringComparer.Ordinal),
                same => Assert.Single(same.Select(file => file.Bytes).Distinct()));
        });
    }

    private void Fuzz(byte[] good, FailureKind damaged, Action<byte[]> open)
    {
        int inputs = Rounds.Of("BRANCHING_FUZZ_MANIFESTS", 2000);
        output.WriteLine($"BRANCHING_SEED={TestStore.Seed} BRANCHING_FUZZ_MANIFESTS={inputs}");
        open(good);
        Random random = new(TestStore.Seed);
        long started = Stopwatch.GetTimestamp();
        int resealed = 0, accepted = 0;
        for (int i = 0; i < inputs; i++)
        {
            (bool isResealed, byte[] bytes) = SealedMutation.Of(good, random);
            resealed += isResealed ? 1 : 0;
            try
            {
                open(bytes);
                Assert.True(isResealed || bytes.AsSpan().SequenceEqual(good), "a changed byte passed for good");
                accepted++;
            }
            catch (StorageException e) when (e.Kind == damaged || _other.Contains(e.Kind))
            {
                Assert.Contains("the manifest", e.Message, StringComparison.Ordinal);
            }
            catch (Exception e)
            {
                string text = System.Text.Encoding.UTF8.GetString(bytes);
                throw new InvalidOperationException($"input {i} of seed {TestStore.Seed}: {e.Message}\n{text}", e);
            }
        }

        output.WriteLine(
            $"{inputs} inputs, {resealed} under a right digest, {accepted} whole, " +
            $"{Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        Assert.InRange(accepted, 1, inputs / 2); // Some change nothing that matters: a label, a time.
    }

    private static void AssertTexts(string?[] texts) => Assert.All(texts, Assert.NotNull);

    private static void AssertFamilies(OptionsFingerprint options) => Assert.All(options.Families, family =>
    {
        Assert.NotNull(family.Name);
        Assert.NotNull(family.Comparator);
    });

    private static void AssertFiles(long total, (string Name, long Bytes, string Sha256)[] files)
    {
        Assert.All(files, file =>
        {
            Assert.Matches(FileName(), file.Name);
            Assert.True(file.Bytes >= 0, $"{file.Name} has {file.Bytes} bytes");
            Assert.Matches(Digest(), file.Sha256);
        });
        Assert.Equal(files.Length, files.Select(file => file.Name).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(total, files.Aggregate(0m, (sum, file) => sum + file.Bytes));
    }

    private static SnapshotFileRole? RoleOf(string name) => FileName().Match(name).Groups
        .OfType<Group>().FirstOrDefault(group => group.Success && !char.IsAsciiDigit(group.Name[0]))?.Name is { } role
            ? Enum.Parse<SnapshotFileRole>(role)
            : null;

    // A dollar sign would let a line feed follow.
    [GeneratedRegex(@"\A(?:(?<Table>[0-9]+\.sst)|(?<Blob>[0-9]+\.blob)|(?<Log>[0-9]+\.log)|(?<Current>CURRENT)|" +
        @"(?<Identity>IDENTITY)|(?<Manifest>MANIFEST-[0-9]+)|(?<Options>OPTIONS-[0-9]+)|(?<Mark>branch\.json)|" +
        @"changes/[A-Za-z0-9_-][A-Za-z0-9._-]*)\z", RegexOptions.None, 10_000)]
    private static partial Regex FileName();

    [GeneratedRegex(@"\A[0-9a-f]{64}\z", RegexOptions.None, 10_000)]
    private static partial Regex Digest();

    [GeneratedRegex(@"\Aobjects/(?<two>[0-9a-f]{2})/(?<sha>[0-9a-f]{64})\.[0-9]+-[0-9]+\z", RegexOptions.None, 10_000)]
    private static partial Regex ObjectName();
}
