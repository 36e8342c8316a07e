using System.Collections.Concurrent;

namespace Branching.Storage;

/// <content>What is known of stores that could not be opened.</content>
public sealed partial class Database
{
    private readonly ConcurrentDictionary<StoreId, string> _damage = new();

    /// <summary>Whether a failure means that a store is not what was written, which trying again does not mend.
    /// </summary>
    public static bool IsDamage(StorageException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return failure.Kind is FailureKind.Corruption or FailureKind.UnknownStore or FailureKind.MissingStore;
    }

    /// <summary>Why a store could not be opened when it was tried last; <see langword="null"/> when it could, or when
    /// nobody has tried.</summary>
    public string? DamageOf(StoreId store) => _damage.GetValueOrDefault(store);

    private async Task<StoreLease> OpenAsync(BranchRecord record, StoreSlot? slot, CancellationToken cancellationToken)
    {
        try
        {
            slot ??= SlotOf(record);
            if (!slot.IsOpen)
            {
                await Task.Run(() => CheckMark(record), cancellationToken).ConfigureAwait(false);
            }

            StoreLease lease = await slot.AcquireAsync(record, cancellationToken).ConfigureAwait(false);
            _damage.TryRemove(record.Id, out _);
            return lease;
        }
        catch (StorageException e) when (IsDamage(e))
        {
            _damage[record.Id] = e.Message;
            throw;
        }
    }
}
