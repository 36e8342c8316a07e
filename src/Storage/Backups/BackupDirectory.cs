using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using Branching.RocksDb.Files;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Backups;

/// <summary>A directory of backups of stores. It needs no database, no node and no shared storage.
/// Thread-safe.</summary>
/// <remarks>
/// <para>
/// A backup is one sealed manifest and the files it names. Files are named after their SHA-256, so what any earlier
/// backup holds is not copied again; several stores may share a directory. Files are put first and the manifest last:
/// killed anywhere, a backup exists whole or not at all, and what was copied is used by the next one.
/// </para>
/// <para>
/// One process at a time creates, deletes, purges or imports: the lock names its holder. Any number restore, verify,
/// export and list meanwhile; nothing is deleted under them.
/// </para>
/// </remarks>
public sealed partial class BackupDirectory
{
    private const int WouldBlock = 11;
    private static readonly string[] _ours = [BackupNames.Lock, BackupNames.Readers, ".tmp", DigestCache.FileName];

    private static readonly string _program =
        typeof(BackupDirectory).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion ?? "unknown";

    private static readonly StorageNature _nature =
        new("the backup directory", "by purging old backups, for example");

    private readonly BackupOptions _options;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly BackupSeams _seams;
    private readonly Lazy<DigestCache> _digests;
    private readonly MergeCatalog _merges;
    private PosixSharedStorage? _writable;

    private BackupDirectory(
        string directory, BackupOptions options, ILogger logger, TimeProvider time, BackupSeams seams)
    {
        Location = directory;
        _options = options;
        _logger = logger;
        _time = time;
        _seams = seams;
        _merges = new MergeCatalog(options.Storage?.OwnMerges ?? []);
        _digests = new Lazy<DigestCache>(() => DigestCache.Load(directory, logger));
    }

    /// <summary>Where it is.</summary>
    public string Location { get; }

    /// <summary>Opens a backup directory.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="create">
    /// Whether one that is absent or empty is made a backup directory. A directory that holds anything else is refused.
    /// </param>
    /// <param name="options">How it is used; <see langword="null"/>: as usual.</param>
    /// <param name="logger">Where it reports.</param>
    /// <param name="time">The clock of rates, times and durations.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.BackupNotFound"/>: there is none. <see cref="FailureKind.UnknownStore"/>: it holds
    /// something else, and was not touched. <see cref="FailureKind.PermissionDenied"/>…
    /// </exception>
    public static Task<BackupDirectory> OpenAsync(
        string directory, bool create, BackupOptions? options, ILogger logger, TimeProvider time,
        CancellationToken cancellationToken) =>
        OpenAsync(directory, create, options, logger, time, BackupSeams.Real, cancellationToken);

    internal static async Task<BackupDirectory> OpenAsync(
        string directory, bool create, BackupOptions? options, ILogger logger, TimeProvider time, BackupSeams seams,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(logger);
        ArgumentNullException.ThrowIfNull(time);
        options ??= new BackupOptions();
        options.Check();
        BackupDirectory backups = new(Path.GetFullPath(directory), options, logger, time, seams);
        if (!await Task.Run(backups.IsMarked, cancellationToken).ConfigureAwait(false))
        {
            if (!create)
            {
                throw new StorageException(
                    FailureKind.BackupNotFound,
                    $"There is no backup directory at '{backups.Location}': it has no {BackupNames.Mark}. Check the " +
                    "path; the first backup makes one.");
            }

            await backups.MarkAsync(cancellationToken).ConfigureAwait(false);
        }

        return backups;
    }

    /// <summary>Every backup, oldest first; damaged ones with what is wrong, and what does not belong there.</summary>
    /// <remarks>Files are looked for, not read: <see cref="VerifyAsync"/> does that.</remarks>
    /// <exception cref="StorageException">The directory cannot be read.</exception>
    public async Task<IReadOnlyList<BackupEntry>> ListAsync(CancellationToken cancellationToken) =>
        await ReadEntriesAsync(await ReadingAsync(cancellationToken).ConfigureAwait(false), cancellationToken)
            .ConfigureAwait(false);

    /// <summary>One backup.</summary>
    /// <param name="id">Its number; <see langword="null"/>: the newest that can be restored, as far as names and
    /// lengths tell.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.BackupNotFound"/>,
    /// <see cref="FailureKind.BackupDamaged"/>, <see cref="FailureKind.FormatTooNew"/>.</exception>
    public async Task<BackupManifest> ReadAsync(BackupId? id, CancellationToken cancellationToken)
    {
        ISharedStorage storage = await ReadingAsync(cancellationToken).ConfigureAwait(false);
        if (id is { } number)
        {
            byte[] bytes = await storage.TryReadAsync(BackupNames.ManifestOf(number), cancellationToken)
                .ConfigureAwait(false) ?? throw NotFound(number);
            return BackupMapping.Open(bytes, number, BackupNames.ManifestOf(number));
        }

        List<BackupEntry> entries = await ReadEntriesAsync(storage, cancellationToken).ConfigureAwait(false);
        return entries.LastOrDefault(entry => entry.IsWhole)?.Manifest ?? throw new StorageException(
            entries.Count == 0 ? FailureKind.BackupNotFound : FailureKind.BackupDamaged,
            entries.Count == 0
                ? $"There is no backup in '{Location}' yet."
                : $"None of the {entries.Count} backups in '{Location}' is whole: {entries[^1].Problem}");
    }

    /// <inheritdoc/>
    public override string ToString() => Location;

    private StorageException NotFound(BackupId id) => new(
        FailureKind.BackupNotFound,
        $"There is no backup {id} in '{Location}'. List the backups to see which there are.");

    private static async Task<List<BackupEntry>> ReadEntriesAsync(
        ISharedStorage storage, CancellationToken cancellationToken)
    {
        List<BackupEntry> entries = [];
        foreach (SharedEntry found in await storage.ListAsync(BackupNames.Manifests, cancellationToken)
            .ConfigureAwait(false))
        {
            if (await TryReadAsync(storage, found.Name, cancellationToken).ConfigureAwait(false) is { } entry)
            {
                entries.Add(entry);
            }
        }

        Dictionary<string, long> objects = await ReadObjectsAsync(storage, cancellationToken).ConfigureAwait(false);
        List<BackupEntry> looked = [];
        foreach (BackupEntry entry in entries)
        {
            // Deleted since it was read, it lacks files and is no damaged backup.
            if (Look(entry, objects) is var one && (one.IsWhole || !entry.IsWhole
                || await TryReadAsync(storage, entry.Name, cancellationToken).ConfigureAwait(false) is not null))
            {
                looked.Add(one);
            }
        }

        return looked;
    }

    private static async Task<BackupEntry?> TryReadAsync(
        ISharedStorage storage, string name, CancellationToken cancellationToken)
    {
        if (!BackupNames.TryParse(name, out BackupId id))
        {
            return new BackupEntry(
                name, null, null, FailureKind.BackupDamaged,
                $"'{Names.Show(name)}' is not the name of a backup's manifest; nothing here made it.");
        }

        try
        {
            byte[]? bytes = await storage.TryReadAsync(BackupNames.ManifestOf(id), cancellationToken)
                .ConfigureAwait(false);
            return bytes is null ? null : new BackupEntry(name, id, BackupMapping.Open(bytes, id, name));
        }
        catch (StorageException e) when (e.Kind is FailureKind.BackupDamaged or FailureKind.FormatTooNew
            or FailureKind.FormatTooOld or FailureKind.PermissionDenied or FailureKind.Io
            or FailureKind.RequestTooLarge)
        {
            return new BackupEntry(name, id, null, e.Kind, e.Message);
        }
    }

    private static BackupEntry Look(BackupEntry entry, Dictionary<string, long> objects)
    {
        if (entry.Manifest is not { } manifest)
        {
            return entry;
        }

        BackupFile[] bad = [.. manifest.Files.Where(file => objects.GetValueOrDefault(file.Sha256, -1) != file.Bytes)];
        return bad.Length == 0
            ? entry
            : entry with
            {
                Kind = FailureKind.BackupDamaged,
                Problem = $"{bad.Length} of its {manifest.Files.Count} files are missing or have another length, " +
                    $"'{bad[0].Name}' ({BackupNames.ObjectOf(bad[0].Sha256)}) among them.",
            };
    }

    /// <summary>The length of every object, by digest.</summary>
    private static async Task<Dictionary<string, long>> ReadObjectsAsync(
        ISharedStorage storage, CancellationToken cancellationToken)
    {
        Dictionary<string, long> objects = new(StringComparer.Ordinal);
        foreach (SharedEntry part in await storage.ListAsync(BackupNames.Objects, cancellationToken)
            .ConfigureAwait(false))
        {
            foreach (SharedEntry one in await storage.ListAsync(
                $"{BackupNames.Objects}/{part.Name}", cancellationToken).ConfigureAwait(false))
            {
                if (LocalObjects.IsDigest(one.Name))
                {
                    objects[one.Name] = one.Bytes;
                }
            }
        }

        return objects;
    }

    private bool IsMarked()
    {
        if (File.Exists(Path.Combine(Location, BackupNames.Mark)))
        {
            return true;
        }

        if (Directory.Exists(Location) && Disk.List(Location).Except(_ours, StringComparer.Ordinal).ToArray()
            is { Length: > 0 } found)
        {
            throw new StorageException(
                FailureKind.UnknownStore,
                $"'{Location}' is not a backup directory: it has no {BackupNames.Mark}, but '{found[0]}'. It was not " +
                "touched; choose an empty directory.");
        }

        return false;
    }

    private async Task MarkAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(Location))
        {
            _seams.Disk.CreateDirectory(Location);
        }

        using IDisposable held = LockForWriting($"'{Location}' was not made a backup directory");
        ISharedStorage storage = await WritingAsync(sync: true, cancellationToken).ConfigureAwait(false);
        await WriteMarkAsync(
            storage, new BackupMarkDocument(1, RandomNumberGenerator.GetHexString(32, lowercase: true), 0),
            cancellationToken).ConfigureAwait(false);
    }

    private static Task WriteMarkAsync(
        ISharedStorage storage, BackupMarkDocument mark, CancellationToken cancellationToken) =>
        storage.ReplaceAsync(
            BackupNames.Mark, SealedDocument.Seal(mark, BackupDocuments.Default.BackupMarkDocument),
            cancellationToken);

    private async Task<BackupMarkDocument> ReadMarkAsync(ISharedStorage storage, CancellationToken cancellationToken) =>
        SealedDocument.Open(
            await storage.TryReadAsync(BackupNames.Mark, cancellationToken).ConfigureAwait(false) ?? [],
            BackupDocuments.Default.BackupMarkDocument, 1, "The mark of a backup directory",
            Path.Combine(Location, BackupNames.Mark), FailureKind.BackupDamaged);

    private async Task<ISharedStorage> ReadingAsync(CancellationToken cancellationToken) => _seams.Wrap(
        await PosixSharedStorage.OpenAsync(
            Location, _options.StepTimeout, _time, _nature with { IsReadOnly = true }, cancellationToken)
            .ConfigureAwait(false));

    private async Task<ISharedStorage> WritingAsync(bool sync, CancellationToken cancellationToken) =>
        _seams.Wrap(await PosixAsync(sync, cancellationToken).ConfigureAwait(false));

    private async Task<PosixSharedStorage> PosixAsync(bool sync, CancellationToken cancellationToken)
    {
        _writable ??= await PosixSharedStorage.OpenAsync(
            Location, _options.StepTimeout, _time, _nature, cancellationToken).ConfigureAwait(false);
        return sync ? _writable : _writable.WithoutSync();
    }

    /// <summary>Keeps every other process, and every other call of this one, from changing the directory.</summary>
    private DirectoryLock LockForWriting(string what)
    {
        try
        {
            return DirectoryLock.TryAcquire(Path.Combine(Location, BackupNames.Lock), out int? holder)
                ?? throw new StorageException(
                    FailureKind.Locked,
                    $"{what}: process {holder?.ToString(CultureInfo.InvariantCulture) ?? "(unknown)"} is changing " +
                    $"the backup directory '{Location}'. Wait until it has ended; nothing was changed.");
        }
        catch (LocalFileException e)
        {
            throw Disk.Failed("Locking", Location, e);
        }
    }

    /// <summary>Keeps everybody from deleting; on a medium that cannot be written nobody can.</summary>
    private FileStream? LockForReading(string what)
    {
        string path = Path.Combine(Location, BackupNames.Readers);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            throw new StorageException(
                FailureKind.Locked,
                $"{what}: backups are being deleted from '{Location}' in this moment. Try again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !File.Exists(path))
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Locking", path, e);
        }
    }

    /// <summary>Waits for nobody: whoever reads is not disturbed.</summary>
    private FileStream LockAgainstReaders(string what)
    {
        string path = Path.Combine(Location, BackupNames.Readers);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            throw new StorageException(
                FailureKind.InUse,
                $"{what}: a backup of '{Location}' is being restored, verified or exported. Wait until " +
                "that has ended; nothing was changed.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Locking", path, e);
        }
    }

    private RateLimit? NewRate() =>
        _options.BytesPerSecond > 0 ? new RateLimit(_options.BytesPerSecond, _time) : null;

    private ParallelOptions Several(CancellationToken cancellationToken) => new()
    {
        MaxDegreeOfParallelism = _options.Parallelism,
        CancellationToken = cancellationToken,
    };

    private static StorageException Failed(string what, StorageException cause) => new(
        cause.Kind == FailureKind.SnapshotDamaged ? FailureKind.BackupDamaged : cause.Kind,
        $"{what}: {cause.Message}", cause);
}
