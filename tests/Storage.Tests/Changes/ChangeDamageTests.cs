using System.Globalization;
using Branching.Storage.Changes;
using Branching.Storage.Tests.LocalStores;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Changes;

/// <summary>Damage of a log is found wherever it is, said with its bounds, and never passed over silently.</summary>
public sealed class ChangeDamageTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_flipped_byte_anywhere_is_detected_and_bounded()
    {
        await using LoggedStore logged = new();
        for (int i = 0; i < 6; i++)
        {
            await logged.WriteAsync(Durability.Sync, TestStore.Put($"k{i}", $"{i}"), TestStore.Delete($"d{i}"));
        }

        await logged.Store.DisposeAsync();
        string file = logged.Files[0];
        byte[] good = await File.ReadAllBytesAsync(file);
        Assert.Empty(ChangeLogValidator.Validate(logged.Directory).Damage);

        for (int at = 0; at < good.Length; at++)
        {
            byte[] bad = [.. good];
            bad[at] ^= 1;
            await File.WriteAllBytesAsync(file, bad);
            ChangeLogValidation found = ChangeLogValidator.Validate(logged.Directory);

            ChangeDamage damage = Assert.Single(found.Damage);
            Assert.Equal(file, damage.File);
            Assert.InRange(damage.Offset, 0, at);

            // Behind a damaged frame the others are read: one entry is lost, or none.
            Assert.True(at < ChangeFormat.FileHeaderBytes || found.Entries >= 5, $"byte {at}: {found}");
        }
    }

    [Fact]
    public async Task Damage_in_the_middle_fails_with_its_bounds_and_is_a_gap_only_on_request()
    {
        await using LoggedStore logged = new();
        long[] ends = new long[4];
        for (int i = 0; i < 4; i++)
        {
            await logged.WriteAsync(Durability.Sync, TestStore.Put($"k{i}", "1"), TestStore.Put($"l{i}", "2"));
            ends[i] = new FileInfo(logged.Files[0]).Length;
        }

        await FlipAsync(logged.Files[0], ends[1] - 1);

        List<Change> read = [];
        using ChangeReader reader = logged.Log.OpenReader(ChangeStart.First);
        Assert.Equal(1, reader.ReadPage(long.MaxValue, read));
        StorageException failure = Assert.Throws<StorageException>(() => reader.ReadPage(long.MaxValue, read));
        StorageException again = Assert.Throws<StorageException>(() => reader.ReadPage(long.MaxValue, read));

        Assert.Equal(FailureKind.Corruption, failure.Kind);
        Assert.Equal(
            new ChangeDamage(logged.Files[0], ends[0], new Sequence(3), new Sequence(4), failure.Damage!.Reason),
            failure.Damage);
        Assert.Equal(failure.Damage, again.Damage);
        Assert.Equal(
            ["1 put k0=1, put l0=2", "3-4 gap Damaged", "5 put k2=1, put l2=2", "7 put k3=1, put l3=2"],
            LoggedStore.Show(logged.Read(acrossDamage: true)));
        Assert.Equal(
            ["5 put k2=1, put l2=2", "7 put k3=1, put l3=2"],
            LoggedStore.Show(logged.Read(ChangeStart.Behind(new Sequence(4)))));
    }

    [Fact]
    public async Task A_file_that_is_missing_in_the_middle_is_a_gap_with_bounds()
    {
        await using LoggedStore logged = new(settings: ChangeLogSettings.Default with { RotateBytes = 4096 });
        for (int i = 0; i < 20; i++)
        {
            await logged.PutAsync($"k{i}", new string('x', 1000));
        }

        string[] files = logged.Files;
        Assert.True(files.Length >= 4);
        await logged.ReopenAsync(whileClosed: () => File.Delete(files[1]));

        ulong first = ulong.Parse(Path.GetFileNameWithoutExtension(files[1]), CultureInfo.InvariantCulture);
        ulong next = ulong.Parse(Path.GetFileNameWithoutExtension(files[2]), CultureInfo.InvariantCulture);
        StorageException failure = Assert.Throws<StorageException>(() => logged.Read());
        Change gap = Assert.Single(logged.Read(acrossDamage: true), change => change.Kind == ChangeKind.Gap);

        Assert.Equal((first, next - 1), (failure.Damage!.First.Value, failure.Damage.Last!.Value.Value));
        Assert.Equal((first, next - 1), (gap.First.Value, gap.Last.Value));
        Assert.Single(logged.Log.Validate().Damage);
    }

    [Fact]
    public async Task A_frame_stored_as_a_value_is_not_taken_for_one_of_the_log()
    {
        await using LoggedStore logged = new();
        await using LoggedStore other = new();
        await other.WriteAsync(Durability.Sync, [.. Enumerable.Range(0, 9).Select(i => TestStore.Put($"k{i}", "x"))]);
        await logged.PutAsync("a", "1", Durability.Sync);
        byte[] frames = await File.ReadAllBytesAsync(other.Files[0]);
        long before = new FileInfo(logged.Files[0]).Length;
        await logged.WriteAsync(Durability.Sync, WriteOperation.Put(TestStore.Bytes("b"), frames));
        await logged.PutAsync("c", "3", Durability.Sync);

        // The length of the frame around it: only a search finds what comes behind.
        await FlipAsync(logged.Files[0], before + 4);

        Assert.Equal(
            ["1 put a=1", "2-2 gap Damaged", "3 put c=3"], LoggedStore.Show(logged.Read(acrossDamage: true)));
    }

    [Fact]
    public async Task Mutated_files_never_crash_hang_or_pass_for_good()
    {
        int rounds = int.Parse(
            Environment.GetEnvironmentVariable("BRANCHING_FUZZ_ROUNDS") ?? "2000", CultureInfo.InvariantCulture);
        output.WriteLine($"BRANCHING_SEED={TestStore.Seed} BRANCHING_FUZZ_ROUNDS={rounds}");
        (string file, byte[] good, string expected) = await SampleAsync();
        string directory = Path.GetDirectoryName(file)!;
        Random random = new(TestStore.Seed);
        int found = 0;
        for (int round = 0; round < rounds; round++)
        {
            byte[] bad = ChangeMutation.Of(good, random);
            await File.WriteAllBytesAsync(file, bad);
            ChangeLogValidation result;
            try
            {
                result = ChangeLogValidator.Validate(directory);
            }
            catch (StorageException e) when (e.Kind is FailureKind.FormatTooNew or FailureKind.FormatTooOld)
            {
                found++;
                continue;
            }

            // What is said to be good is what was written, or a whole beginning of it.
            bool isDamaged = result.Damage.Count > 0;
            found += isDamaged ? 1 : 0;
            string actual = ChangeMutation.Read(file);
            Assert.True(
                isDamaged || expected.StartsWith(actual, StringComparison.Ordinal),
                $"round {round} of seed {TestStore.Seed} passed for good:\n{actual}");
        }

        output.WriteLine($"{found} of {rounds} were found damaged");
        Assert.True(found > rounds / 2, $"only {found} of {rounds} were found damaged");
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<(string File, byte[] Good, string Expected)> SampleAsync()
    {
        await using LoggedStore logged = new();
        logged.Store.CreateColumnFamily("users");
        logged.Store.CreateColumnFamily("sessions", new FamilySettings { Expires = true });
        for (int i = 0; i < 12; i++)
        {
            await logged.WriteAsync(
                Durability.Sync, TestStore.Put($"key{i}", new string((char)('a' + i), i * 5)),
                TestStore.Delete($"d{i}"), TestStore.Put("x", "BCLF", "users"),
                TestStore.Put($"s{i}", "1", "sessions") with { TimeToLive = TimeSpan.FromHours(i) });
        }

        await logged.Store.DisposeAsync();
        string directory = Directory.CreateTempSubdirectory("branching-changes-fuzz-").FullName;
        string file = Path.Combine(directory, Path.GetFileName(logged.Files[0]));
        File.Copy(logged.Files[0], file);
        byte[] good = await File.ReadAllBytesAsync(file);
        return (file, good, ChangeMutation.Read(file));
    }

    private static async Task FlipAsync(string path, long at)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        file.Seek(at, SeekOrigin.Begin);
        int before = file.ReadByte();
        file.Seek(at, SeekOrigin.Begin);
        file.WriteByte((byte)(before ^ 0x55));
        await file.FlushAsync();
    }
}
