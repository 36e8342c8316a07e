using System.Collections.Concurrent;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>The snapshots of one database on shared storage: what exists, what counts, what may go.</summary>
/// <remarks>
/// Everybody may read and pin; the rest takes a <see cref="Tenure"/>. Only awaits shared storage and the clock, so
/// that it can be simulated. Thread-safe.
/// </remarks>
public sealed partial class SnapshotRepository
{
    private const int AtOnce = 16;
    private const int MaxAttempts = 5;
    private readonly ISharedStorage _shared;
    private readonly DatabasePaths _paths;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly EpochReader _epochs;
    private readonly SnapshotLister _lister;
    private readonly ConcurrentDictionary<SnapshotId, (SharedEntry Entry, SnapshotManifest Manifest)> _known = new();

    /// <summary>The repository of one database.</summary>
    /// <param name="shared">The shared storage.</param>
    /// <param name="name">The database's name.</param>
    /// <param name="id">The database's identity.</param>
    /// <param name="time">The clock of this process.</param>
    /// <param name="logger">Told of publications, retirements, collections and damage.</param>
    public SnapshotRepository(
        ISharedStorage shared, DatabaseName name, DatabaseId id, TimeProvider time, ILogger logger)
        : this(shared, name, id, time, logger, ProtocolRules.All)
    {
    }

    internal SnapshotRepository(
        ISharedStorage shared,
        DatabaseName name,
        DatabaseId id,
        TimeProvider time,
        ILogger logger,
        ProtocolRules rules)
    {
        _shared = shared;
        _paths = new DatabasePaths(name, id);
        _time = time;
        _logger = logger;
        _epochs = new EpochReader(shared, _paths);
        _lister = new SnapshotLister(shared, _paths, rules);
    }

    /// <summary>The full name on shared storage of an object that a manifest names.</summary>
    public string FullNameOf(SnapshotFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return $"{_paths.Root}/{file.ObjectName}";
    }

    /// <summary>All snapshots as they are now.</summary>
    public async Task<SnapshotView> ReadAsync(CancellationToken cancellationToken) =>
        (await ReadAllAsync(cancellationToken).ConfigureAwait(false)).View;

    /// <summary>The newest snapshot of a store that is not damaged; the manifests of others are not read.</summary>
    public async Task<SnapshotManifest?> NewestAsync(StoreId store, CancellationToken cancellationToken)
    {
        object? newest = await ReadNewestAsync(store, static read => read is SnapshotManifest, cancellationToken)
            .ConfigureAwait(false);
        return (SnapshotManifest?)newest;
    }

    /// <summary>The newest snapshot of a store, or what is wrong with it; neither when there is none. Other manifests
    /// are not read.</summary>
    internal async Task<(SnapshotManifest? Newest, DamagedSnapshot? Damaged)> LookAtNewestAsync(
        StoreId store, CancellationToken cancellationToken)
    {
        object? newest = await ReadNewestAsync(store, static read => read is not null, cancellationToken)
            .ConfigureAwait(false);
        return (newest as SnapshotManifest, newest as DamagedSnapshot);
    }

    /// <summary>Reads one manifest; damage anywhere in it is found.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotNotFound"/>,
    /// <see cref="FailureKind.SnapshotDamaged"/> or <see cref="FailureKind.FormatTooNew"/>.</exception>
    public async Task<SnapshotManifest> ReadManifestAsync(SnapshotId snapshot, CancellationToken cancellationToken)
    {
        (_, SnapshotListing listing) = await ListAsync(cancellationToken).ConfigureAwait(false);
        string name = _paths.Manifest(snapshot);
        byte[]? bytes = listing.Valid.ContainsKey(snapshot)
            ? await _shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false)
            : null;
        return bytes is null ? throw NotFound(snapshot) : ManifestMapping.Open(bytes, _paths.Id, snapshot, name);
    }

    /// <summary>Records that a snapshot was verified.</summary>
    public async Task RecordVerificationAsync(
        Tenure tenure, SnapshotId snapshot, VerificationResult result, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        ArgumentNullException.ThrowIfNull(result);
        (_, SnapshotListing listing) = await ListAsync(cancellationToken).ConfigureAwait(false);
        if (!listing.Valid.ContainsKey(snapshot))
        {
            throw NotFound(snapshot);
        }

        VerificationDocument document = new(
            Formats.Shared, snapshot.ToString(), result.Level, result.Passed, result.At, result.Node, result.Failure);
        await _shared.ReplaceAsync(
            _paths.Verified(snapshot),
            SealedDocument.Seal(document, SharedDocuments.Default.VerificationDocument),
            cancellationToken).ConfigureAwait(false);
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
    }

    private StorageException NotFound(SnapshotId snapshot) => new(
        FailureKind.SnapshotNotFound,
        $"Database '{_paths.Name}' has no snapshot {snapshot} on shared storage '{_shared.Location}': it was never " +
        "published, or it is retired. List the snapshots that there are.");

    /// <summary>A listing by one rule: when a new epoch began to serve meanwhile, it is made again.</summary>
    private async Task<(EpochState State, SnapshotListing Listing)> ListAsync(
        CancellationToken cancellationToken, StoreId? only = null)
    {
        EpochState state = await _epochs.ReadAsync(cancellationToken).ConfigureAwait(false);
        for (int attempt = 1; ; attempt++)
        {
            SnapshotListing listing = await _lister.ListAsync(state, only, cancellationToken).ConfigureAwait(false);
            EpochState after = await _epochs.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (after.Serving == state.Serving || attempt == MaxAttempts)
            {
                return (state, listing);
            }

            state = after;
        }
    }

    private async Task<(SnapshotView View, EpochState State, SnapshotListing Listing)> ReadAllAsync(
        CancellationToken cancellationToken)
    {
        (EpochState state, SnapshotListing listing) = await ListAsync(cancellationToken).ConfigureAwait(false);
        List<SnapshotManifest> manifests = [];
        List<DamagedSnapshot> damaged = [];
        foreach (KeyValuePair<SnapshotId, SharedEntry>[] some in listing.Valid.Chunk(AtOnce))
        {
            object?[] read = await Task.WhenAll(
                some.Select(s => ReadOneAsync(s.Key, s.Value, cancellationToken))).ConfigureAwait(false);
            manifests.AddRange(read.OfType<SnapshotManifest>());
            damaged.AddRange(read.OfType<DamagedSnapshot>());
        }

        Dictionary<SnapshotId, VerificationResult> verifications = [];
        foreach (SnapshotId id in listing.Verified.Keys.Order())
        {
            await ReadVerificationAsync(id, verifications, damaged, cancellationToken).ConfigureAwait(false);
        }

        IReadOnlyList<SnapshotPin> pins = await ReadPinsAsync(damaged, cancellationToken).ConfigureAwait(false);
        Dictionary<string, string> objects = new(StringComparer.Ordinal);
        foreach (SnapshotFile file in manifests.SelectMany(m => m.Files))
        {
            objects.TryAdd(file.Sha256, file.ObjectName);
        }

        DateTimeOffset now = _time.GetUtcNow();
        SnapshotView view = new(
            state.Newest, state.Serving, manifests, damaged, [.. pins.Where(p => !IsExpired(p, now))], verifications,
            objects);
        return (view, state, listing);
    }

    /// <summary>Reads the manifests of a store, the newest first, until one is wanted; nothing when none is.</summary>
    private async Task<object?> ReadNewestAsync(
        StoreId store, Predicate<object?> wanted, CancellationToken cancellationToken)
    {
        (_, SnapshotListing listing) = await ListAsync(cancellationToken, store).ConfigureAwait(false);
        foreach ((SnapshotId id, SharedEntry entry) in listing.Valid.Reverse())
        {
            object? read = await ReadOneAsync(id, entry, cancellationToken).ConfigureAwait(false);
            if (wanted(read))
            {
                return read;
            }
        }

        return null;
    }

    /// <summary>A manifest, what is wrong with it, or nothing when it vanished meanwhile.</summary>
    private async Task<object?> ReadOneAsync(SnapshotId id, SharedEntry entry, CancellationToken cancellationToken)
    {
        // Manifests never change: what was read once from the same file need not be read again.
        if (_known.TryGetValue(id, out (SharedEntry Entry, SnapshotManifest Manifest) known) && known.Entry == entry)
        {
            return known.Manifest;
        }

        string name = _paths.Manifest(id);
        byte[]? bytes = await _shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
        if (bytes is null)
        {
            return null;
        }

        try
        {
            SnapshotManifest manifest = ManifestMapping.Open(bytes, _paths.Id, id, name);
            _known[id] = (entry, manifest);
            return manifest;
        }
        catch (StorageException e)
        {
            return new DamagedSnapshot(name, id, e.Kind, e.Message);
        }
    }

    private async Task ReadVerificationAsync(
        SnapshotId id,
        Dictionary<SnapshotId, VerificationResult> verifications,
        List<DamagedSnapshot> damaged,
        CancellationToken cancellationToken)
    {
        string name = _paths.Verified(id);
        byte[]? bytes = await _shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
        if (bytes is null)
        {
            return;
        }

        try
        {
            VerificationDocument d = SealedDocument.Open(
                bytes, SharedDocuments.Default.VerificationDocument, Formats.Shared, "The verification", name);
            verifications[id] = new VerificationResult(d.Level, d.Passed, d.At, d.Node, d.Failure);
        }
        catch (StorageException e)
        {
            damaged.Add(new DamagedSnapshot(name, id, e.Kind, e.Message));
        }
    }
}
