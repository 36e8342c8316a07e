using System.Formats.Tar;
using Branching.Storage.Backups;

namespace Branching.Storage.Tests.Backups;

public sealed class BackupTarTests
{
    [Fact]
    public async Task A_stream_brings_a_backup_to_another_directory_whole()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        await house.FillAsync(2, flush: false);
        BackupManifest made = (await house.CreateAsync(new CreateBackup { Label = "moved" })).Manifest;
        using MemoryStream stream = new();
        BackupDirectory other = await house.OpenAsync(create: true, place: Path.Combine(house.Root, "other"));

        await house.Backups.ExportAsync(null, stream, null, default);
        stream.Position = 0;
        BackupManifest imported = await other.ImportAsync(stream, null, default);
        stream.Position = 0;
        BackupManifest twice = await other.ImportAsync(stream, null, default);

        Assert.Equal(("moved", made.Sequence), (imported.Label, imported.Sequence));
        Assert.Contains(made.Sha256, imported.ImportedFrom, StringComparison.Ordinal);
        Assert.Equal((new BackupId(1), new BackupId(2)), (imported.Id, twice.Id));
        Assert.True((await other.VerifyAsync(null, BackupVerification.Opened, house.Root, null, default)).Passed);
        await other.RestoreAsync(null, house.Target, new RestoreBackup(), null, default);
        Assert.Equal(house.Describe(), await house.DescribeAsync(house.Target));
    }

    [Fact]
    public async Task A_stream_is_a_tar_that_other_programs_read()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        BackupManifest made = (await house.CreateAsync()).Manifest;
        using MemoryStream stream = new();

        await house.Backups.ExportAsync(made.Id, stream, null, default);

        stream.Position = 0;
        using TarReader reader = new(stream);
        List<string> names = [];
        while (await reader.GetNextEntryAsync() is { } entry)
        {
            names.Add(entry.Name);
        }

        Assert.Equal("backup.json", names[0]);
        Assert.Equal(
            made.Files.Select(file => $"objects/{file.Sha256}").Distinct().Order(), names.Skip(1).Order());
    }

    [Fact]
    public async Task A_cut_stream_is_refused_wherever_it_is_cut()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1, keys: 2);
        await house.CreateAsync();
        using MemoryStream stream = new();
        await house.Backups.ExportAsync(null, stream, null, default);
        byte[] whole = stream.ToArray();
        BackupDirectory other = await house.OpenAsync(create: true, place: Path.Combine(house.Root, "other"));
        int end = whole.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;

        for (int cut = 0; cut < end; cut += Math.Max(1, end / 40))
        {
            StorageException refused = await Assert.ThrowsAsync<StorageException>(
                () => other.ImportAsync(new MemoryStream(whole, 0, cut), null, default));
            Assert.True(refused.Kind == FailureKind.BackupDamaged, $"cut at {cut} of {end}: {refused}");
        }

        Assert.Empty(await other.ListAsync(default));
        Assert.Equal(new BackupId(1), (await other.ImportAsync(new MemoryStream(whole), null, default)).Id);
    }

    [Fact]
    public async Task An_altered_stream_is_refused_or_brings_the_same_backup()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1, keys: 2);
        await house.CreateAsync();
        using MemoryStream stream = new();
        await house.Backups.ExportAsync(null, stream, null, default);
        byte[] whole = stream.ToArray();
        Random random = new(LocalStores.TestStore.Seed);
        int refused = 0;

        for (int i = 0; i < 60; i++)
        {
            byte[] altered = [.. whole];
            altered[random.Next(altered.Length)] ^= (byte)(1 << random.Next(8));
            string place = Path.Combine(house.Root, $"other{i}");
            BackupDirectory other = await house.OpenAsync(create: true, place: place);
            try
            {
                await other.ImportAsync(new MemoryStream(altered), null, default);
                BackupReport report = await other.VerifyAsync(
                    null, BackupVerification.Checksums, null, null, default);
                Assert.True(report.Passed, $"BRANCHING_SEED={LocalStores.TestStore.Seed}, round {i}");
            }
            catch (StorageException e)
            {
                Assert.True(
                    e.Kind is FailureKind.BackupDamaged or FailureKind.FormatTooNew or FailureKind.FormatTooOld,
                    $"BRANCHING_SEED={LocalStores.TestStore.Seed}, round {i}: {e}");
                Assert.Empty(await other.ListAsync(default));
                refused++;
            }

            Directory.Delete(place, recursive: true);
        }

        Assert.True(refused > 0);
    }

    [Theory]
    [InlineData("a link")]
    [InlineData("a path")]
    [InlineData("a file that was not announced")]
    [InlineData("no manifest")]
    public async Task A_stream_with_something_else_in_it_is_refused(string what)
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1, keys: 2);
        await house.CreateAsync();
        using MemoryStream stream = new();
        await house.Backups.ExportAsync(null, stream, null, default);
        stream.Position = 0;
        using MemoryStream other = new();
        await using (TarWriter writer = new(other, leaveOpen: true))
        {
            using TarReader reader = new(stream);
            while (await reader.GetNextEntryAsync(copyData: true) is { } entry)
            {
                if (what != "no manifest" || entry.Name != "backup.json")
                {
                    await writer.WriteEntryAsync(entry);
                }

                if (entry.Name == "backup.json" && what != "no manifest")
                {
                    await writer.WriteEntryAsync(what switch
                    {
                        "a link" => new PaxTarEntry(TarEntryType.SymbolicLink, "objects/x") { LinkName = "/etc" },
                        "a path" => new PaxTarEntry(TarEntryType.RegularFile, "../../escaped"),
                        _ => new PaxTarEntry(TarEntryType.RegularFile, $"objects/{new string('0', 64)}"),
                    });
                }
            }
        }

        other.Position = 0;
        StorageException refused = await Assert.ThrowsAsync<StorageException>(
            () => house.Backups.ImportAsync(other, null, default));

        Assert.Equal(FailureKind.BackupDamaged, refused.Kind);
        Assert.Single(await house.Backups.ListAsync(default));
        Assert.False(File.Exists(Path.Combine(house.Root, "..", "escaped")));
    }

    [Fact]
    public async Task A_damaged_file_ends_the_stream_so_that_nobody_takes_it_for_whole()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1);
        BackupManifest made = (await house.CreateAsync()).Manifest;
        string table = house.ObjectOf(made, ".sst");
        byte[] bytes = await File.ReadAllBytesAsync(table);
        bytes[50] ^= 1;
        await File.WriteAllBytesAsync(table, bytes);
        using MemoryStream stream = new();

        StorageException damaged = await Assert.ThrowsAsync<StorageException>(
            () => house.Backups.ExportAsync(null, stream, null, default));

        Assert.Equal(FailureKind.BackupDamaged, damaged.Kind);
        stream.Position = 0;
        BackupDirectory other = await house.OpenAsync(create: true, place: Path.Combine(house.Root, "other"));
        await Assert.ThrowsAsync<StorageException>(() => other.ImportAsync(stream, null, default));
    }

    [Fact]
    public async Task A_slow_consumer_is_waited_for_and_its_failure_ends_the_export()
    {
        await using BackupHouse house = await BackupHouse.OpenAsync();
        await house.FillAsync(1, keys: 4000); // 2 MB.
        await house.CreateAsync();
        await using GatedStream consumer = new();

        Task<BackupManifest> exporting = house.Backups.ExportAsync(null, consumer, null, default);
        await consumer.Blocked.WaitAsync(Waiting.Deadline);
        long taken = consumer.Taken;
        bool waits = !exporting.IsCompleted;
        consumer.Fail(new IOException("the pipe is closed"));

        Assert.True(waits && taken < 1 << 20, $"{taken} bytes were pushed at somebody who takes none");
        Assert.Equal("the pipe is closed", (await Assert.ThrowsAsync<IOException>(() => exporting)).Message);
        Assert.True((await house.Backups.PurgeAsync(0, default)).Deleted.Count == 1, "the reader's lock is released");
    }

    /// <summary>Takes 64 KiB and then nothing more until it is told to fail.</summary>
    private sealed class GatedStream : Stream
    {
        private const int Takes = 64 << 10;
        private readonly TaskCompletionSource _blocked = new();
        private readonly TaskCompletionSource _failure = new();

        public Task Blocked => _blocked.Task;

        public long Taken { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Fail(Exception failure) => _failure.SetException(failure);

        public override async ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Taken + buffer.Length > Takes)
            {
                _blocked.TrySetResult();
                await _failure.Task;
            }

            Taken += buffer.Length;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count)
        {
            // The end of the archive, after a failure.
        }

        public override void Flush()
        {
            // Nothing is kept.
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
