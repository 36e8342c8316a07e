using System.Security.Cryptography;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Ownership;

/// <summary>Looks at and takes the ownership of one database.</summary>
/// <remarks>
/// Only awaits shared storage and the clock: no thread, no thread pool, so that the protocol can be simulated.
/// </remarks>
public sealed partial class DatabaseOwnership
{
    private readonly ISharedStorage _shared;
    private readonly DatabasePaths _paths;
    private readonly OwnershipOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ProtocolRules _rules;
    private readonly EpochReader _epochs;

    /// <summary>Looks at one database.</summary>
    /// <param name="shared">The shared storage.</param>
    /// <param name="name">The database's name.</param>
    /// <param name="id">The database's identity.</param>
    /// <param name="options">Lengths of leases.</param>
    /// <param name="time">The clock of this process.</param>
    /// <param name="logger">Told of claims, takeovers and fencing.</param>
    public DatabaseOwnership(
        ISharedStorage shared,
        DatabaseName name,
        DatabaseId id,
        OwnershipOptions options,
        TimeProvider time,
        ILogger logger)
        : this(shared, name, id, options, time, logger, ProtocolRules.All)
    {
    }

    internal DatabaseOwnership(
        ISharedStorage shared,
        DatabaseName name,
        DatabaseId id,
        OwnershipOptions options,
        TimeProvider time,
        ILogger logger,
        ProtocolRules rules)
    {
        _shared = shared;
        _paths = new DatabasePaths(name, id);
        _options = options;
        _time = time;
        _logger = logger;
        _rules = rules;
        _epochs = new EpochReader(shared, _paths);
    }

    /// <summary>Who owns the database now.</summary>
    public async Task<OwnershipStatus> LookAsync(CancellationToken cancellationToken)
    {
        EpochState state = await _epochs.ReadAsync(cancellationToken).ConfigureAwait(false);
        if (state.Newest.Value == 0)
        {
            return new OwnershipStatus(state.Newest, null, Released: false, null);
        }

        ClaimDocument claim = await _epochs.ReadClaimAsync(state.Newest, cancellationToken).ConfigureAwait(false);
        LeaseDocument? lease =
            await _epochs.TryReadLeaseAsync(state.Newest, cancellationToken).ConfigureAwait(false);
        Entry entry = await _epochs.FindEnteredAsync(state.Newest, cancellationToken).ConfigureAwait(false);
        return new OwnershipStatus(
            state.Newest, claim.Owner.ToIdentity(), lease?.Released ?? false, claim.At, claim.Drop, entry.Epoch,
            entry.Owner);
    }

    /// <summary>Claims the next epoch, after the former owner's lease has ended.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.NotOwner"/>: the owner renews its lease, or another taker was faster;
    /// <see cref="FailureKind.DatabaseNotFound"/>: the database is dropped.
    /// </exception>
    public async Task<Claim> ClaimAsync(
        OwnerIdentity me, ClaimOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(me);
        ArgumentNullException.ThrowIfNull(options);
        EpochState state = await _epochs.ReadAsync(cancellationToken).ConfigureAwait(false);
        ClaimDocument? former = state.Newest.Value == 0
            ? null
            : await _epochs.ReadClaimAsync(state.Newest, cancellationToken).ConfigureAwait(false);
        if (former is { Drop: true })
        {
            throw Dropped();
        }

        if (former is not null && former.Owner.NodeId != me.NodeId)
        {
            options = options with { FormerOwnerIsThisNode = false };
        }

        LeaseLook? look = former is null
            ? null
            : await LookAtLeaseAsync(former, options, cancellationToken).ConfigureAwait(false);
        Epoch next = new(state.Newest.Value + 1);
        if (options.BeforeClaim is { } before)
        {
            await before(next, cancellationToken).ConfigureAwait(false);
        }

        await PutClaimAsync(me, next, cancellationToken).ConfigureAwait(false);
        _logger.Claimed(_paths.Name, next, former?.Owner.NodeName ?? "nobody");
        return await CompleteAsync(me, next, former, look, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What follows the claim: the lease is renewed, the former one looked at again, the heads read, and who
    /// entered last. An owner that enters later sees the claim.</summary>
    private async Task<Claim> CompleteAsync(
        OwnerIdentity me,
        Epoch next,
        ClaimDocument? former,
        LeaseLook? look,
        ClaimOptions options,
        CancellationToken cancellationToken)
    {
        HeadsRecord none = new(next, new Dictionary<StoreId, IReadOnlyList<SnapshotRange>>(), [], []);
        Tenure tenure = new(_shared, _paths, me, none, _options, _rules, _time, _logger);
        tenure.BeginRenewing();
        try
        {
            Func<CancellationToken, Task> awaitFormerOwner =
                await LookAgainAsync(former, look, options, cancellationToken).ConfigureAwait(false);
            HeadsRecord heads = await new HeadsReader(_shared, _paths, _epochs, _rules)
                .ReadAsync(next, cancellationToken).ConfigureAwait(false);
            Epoch before = new(next.Value - 1);
            Entry entry = await _epochs.FindEnteredAsync(before, cancellationToken).ConfigureAwait(false);
            tenure.Heads = heads with { Entered = entry.Epoch };
            OwnershipStatus status = new(
                before, former?.Owner.ToIdentity(), look?.Released ?? false, former?.At, Dropped: false, entry.Epoch,
                entry.Owner);
            return new Claim(tenure, status, awaitFormerOwner);
        }
        catch
        {
            await tenure.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task PutClaimAsync(OwnerIdentity me, Epoch epoch, CancellationToken cancellationToken)
    {
        ClaimDocument claim = new(
            Formats.Shared, epoch.Value, OwnerDocument.Of(me), _time.GetUtcNow(),
            (long)_options.LeaseLength.TotalMilliseconds, RandomNumberGenerator.GetHexString(32, lowercase: true),
            Drop: false, Enters: true);
        byte[] bytes = SealedDocument.Seal(claim, SharedDocuments.Default.ClaimDocument);
        if (await _shared.PutOursAsync(_paths.Claim(epoch), bytes, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        ClaimDocument winner = await _epochs.ReadClaimAsync(epoch, cancellationToken).ConfigureAwait(false);
        throw winner.Drop ? Dropped() : NotOwner(winner, "was faster to take it over");
    }

    private StorageException Dropped() => new(
        FailureKind.DatabaseNotFound,
        $"Database '{_paths.Name}' ({_paths.Id}) was dropped; nobody can own it any more.");

    private StorageException NotOwner(ClaimDocument owner, string why) => new(
        FailureKind.NotOwner,
        $"Node {owner.Owner.NodeName} owns database '{_paths.Name}' (epoch {owner.Epoch}) and {why}. Ask that node; " +
        "it is taken over when it stops renewing its lease.");
}
