using System.Formats.Tar;
using System.Security.Cryptography;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Backups;

/// <content>One backup as a stream: a tar (POSIX pax) of its manifest and its files.</content>
/// <remarks>
/// The manifest comes first and says what must follow, with length and digest; whatever is missing, different or too
/// much is refused, so the stream needs no mark at its end.
/// </remarks>
public sealed partial class BackupDirectory
{
    private const string ManifestEntry = "backup.json";
    private const int MostManifestBytes = PosixSharedStorage.MaxReadBytes;

    /// <summary>Writes a backup to a stream, in about 1 MiB of memory however slow the stream is.</summary>
    /// <param name="id">The backup; <see langword="null"/>: the newest whole one.</param>
    /// <param name="destination">Where to; it stays the caller's. A failure of it ends the export.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it; what was written is refused by an import.</param>
    /// <returns>What was written.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.BackupNotFound"/>;
    /// <see cref="FailureKind.BackupDamaged"/>: the stream ends there, and an import refuses it.</exception>
    public async Task<BackupManifest> ExportAsync(
        BackupId? id, Stream destination, IProgress<SnapshotProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using FileStream? held = LockForReading($"No backup of '{Location}' was exported");
        BackupManifest manifest = await ReadAsync(id, cancellationToken).ConfigureAwait(false);
        ISharedStorage storage = await ReadingAsync(cancellationToken).ConfigureAwait(false);
        byte[] bytes = await storage.TryReadAsync(BackupNames.ManifestOf(manifest.Id), cancellationToken)
            .ConfigureAwait(false) ?? throw NotFound(manifest.Id);
        BackupFile[] files = [.. manifest.Files.DistinctBy(file => file.Sha256, StringComparer.Ordinal)];
        ProgressCount count = new(progress);
        count.Begin(SnapshotPhase.Sending, files.Length, files.Sum(file => file.Bytes));
        RateLimit? rate = NewRate();
        TarWriter tar = new(destination, TarEntryFormat.Pax, leaveOpen: true);
        await using (tar.ConfigureAwait(false))
        {
            using MemoryStream document = new(bytes, writable: false);
            await tar.WriteEntryAsync(EntryOf(ManifestEntry, document, manifest.TakenAt), cancellationToken)
                .ConfigureAwait(false);
            foreach (BackupFile file in files)
            {
                await WriteAsync(tar, manifest, file, rate, count, cancellationToken).ConfigureAwait(false);
            }
        }

        count.Enter(SnapshotPhase.Done);
        return manifest;
    }

    /// <summary>Makes a backup of a stream that <see cref="ExportAsync"/> wrote, here or elsewhere. Durable on
    /// return.</summary>
    /// <param name="source">The stream; it stays the caller's.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Ends it; no backup is made, and what was received is used by the next
    /// import.</param>
    /// <returns>The backup, under a number of this directory.</returns>
    /// <exception cref="StorageException">No backup was made. <see cref="FailureKind.BackupDamaged"/>: the stream is
    /// cut or altered, or is none; <see cref="FailureKind.FormatTooNew"/>; <see cref="FailureKind.DiskFull"/>;
    /// <see cref="FailureKind.Locked"/>.</exception>
    public async Task<BackupManifest> ImportAsync(
        Stream source, IProgress<SnapshotProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        string what = $"No backup was imported into '{Location}'";
        try
        {
            using IDisposable held = LockForWriting(what);
            BackupManifest manifest = await ReceiveAsync(source, new ProgressCount(progress), cancellationToken)
                .ConfigureAwait(false);
            _logger.BackupImported(manifest.Id, Location);
            return manifest;
        }
        catch (StorageException e) when (e.Kind != FailureKind.Locked)
        {
            throw Failed(what, e);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException
            or ArgumentException or OverflowException or NotSupportedException) // What the reader of tars throws.
        {
            throw new StorageException(
                FailureKind.BackupDamaged,
                $"{what}: the stream is cut, altered, or no tar of a backup: {e.Message} Export it again.", e);
        }
    }

    private static PaxTarEntry EntryOf(string name, Stream content, DateTimeOffset at) =>
        new(TarEntryType.RegularFile, name)
        {
            DataStream = content,
            ModificationTime = at,
            Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        };

    private async Task WriteAsync(
        TarWriter tar, BackupManifest manifest, BackupFile file, RateLimit? rate, ProgressCount count,
        CancellationToken cancellationToken)
    {
        ObjectStream content = OpenObject(manifest, file, rate, count.Of(file.Name));
        await using (content.ConfigureAwait(false))
        {
            if (content.Length != file.Bytes)
            {
                throw Damaged(manifest, file, $"it has {content.Length} bytes");
            }

            await tar.WriteEntryAsync(
                EntryOf($"{BackupNames.Objects}/{file.Sha256}", content, manifest.TakenAt), cancellationToken)
                .ConfigureAwait(false);
            string actual = content.Digest();
            if (actual != file.Sha256)
            {
                throw Damaged(manifest, file, $"its SHA-256 is {actual}");
            }
        }

        count.Moved(file.Name, file.Bytes, file.Bytes);
    }

    private ObjectStream OpenObject(
        BackupManifest manifest, BackupFile file, RateLimit? rate, IProgress<long> progress)
    {
        string path = Path.Combine(Location, BackupNames.ObjectOf(file.Sha256));
        try
        {
            return new ObjectStream(path, rate, progress);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Damaged(manifest, file, "it is not there");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Reading", path, e);
        }
    }

    private async Task<BackupManifest> ReceiveAsync(
        Stream source, ProgressCount count, CancellationToken cancellationToken)
    {
        TarReader tar = new(source, leaveOpen: true);
        await using (tar.ConfigureAwait(false))
        {
            BackupManifest announced = await ReadManifestAsync(tar, cancellationToken).ConfigureAwait(false);
            PosixSharedStorage storage = await PosixAsync(sync: true, cancellationToken).ConfigureAwait(false);
            Dictionary<string, long> there = await ReadObjectsAsync(storage, cancellationToken).ConfigureAwait(false);
            Dictionary<string, BackupFile> expected = announced.Files
                .DistinctBy(file => file.Sha256, StringComparer.Ordinal)
                .ToDictionary(file => file.Sha256, StringComparer.Ordinal);
            CheckSpace(announced.Files, there);
            count.Begin(SnapshotPhase.Fetching, expected.Count, expected.Values.Sum(file => file.Bytes));
            while (await tar.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
            {
                string sha256 = entry.Name[(entry.Name.LastIndexOf('/') + 1)..];
                if (entry.Name != $"{BackupNames.Objects}/{sha256}" || !expected.Remove(sha256, out BackupFile? file))
                {
                    throw new InvalidDataException(
                        $"'{Names.Show(entry.Name)}' comes twice, or is not announced by the manifest.");
                }

                await ReceiveAsync(storage, entry, file, there, count, cancellationToken).ConfigureAwait(false);
                _seams.Reach(BackupStep.ImportObjectPut);
            }

            return expected.Count == 0
                ? await PublishImportedAsync(announced, count, cancellationToken).ConfigureAwait(false)
                : throw new EndOfStreamException($"It ends while {expected.Count} files of it are missing.");
        }
    }

    private static async Task<BackupManifest> ReadManifestAsync(TarReader tar, CancellationToken cancellationToken)
    {
        TarEntry? first = await tar.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false);
        if (first is not { Name: ManifestEntry, DataStream: { } data, Length: <= MostManifestBytes })
        {
            throw new InvalidDataException($"It does not begin with {ManifestEntry}.");
        }

        byte[] bytes = new byte[first.Length];
        await data.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        return BackupMapping.Open(bytes, id: null, ManifestEntry);
    }

    private static async Task ReceiveAsync(
        PosixSharedStorage storage, TarEntry entry, BackupFile file, Dictionary<string, long> there,
        ProgressCount count, CancellationToken cancellationToken)
    {
        if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)
            || entry.Length != file.Bytes)
        {
            throw new InvalidDataException($"'{entry.Name}' is no file of {file.Bytes} bytes.");
        }

        string name = BackupNames.ObjectOf(file.Sha256);
        if (there.TryGetValue(file.Sha256, out long bytes) && bytes != file.Bytes)
        {
            await storage.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
        }

        ProgressCount.FileProgress receiving = count.Of(file.Name);
        try
        {
            // Also what is there already is read and compared: the stream is whole or refused.
            await storage.PutStreamIfAbsentAsync(
                name, entry.DataStream ?? Stream.Null, file.Bytes, file.Sha256, receiving, cancellationToken)
                .ConfigureAwait(false);
            count.Moved(file.Name, file.Bytes, receiving.Counted);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption)
        {
            throw new InvalidDataException($"'{entry.Name}' was altered: {e.Message}", e);
        }
    }

    private async Task<BackupManifest> PublishImportedAsync(
        BackupManifest announced, ProgressCount count, CancellationToken cancellationToken)
    {
        ISharedStorage storage = await WritingAsync(sync: true, cancellationToken).ConfigureAwait(false);
        BackupMarkDocument mark = await ReadMarkAsync(storage, cancellationToken).ConfigureAwait(false);
        BackupManifest manifest = announced with
        {
            Id = await NextAsync(storage, mark, cancellationToken).ConfigureAwait(false),
            IsDurable = true,
            ImportedFrom = $"backup {announced.Id}, manifest {announced.Sha256}",
            Sha256 = "",
        };
        _seams.Reach(BackupStep.ImportPublishing);
        manifest = await PublishAsync(storage, manifest, cancellationToken).ConfigureAwait(false);
        _seams.Reach(BackupStep.ImportPublished);
        count.Enter(SnapshotPhase.Done);
        return manifest;
    }

    /// <summary>A file that is digested, limited and counted while somebody reads it.</summary>
    private sealed class ObjectStream(string path, RateLimit? rate, IProgress<long> progress) : Stream
    {
        private readonly FileStream _file = new(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0,
            FileOptions.SequentialScan);

        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public override bool CanRead => true;

        public override bool CanSeek => true; // A tar writer asks for the length, not for another position.

        public override bool CanWrite => false;

        public override long Length => _file.Length;

        public override long Position
        {
            get => _file.Position;
            set => throw new NotSupportedException("It is read once, from its beginning.");
        }

        public string Digest() => Convert.ToHexStringLower(_hash.GetHashAndReset());

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count = await _file.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            _hash.AppendData(buffer.Span[..count]);
            progress.Report(count);
            if (rate is not null && count > 0)
            {
                await rate.WaitAsync(count, cancellationToken).ConfigureAwait(false);
            }

            return count;
        }

        public override Task<int> ReadAsync(
            byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) =>
            throw new NotSupportedException("It is read asynchronously.");

        public override long Seek(long offset, SeekOrigin origin) =>
            throw new NotSupportedException("It is read once, from its beginning.");

        public override void SetLength(long value) => throw new NotSupportedException("It is only read.");

        public override void Write(byte[] buffer, int offset, int count) =>
            throw new NotSupportedException("It is only read.");

        public override void Flush()
        {
            // Nothing is written.
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _file.Dispose();
                _hash.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
