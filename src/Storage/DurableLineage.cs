using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>Keeps the catalog on shared storage in step with the owner's. Thread-safe.</summary>
/// <remarks>
/// <para>
/// A change of a durable branch is answered only when shared storage has it. The owner's local catalog is the truth of
/// its own tenure: what a crash or an unknown outcome left different on shared storage is corrected before the next
/// change and when the owner opens the database again. For the next owner shared storage is the truth.
/// </para>
/// <para>
/// An ephemeral branch is put there only when a durable one descends from it, so that lineage stays whole.
/// </para>
/// </remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "The semaphore never hands out a wait handle.")]
internal sealed class DurableLineage
{
    private readonly SharedCatalog _catalog;
    private readonly Tenure _tenure;
    private readonly Disk _disk;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Dictionary<StoreId, BranchRecord> _known;
    private readonly Dictionary<StoreId, BranchRecord> _corrections = [];
    private readonly ConcurrentDictionary<string, string> _policies;

    public DurableLineage(SharedCatalog catalog, Tenure tenure, CatalogState state, Disk disk)
    {
        _catalog = catalog;
        _tenure = tenure;
        _disk = disk;
        _known = new Dictionary<StoreId, BranchRecord>(state.Branches);
        _policies = new ConcurrentDictionary<string, string>(state.Policies, StringComparer.Ordinal);
    }

    public IReadOnlyDictionary<string, string> Policies => _policies;

    /// <summary>Makes a change of a branch known; its ancestors go before it.</summary>
    /// <param name="record">The new record.</param>
    /// <param name="before">What is true again when this fails; <see langword="null"/>: the branch never was.</param>
    /// <param name="ancestors">From the parent to the main store.</param>
    public async Task SetAsync(BranchRecord record, BranchRecord? before, IEnumerable<BranchRecord> ancestors)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (record.Durability == BranchDurability.Ephemeral && !_known.ContainsKey(record.Id))
            {
                return;
            }

            await CorrectAsync(CancellationToken.None).ConfigureAwait(false);
            foreach (BranchRecord ancestor in ancestors.Where(a => !_known.ContainsKey(a.Id)))
            {
                await AppendAsync(ancestor, CancellationToken.None).ConfigureAwait(false);
            }

            try
            {
                await AppendAsync(record, CancellationToken.None).ConfigureAwait(false);
            }
            catch
            {
                _corrections[record.Id] = before ?? record with { State = BranchState.Deleted };
                throw;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The caller's own step failed after the change was made known: what was before is true again.</summary>
    public async Task TakeBackAsync(BranchRecord before)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_known.ContainsKey(before.Id))
            {
                _corrections[before.Id] = before;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>
    /// Makes changes known that are true here in any case: when this fails they are made before the next change.
    /// </summary>
    public async Task PromiseAsync(IEnumerable<BranchRecord> records)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            foreach (BranchRecord record in records.Where(r => IsLiving(r) || _known.ContainsKey(r.Id)))
            {
                _corrections[record.Id] = record;
            }

            await CorrectAsync(CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task SetPolicyAsync(string key, string? value, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await CorrectAsync(cancellationToken).ConfigureAwait(false);
            _disk.Reach(SharingStep.LineageSharing);
            await _catalog.AppendAsync(
                _tenure, new CatalogChange(Policy: new PolicyChange(key, value)), cancellationToken)
                .ConfigureAwait(false);
            _disk.Reach(SharingStep.LineageShared);
            if (value is null)
            {
                _policies.TryRemove(key, out _);
            }
            else
            {
                _policies[key] = value;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Brings shared storage to what the owner's catalog says.</summary>
    public async Task SyncAsync(IReadOnlyCollection<BranchRecord> local, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Dictionary<StoreId, BranchRecord> byId = local.ToDictionary(record => record.Id);
            HashSet<StoreId> needed = Needed(byId);
            foreach (BranchRecord record in local.OrderBy(r => r.Depth).ThenBy(r => r.Id))
            {
                bool known = _known.TryGetValue(record.Id, out BranchRecord? there);
                if (known ? IsLiving(there!) != IsLiving(record) || there!.Name != record.Name
                    || there.ChangeLog != record.ChangeLog
                    : needed.Contains(record.Id))
                {
                    _corrections[record.Id] = record;
                }
            }

            foreach (BranchRecord forgotten in _known.Values.Where(r => IsLiving(r) && !byId.ContainsKey(r.Id)))
            {
                _corrections[forgotten.Id] = forgotten with { State = BranchState.Deleted };
            }

            await CorrectAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Durable branches that are not deleted, and all their ancestors.</summary>
    private static HashSet<StoreId> Needed(Dictionary<StoreId, BranchRecord> byId)
    {
        HashSet<StoreId> needed = [];
        foreach (BranchRecord record in byId.Values)
        {
            if (IsLiving(record) && record.Durability == BranchDurability.Durable)
            {
                for (BranchRecord? at = record; at is not null && needed.Add(at.Id);)
                {
                    at = at.ParentId is { } parent ? byId.GetValueOrDefault(parent) : null;
                }
            }
        }

        return needed;
    }

    private static bool IsLiving(BranchRecord record) => record.State != BranchState.Deleted;

    private async Task CorrectAsync(CancellationToken cancellationToken)
    {
        // New ones first: in between, a name may have two stores, but a database is never without its main store.
        foreach (BranchRecord record in _corrections.Values
            .OrderByDescending(IsLiving).ThenBy(r => r.Depth).ThenBy(r => r.Id).ToArray())
        {
            await AppendAsync(record, cancellationToken).ConfigureAwait(false);
            _corrections.Remove(record.Id);
        }
    }

    private async Task AppendAsync(BranchRecord record, CancellationToken cancellationToken)
    {
        // How a branch fares on one node (missing, damaged, being deleted) is nobody else's state.
        BranchRecord shared = record with { State = IsLiving(record) ? BranchState.Ready : BranchState.Deleted };
        _disk.Reach(SharingStep.LineageSharing);
        await _catalog.AppendAsync(_tenure, new CatalogChange(shared), cancellationToken).ConfigureAwait(false);
        _disk.Reach(SharingStep.LineageShared);
        _known[record.Id] = shared;
    }
}
