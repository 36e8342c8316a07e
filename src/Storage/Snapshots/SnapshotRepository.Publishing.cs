using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>Publishing and retiring.</summary>
public sealed partial class SnapshotRepository
{
    /// <summary>Begins a publication; waits for a running collection.</summary>
    public async Task<Publication> BeginPublicationAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        IDisposable shared = await tenure.Publications.ShareAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await LoadAsync(tenure, cancellationToken).ConfigureAwait(false);
            return new Publication(tenure, shared);
        }
        catch
        {
            shared.Dispose();
            throw;
        }
    }

    /// <summary>Publishes a snapshot whose objects have all arrived. On return it exists for everybody.</summary>
    /// <param name="tenure">The owner.</param>
    /// <param name="draft">The manifest; its number, epoch, format, identities of the database and digest are set
    /// here.</param>
    /// <param name="cancellationToken">Ends the wait; then the outcome is unknown.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: it is not acknowledged; it exists only if
    /// the new owner found it. <see cref="FailureKind.Refused"/>: it names an object that is not there.</exception>
    public async Task<SnapshotId> PublishAsync(
        Tenure tenure, SnapshotManifest draft, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        ArgumentNullException.ThrowIfNull(draft);
        using IDisposable shared =
            await tenure.Publications.ShareAgainAsync(cancellationToken).ConfigureAwait(false);
        await LoadAsync(tenure, cancellationToken).ConfigureAwait(false);
        foreach (SnapshotFile file in draft.Files)
        {
            RequireObject(tenure, file);
        }

        while (true)
        {
            SnapshotId id = new(
                draft.Id.Store, tenure.Epoch, tenure.Memory.Numbers.AddOrUpdate(draft.Id.Store, 1, (_, n) => n + 1));
            SnapshotManifest manifest = draft with
            {
                Format = SnapshotManifest.CurrentFormat,
                DatabaseId = tenure.Database,
                DatabaseName = tenure.Name,
                Id = id,
                Sha256 = "",
            };
            bool put = await _shared.PutOursAsync(_paths.Manifest(id), manifest.Seal(), cancellationToken)
                .ConfigureAwait(false);
            if (put)
            {
                await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
                _logger.Published(_paths.Name, id, manifest.Files.Count, manifest.TotalBytes);
                return id;
            }

            // An attempt whose failure was answered arrived after all; it is a snapshot in its own right.
            await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the existence of a snapshot; its objects go with the next collection.</summary>
    /// <param name="tenure">The owner.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="evenLast">Also the last verified, or the only, snapshot of its store: for deleted
    /// branches.</param>
    /// <param name="cancellationToken">Ends the wait; then the outcome is unknown.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.Pinned"/>; <see cref="FailureKind.Refused"/>: it is
    /// the last verified one.</exception>
    public async Task RetireAsync(
        Tenure tenure, SnapshotId snapshot, bool evenLast, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tenure);
        using IDisposable alone = await tenure.Memory.Retiring.AloneAsync(cancellationToken).ConfigureAwait(false);
        (SnapshotView view, _, SnapshotListing listing) =
            await ReadAllAsync(cancellationToken).ConfigureAwait(false);
        if (!listing.Valid.ContainsKey(snapshot))
        {
            throw NotFound(snapshot);
        }

        if (!evenLast)
        {
            RefuseLast(view, snapshot);
        }

        await RefusePinnedAsync(snapshot, cancellationToken).ConfigureAwait(false);
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        TombstoneDocument document = new(
            Formats.Shared, snapshot.ToString(), tenure.Epoch.Value, tenure.Owner.NodeName, _time.GetUtcNow());
        byte[] bytes = SealedDocument.Seal(document, SharedDocuments.Default.TombstoneDocument);
        await AnnounceAsync(tenure, snapshot, bytes, cancellationToken).ConfigureAwait(false);
        await _shared.PutOursAsync(_paths.Retired(snapshot, tenure.Epoch), bytes, cancellationToken)
            .ConfigureAwait(false);
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        _logger.Retired(_paths.Name, snapshot);
        try
        {
            await DeleteRetiredAsync(snapshot, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            _logger.RetiredFilesLeft(_paths.Name, snapshot, e);
        }
    }

    private static void RequireObject(Tenure tenure, SnapshotFile file)
    {
        if (tenure.Memory.Names.TryGetValue(file.ObjectName, out string? sha256) && sha256 == file.Sha256)
        {
            return;
        }

        throw new StorageException(
            FailureKind.Refused,
            $"The snapshot names '{file.ObjectName}' for its file '{file.Name}', which is not known to be on shared " +
            "storage with that content. Send it within the same publication.");
    }

    private static void RefuseLast(SnapshotView view, SnapshotId snapshot)
    {
        List<SnapshotId> others =
            [.. view.Snapshots.Select(s => s.Id).Where(id => id.Store == snapshot.Store && id != snapshot)];
        if (others.Count == 0)
        {
            throw new StorageException(
                FailureKind.Refused,
                $"Snapshot {snapshot} is the only one of its store that can be restored: it is not retired. Take " +
                "another one first, or say that the last one shall go too.");
        }

        bool Passed(SnapshotId id) => view.Verifications.TryGetValue(id, out VerificationResult? v) && v.Passed;
        if (Passed(snapshot) && !others.Exists(Passed))
        {
            throw new StorageException(
                FailureKind.Refused,
                $"Snapshot {snapshot} is the last verified one of its store: it is not retired. Verify another one " +
                "first, or say that the last one shall go too.");
        }
    }

    private async Task LoadAsync(Tenure tenure, CancellationToken cancellationToken)
    {
        using IDisposable alone = await tenure.Memory.Loading.AloneAsync(cancellationToken).ConfigureAwait(false);
        if (tenure.Memory.Loaded)
        {
            return;
        }

        SnapshotView view = await ReadAsync(cancellationToken).ConfigureAwait(false);
        await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
        foreach (SnapshotFile file in view.Snapshots.SelectMany(s => s.Files))
        {
            tenure.Memory.Add(file.Sha256, file.ObjectName);
        }

        tenure.Memory.Loaded = true;
    }

    /// <summary>Tells who is about to pin that it is too late; gives way to a pin that was faster.</summary>
    private async Task AnnounceAsync(
        Tenure tenure, SnapshotId snapshot, byte[] bytes, CancellationToken cancellationToken)
    {
        string name = _paths.Retiring(snapshot, tenure.Epoch, tenure.NextObjectNumber());
        await _shared.PutIfAbsentAsync(name, bytes, cancellationToken).ConfigureAwait(false);
        try
        {
            await RefusePinnedAsync(snapshot, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException)
        {
            await _shared.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    private async Task RefusePinnedAsync(SnapshotId snapshot, CancellationToken cancellationToken)
    {
        DateTimeOffset now = _time.GetUtcNow();
        foreach (SnapshotPin pin in await ListPinsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (pin.Snapshot == snapshot && !IsExpired(pin, now))
            {
                throw new StorageException(
                    FailureKind.Pinned,
                    $"Snapshot {snapshot} is kept by the pin '{pin.Id}' of '{Names.Show(pin.CreatedBy)}': " +
                    $"{Names.Show(pin.Reason)}. Release the pin first.");
            }
        }
    }

    /// <summary>Deletes what a retired snapshot left, apart from the tombstone: a manifest whose put was answered
    /// with a failure may still arrive, and must stay retired. A collection takes the tombstone when it
    /// is older than the grace period.</summary>
    private async Task<List<string>> DeleteRetiredAsync(SnapshotId snapshot, CancellationToken cancellationToken)
    {
        _known.TryRemove(snapshot, out _);
        List<string> deleted = [];
        string directory = _paths.SnapshotsOf(snapshot.Store);
        string stem = _paths.Manifest(snapshot)[(directory.Length + 1)..^DatabasePaths.Suffix.Length];
        IReadOnlyList<SharedEntry> entries =
            await _shared.ListAsync(directory, cancellationToken).ConfigureAwait(false);
        foreach (SharedEntry entry in entries)
        {
            if (entry.Name.StartsWith(stem + ".", StringComparison.Ordinal)
                && !entry.Name.Contains(".retired-", StringComparison.Ordinal))
            {
                await _shared.DeleteAsync($"{directory}/{entry.Name}", cancellationToken).ConfigureAwait(false);
                deleted.Add($"{directory}/{entry.Name}");
            }
        }

        return deleted;
    }
}
