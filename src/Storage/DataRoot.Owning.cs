using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <content>
/// Taking a database: which local copy may go on, which is stale, and who may decide that.
/// </content>
/// <remarks>
/// <para>
/// A local copy goes on only when the newest epoch on shared storage is its own: the one in <c>database.json</c>, or
/// the one it was about to claim there (<c>claiming</c>) under the same process id. Every other copy of a shared
/// database is stale and is set aside whole before a restored one takes its place; it is never merged. It is removed
/// only when it was released in order and everything in it is known to be held elsewhere (DataRoot.Released.cs).
/// </para>
/// <para>
/// The tenure begins before anything is restored, so its lease is renewed meanwhile; the commit point of a takeover on
/// this node is the rename out of <c>building/</c>. Killed before it, the next attempt begins anew with a later epoch.
/// </para>
/// </remarks>
public sealed partial class DataRoot
{
    private static readonly TimeSpan _releaseDeadline = TimeSpan.FromSeconds(5);

    private bool _serveDetached;
    private int _maxRestoreAttempts = new SharedStorageOptions().MaxRestoreAttempts;
    private string? _processId;

    /// <summary>Whether databases of this root outlive their node.</summary>
    public bool HasSharedStorage => _shared is not null;

    /// <summary>This process on this node, as it is written to shared storage.</summary>
    public OwnerIdentity Node => new(
        _shared?.Options.NodeName is { Length: > 0 } name ? name : $"node-{NodeId[^8..]}", NodeId,
        LazyInitializer.EnsureInitialized(ref _processId, static () => string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(16, lowercase: true)}")));

    /// <summary>Whether a database is on this node and never was on shared storage.</summary>
    public bool IsOnlyHere(DatabaseName name) =>
        _databases.TryGetValue(name, out Database? database) && !database.Document.IsShared;

    /// <summary>The shared storage, opened when first asked for.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.NotSupported"/>: none is configured; or it cannot be
    /// opened now.</exception>
    public ValueTask<ISharedStorage> GetSharedStorageAsync(CancellationToken cancellationToken) =>
        (_shared ?? throw new StorageException(
            FailureKind.NotSupported,
            $"No shared storage is configured, so nothing survives this node. Set {SharedStorageOptions.Section}:" +
            "Directory.")).LookAsync(cancellationToken);

    /// <summary>Makes this node the owner of a database and serves it; the owner just gets it.</summary>
    /// <remarks>
    /// Without shared storage this is <see cref="GetDatabaseAsync"/>. Nothing ever starts empty: where there is neither
    /// a local copy of the newest epoch nor a snapshot, it fails.
    /// </remarks>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.NotOwner"/>: its owner renews the lease, the message names it;
    /// <see cref="FailureKind.DatabaseNotFound"/>; <see cref="FailureKind.NothingToRestore"/>;
    /// <see cref="FailureKind.SnapshotDamaged"/>; <see cref="FailureKind.SharedStorageUnavailable"/>: nobody can be
    /// fenced, so nothing is taken; <see cref="FailureKind.Refused"/>: the message says which rule and how to go on.
    /// </exception>
    public async Task<Database> OwnDatabaseAsync(
        DatabaseName name, OwnRequest request, IProgress<TakeoverProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        ThrowIfDisposed();
        if (_shared is not { } access)
        {
            return await GetDatabaseAsync(name, cancellationToken).ConfigureAwait(false);
        }

        if (FindServing(name) is { } serving && await IsStillOwnedAsync(serving, cancellationToken)
            .ConfigureAwait(false))
        {
            return serving;
        }

        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, _stopping.Token);
        using IDisposable turn = await _turns.EnterAsync(name, stop.Token).ConfigureAwait(false);
        ThrowIfDisposed();
        if (FindServing(name) is { Tenure.EndCause: null } meanwhile)
        {
            return meanwhile;
        }

        request = request with
        {
            AcceptOlderSnapshots = request.AcceptOlderSnapshots || access.Options.AcceptOlderSnapshots,
            AcceptUnknown = request.AcceptUnknown || access.Options.AcceptUnknown,
        };
        try
        {
            if (_databases.TryGetValue(name, out Database? ended) && ended.Tenure is not null)
            {
                await LayDownAsync(ended).ConfigureAwait(false); // Whoever was told of its end waits for this turn.
            }

            return await OwnAsync(access, name, request, progress, stop.Token).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new StorageException(e.Kind, $"Database '{name}' was not taken: {e.Message}", e);
        }
    }

    /// <summary>Gives a database up by plan: closes it here, then lets the next owner in at once.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InUse"/>: a branch was still in use, and the database serves on.
    /// </exception>
    public async Task ReleaseDatabaseAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        using IDisposable turn = await _turns.EnterAsync(name, cancellationToken).ConfigureAwait(false);
        if (FindServing(name) is not { Tenure: { } tenure } database)
        {
            return;
        }

        await database.RetireAllAsync().ConfigureAwait(false);
        database.End(new StorageException(
            FailureKind.Moved, $"node '{Node.NodeName}' gave it up in epoch {tenure.Epoch}; ask for it again."));
        await LayDownAsync(database).ConfigureAwait(false);
        await tenure.ReleaseAsync(cancellationToken).ConfigureAwait(false);
        _logger.DatabaseReleased(name, tenure.Epoch);
        await Task.Run(() => NoteRelease(database, tenure), CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Why a database of this root is not served; <see langword="null"/> when it is or is not here.</summary>
    public StorageException? WhyNotServed(DatabaseName name) => _failed.GetValueOrDefault(name);

    private Database? FindServing(DatabaseName name) =>
        _databases.TryGetValue(name, out Database? database) && database.IsServing ? database : null;

    /// <summary>
    /// Whether this node goes on as the owner. Without a valid lease shared storage is asked; when it does not answer
    /// either, nobody can have been told otherwise yet, and the database refuses by itself what it may not answer.
    /// </summary>
    private static async Task<bool> IsStillOwnedAsync(Database serving, CancellationToken cancellationToken)
    {
        if (serving.Tenure is not { IsValid: false } tenure)
        {
            return true;
        }

        try
        {
            await tenure.ConfirmAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (StorageException) when (tenure.EndCause is null)
        {
            return true; // Unknown: the next renewal, or the next call, tells.
        }
        catch (StorageException)
        {
            return false; // Over: the cause is kept by the tenure, and the database is taken anew.
        }
    }

    private async Task<Database> OwnAsync(
        SharedAccess access, DatabaseName name, OwnRequest request, IProgress<TakeoverProgress>? progress,
        CancellationToken cancellationToken)
    {
        progress?.Report(new TakeoverProgress(TakeoverStep.Looking, default));
        long start = _time.GetTimestamp();
        ISharedStorage shared = await access.OpenAsync(cancellationToken).ConfigureAwait(false);
        Life life = await FindLifeAsync(shared, name, request, cancellationToken).ConfigureAwait(false);
        DatabaseOwnership ownership = OwnershipOf(access, shared, life);
        OwnershipStatus status = await ownership.LookAsync(cancellationToken).ConfigureAwait(false);
        DatabaseDocument? local = TryReadDocument(name);
        bool current = IsCurrent(local, life, status);
        progress?.Report(new TakeoverProgress(TakeoverStep.Claiming, status.Newest));
        Claim claim = await ownership.ClaimAsync(
            Node,
            new ClaimOptions(
                FormerOwnerIsThisNode: IsThisNode(status.Owner),
                request.WaitForLease,
                current
                    ? (epoch, _) => IntendClaimAsync(name, local!, epoch, status)
                    : (_, stop) => ThrowIfNothingToRestoreAsync(shared, life, request, status, stop)),
            cancellationToken).ConfigureAwait(false);
        // Given up when it does not come to serve: a claim that is renewed on and on keeps every other node out.
        await using ConfiguredAsyncDisposable giveUp = claim.ConfigureAwait(false);
        _disk.Reach(SharingStep.ClaimMade);
        if (current && !IsCurrent(local, life, claim.Before))
        {
            // Somebody had it between the look and the claim.
            current = false;
            await ThrowIfNothingToRestoreAsync(shared, life, request, claim.Before, cancellationToken)
                .ConfigureAwait(false);
        }

        Tenure tenure = await claim.ServeAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _disk.Reach(SharingStep.TenureServing);
            OwnedDatabase owned = Owned(access, shared, life, tenure, request, progress, claim.Before);
            Database database = current
                ? await KeepAsync(owned, cancellationToken).ConfigureAwait(false)
                : await TakeOverAsync(owned, cancellationToken).ConfigureAwait(false);
            progress?.Report(new TakeoverProgress(TakeoverStep.Serving, tenure.Epoch));
            _logger.DatabaseOwned(
                name, tenure.Epoch, database.OwnedBy, _time.GetElapsedTime(start).TotalMilliseconds);
            return database;
        }
        catch (Exception e)
        {
            await ReleaseQuietlyAsync(tenure).ConfigureAwait(false);
            await LayDownUnservedAsync(name, tenure, e).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Whether a former owner was this very node in an earlier life, whose lease need not be watched: the lock of the
    /// data root says that it is dead. A copied data root has its id; only the name, too, makes it unlikely.
    /// </summary>
    private bool IsThisNode(OwnerIdentity? owner) => owner?.NodeId == NodeId && owner.NodeName == Node.NodeName;

    private DatabaseOwnership OwnershipOf(SharedAccess access, ISharedStorage shared, Life life) =>
        new(shared, life.Name, life.Id, access.Ownership, _time, _logger);

    private OwnedDatabase Owned(
        SharedAccess access, ISharedStorage shared, Life life, Tenure tenure, OwnRequest request,
        IProgress<TakeoverProgress>? progress, OwnershipStatus before) => new(
        access, shared, life, tenure, request, progress, new SharedCatalog(shared, life.Name, life.Id, _logger),
        new SnapshotRepository(shared, life.Name, life.Id, _time, _logger), before);

    /// <summary>Whether the local copy holds everything that was acknowledged.</summary>
    private bool IsCurrent(DatabaseDocument? local, Life life, OwnershipStatus status) =>
        local is not null && local.Id == life.Id.ToString() && IsCurrent(local, status);

    private bool IsCurrent(DatabaseDocument local, OwnershipStatus status) =>
        status.IsCurrent(new Epoch(local.Epoch), local.Claiming, NodeId);

    /// <summary>
    /// Which database the name means. Sets a copy of a former life aside; puts an unshared one there.
    /// </summary>
    private async Task<Life> FindLifeAsync(
        ISharedStorage shared, DatabaseName name, OwnRequest request, CancellationToken cancellationToken)
    {
        DatabaseLives lives = new(shared);
        Life? life = await lives.FindAsync(name, cancellationToken).ConfigureAwait(false);
        DatabaseDocument? local = TryReadDocument(name);
        if (local is null)
        {
            return life is { Dropped: false } ? life : throw NotFound(name);
        }

        if (life is { Dropped: false })
        {
            if (local.Id != life.Id.ToString())
            {
                await RetireFormerLifeAsync(local, life).ConfigureAwait(false);
            }

            return life;
        }

        if (!local.IsShared || (life is null && request.AcceptUnknown))
        {
            DatabaseId id = DatabaseId.Parse(local.Id);
            Life reserved = await lives.ReserveAsync(name, id, local.CreatedBy, local.CreatedAt, cancellationToken)
                .ConfigureAwait(false);
            _disk.Reach(SharingStep.LifeReserved);
            return reserved;
        }

        if (life is null)
        {
            throw new StorageException(
                FailureKind.Refused,
                $"this node's copy was on shared storage before, but '{shared.Location}' does not know it. Make sure " +
                $"that the right directory is mounted; then set {SharedStorageOptions.Section}:AcceptUnknown for one " +
                "start to put the copy there.");
        }

        await RetireFormerLifeAsync(local, life).ConfigureAwait(false);
        throw NotFound(name);
    }

    private async Task RetireFormerLifeAsync(DatabaseDocument local, Life life)
    {
        if (!local.IsShared && !life.Dropped)
        {
            throw new StorageException(
                FailureKind.DatabaseExists,
                $"this node holds another database of that name ({local.Id}) that never was on shared storage, where " +
                $"the name belongs to {life.Id}, created by '{life.CreatedBy}' on {life.CreatedAt:u}. Stop this node " +
                "and move its directory away, or drop the other one.");
        }

        string reason = life.Dropped
            ? $"the database was dropped while this node was away"
            : $"the database was dropped while this node was away, and another one ({life.Id}) has its name";
        await SetAsideLocalAsync(local, reason, default, static _ => null).ConfigureAwait(false);
    }

    /// <summary>Closes the local copy and sets it aside whole.</summary>
    private async Task SetAsideLocalAsync(
        DatabaseDocument local, string reason, Epoch newest, Func<StoreId, Sequence?> restored)
    {
        DatabaseName name = DatabaseName.Parse(local.Name);
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            ThrowIfDisposed();
            _databases.TryGetValue(name, out Database? database);
            if (database is not null)
            {
                database.End(new StorageException(FailureKind.StaleStore, reason + "; its copy here is set aside."));
                await database.CloseStoresAsync().ConfigureAwait(false);
                await database.CloseAsync(markClean: false).ConfigureAwait(false);
            }

            await Task.Run(() => SetAsideDatabase(name, reason, Describe(local, database, newest, restored)))
                .ConfigureAwait(false);
            _databases.TryRemove(name, out _);
            _failed.TryRemove(name, out _);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>
    /// Durable before the claim: whoever finds that this process entered the epoch knows that the local copy is its.
    /// </summary>
    private Task IntendClaimAsync(
        DatabaseName name, DatabaseDocument local, Epoch epoch, OwnershipStatus status) => Task.Run(() =>
    {
        WriteDocument(name, local with
        {
            Epoch = status.EpochOfCurrent(new Epoch(local.Epoch)).Value,
            Shared = true,
            Claiming = new ClaimIntent(epoch.Value, Node.ProcessId),
        });
        _disk.Reach(SharingStep.ClaimIntended);
    });

    private void WriteDocument(DatabaseName name, DatabaseDocument document)
    {
        if (_databases.TryGetValue(name, out Database? database))
        {
            database.SetIdentity(document);
        }
        else
        {
            new DatabaseFiles(_disk, Path.Combine(Databases, name.Value), _time).WriteIdentity(document);
        }
    }

    /// <summary>The local copy's identity; <see langword="null"/> when there is no copy.</summary>
    private DatabaseDocument? TryReadDocument(DatabaseName name)
    {
        if (_databases.TryGetValue(name, out Database? database))
        {
            return database.Document;
        }

        string directory = Path.Combine(Databases, name.Value);
        return System.IO.Directory.Exists(directory)
            ? new DatabaseFiles(_disk, directory, _time).ReadIdentity()
            : null;
    }

    private async Task ReleaseQuietlyAsync(Tenure? tenure)
    {
        if (tenure is null)
        {
            return;
        }

        try
        {
            using CancellationTokenSource deadline = new(_releaseDeadline, _time);
            await (_abandoned ? tenure.DisposeAsync().AsTask() : tenure.ReleaseAsync(deadline.Token))
                .ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or OperationCanceledException)
        {
            // Not released means that the next owner waits for the lease to run out.
            _logger.TenureNotReleased(tenure.Name, tenure.Epoch, e);
        }

        await tenure.DisposeAsync().ConfigureAwait(false);
    }
}

/// <summary>A database whose tenure has begun and that is about to be served.</summary>
internal sealed record OwnedDatabase(
    SharedAccess Access, ISharedStorage Shared, Life Life, Tenure Tenure, OwnRequest Request,
    IProgress<TakeoverProgress>? Progress, SharedCatalog Catalog, SnapshotRepository Repository,
    OwnershipStatus Before)
{
    public DatabaseName Name => Life.Name;
}
