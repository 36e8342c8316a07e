using System.Collections.Concurrent;
using System.Text.Json.Serialization.Metadata;
using Branching.Storage.Shared;

namespace Branching.Storage.Ownership;

/// <summary>Which epochs there are, and the rule of the newest that got as far as to serve.</summary>
/// <param name="Newest">The newest epoch claimed; 0 for none.</param>
/// <param name="Serving">The newest epoch with heads; 0 for none.</param>
/// <param name="Heads">Its heads.</param>
internal sealed record EpochState(Epoch Newest, Epoch Serving, HeadsRecord? Heads);

/// <summary>The newest epoch whose owner entered, and that owner; epoch 0 and null when none did.</summary>
internal readonly record struct Entry(Epoch Epoch, OwnerIdentity? Owner);

/// <summary>Reads claims, leases and heads.</summary>
internal sealed class EpochReader(ISharedStorage shared, DatabasePaths paths)
{
    private readonly ConcurrentDictionary<Epoch, HeadsRecord> _heads = new();

    public async Task<EpochState> ReadAsync(CancellationToken cancellationToken)
    {
        ulong newest = 0;
        ulong serving = 0;
        foreach (SharedEntry entry in await shared.ListAsync(paths.Epochs, cancellationToken).ConfigureAwait(false))
        {
            if (entry.Name.Length < 20 || !DatabasePaths.TryDigits(entry.Name.AsSpan(0, 20), out ulong number))
            {
                continue;
            }

            if (entry.Name.Length == 20 + DatabasePaths.Suffix.Length)
            {
                newest = Math.Max(newest, number);
            }
            else if (entry.Name.EndsWith(DatabasePaths.HeadsSuffix, StringComparison.Ordinal))
            {
                serving = Math.Max(serving, number);
            }
        }

        HeadsRecord? heads = serving == 0
            ? null
            : await ReadHeadsAsync(new Epoch(serving), cancellationToken).ConfigureAwait(false);
        return new EpochState(new Epoch(newest), new Epoch(serving), heads);
    }

    /// <summary>The heads of the first epoch after this one that has any.</summary>
    public async Task<HeadsRecord?> TryReadHeadsAfterAsync(Epoch epoch, CancellationToken cancellationToken)
    {
        ulong? first = null;
        foreach (SharedEntry entry in await shared.ListAsync(paths.Epochs, cancellationToken).ConfigureAwait(false))
        {
            if (entry.Name.Length == 20 + DatabasePaths.HeadsSuffix.Length
                && entry.Name.EndsWith(DatabasePaths.HeadsSuffix, StringComparison.Ordinal)
                && DatabasePaths.TryDigits(entry.Name.AsSpan(0, 20), out ulong number) && number > epoch.Value)
            {
                first = Math.Min(first ?? number, number);
            }
        }

        return first is { } next
            ? await ReadHeadsAsync(new Epoch(next), cancellationToken).ConfigureAwait(false)
            : null;
    }

    /// <summary>The newest epoch, up to this one, whose owner entered: usually the very one. One that was claimed and
    /// never entered names the one before it in its heads, so that many in a row cost no more than one.</summary>
    public async Task<Entry> FindEnteredAsync(Epoch newest, CancellationToken cancellationToken)
    {
        for (ulong number = newest.Value; number > 0; number--)
        {
            Epoch epoch = new(number);
            ClaimDocument claim = await ReadClaimAsync(epoch, cancellationToken).ConfigureAwait(false);
            if (await HasEnteredAsync(epoch, claim, cancellationToken).ConfigureAwait(false))
            {
                return new Entry(epoch, claim.Owner.ToIdentity());
            }

            if (await TryReadHeadsAsync(epoch, cancellationToken).ConfigureAwait(false) is { Entered: { } entered })
            {
                return entered.Value == 0
                    ? default
                    : new Entry(entered, (await ReadClaimAsync(entered, cancellationToken).ConfigureAwait(false))
                        .Owner.ToIdentity());
            }
        }

        return default;
    }

    /// <exception cref="StorageException"><see cref="FailureKind.Corruption"/>: it is not there.</exception>
    public async Task<ClaimDocument> ReadClaimAsync(Epoch epoch, CancellationToken cancellationToken) =>
        await TryReadClaimAsync(epoch, cancellationToken).ConfigureAwait(false)
        ?? throw new StorageException(
            FailureKind.Corruption,
            $"The claim '{paths.Claim(epoch)}' on shared storage '{shared.Location}' is listed, but cannot be " +
            "read. Check the storage; nothing was changed.");

    public Task<ClaimDocument?> TryReadClaimAsync(Epoch epoch, CancellationToken cancellationToken) =>
        TryReadAsync(paths.Claim(epoch), SharedDocuments.Default.ClaimDocument, "The claim", cancellationToken);

    public Task<LeaseDocument?> TryReadLeaseAsync(Epoch epoch, CancellationToken cancellationToken) =>
        TryReadAsync(paths.Lease(epoch), SharedDocuments.Default.LeaseDocument, "The lease", cancellationToken);

    private async Task<bool> HasEnteredAsync(Epoch epoch, ClaimDocument claim, CancellationToken cancellationToken) =>
        claim.Enters == true
            ? await shared.TryReadAsync(paths.Entered(epoch), cancellationToken).ConfigureAwait(false) is not null
            : await TryReadLeaseAsync(epoch, cancellationToken).ConfigureAwait(false) is { Serving: true };

    private async Task<T?> TryReadAsync<T>(
        string name, JsonTypeInfo<T> type, string what, CancellationToken cancellationToken)
        where T : class
    {
        byte[]? bytes = await shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
        return bytes is null ? null : SealedDocument.Open(bytes, type, Formats.Shared, what, name);
    }

    private async Task<HeadsRecord> ReadHeadsAsync(Epoch epoch, CancellationToken cancellationToken) =>
        await TryReadHeadsAsync(epoch, cancellationToken).ConfigureAwait(false) ?? throw new StorageException(
            FailureKind.Corruption,
            $"The heads '{paths.Heads(epoch)}' on shared storage '{shared.Location}' are listed, but cannot be read. " +
            "Check the storage.");

    private async Task<HeadsRecord?> TryReadHeadsAsync(Epoch epoch, CancellationToken cancellationToken)
    {
        if (_heads.TryGetValue(epoch, out HeadsRecord? known))
        {
            return known; // Written once, never changed.
        }

        HeadsDocument? document = await TryReadAsync(
            paths.Heads(epoch), SharedDocuments.Default.HeadsDocument, "The heads", cancellationToken)
            .ConfigureAwait(false);
        return document is null ? null : _heads.GetOrAdd(epoch, document.ToRecord());
    }
}
