using Branching.RocksDb;
using Microsoft.Extensions.Logging;

namespace Branching.Storage;

/// <content>A store that is only looked at.</content>
public sealed partial class LocalStore
{
    /// <summary>Whether the store refuses everything that would change it.</summary>
    public bool IsReadOnly { get; private init; }

    /// <summary>
    /// Opens an existing store to look at it. Takes no lock, so another process may write it meanwhile; what that
    /// writes after the opening is not seen. Blocking: replays the write-ahead log into memory.
    /// </summary>
    /// <remarks>Every write fails with <see cref="FailureKind.ReadOnly"/>, and so does a checkpoint.</remarks>
    /// <param name="directory">The store's directory.</param>
    /// <param name="label">What the store is, used in every message.</param>
    /// <param name="resources">What the stores of a process share; must outlive the store.</param>
    /// <param name="logger">Where the store reports.</param>
    /// <param name="time">The clock by which keys expire.</param>
    /// <exception cref="StorageException">The store could not be opened; the kind says why.</exception>
    public static LocalStore OpenReadOnly(
        string directory, string label, StoreResources resources, ILogger logger, TimeProvider time)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentException.ThrowIfNullOrEmpty(label);
        ArgumentNullException.ThrowIfNull(resources);
        ArgumentNullException.ThrowIfNull(logger);
        ArgumentNullException.ThrowIfNull(time);
        long start = time.GetTimestamp();
        CheckPresence(directory, label, create: false);
        RocksDatabase database;
        try
        {
            database = RocksDatabase.OpenReadOnly(
                directory,
                resources.CreateDatabaseOptions(create: false),
                families: resources.DescribeFamilies(directory, label, tuning: null));
        }
        catch (RocksDbException e)
        {
            throw LocalStoreFailure.From(e, $"Opening {label} at {directory}");
        }

        LocalStore store = new(directory, label, resources, logger, time, database, LocalStoreSeams.Real, tuning: null)
        {
            IsReadOnly = true,
        };
        resources.Add(store);
        logger.StoreOpened(label, directory, store.LastAcknowledged, time.GetElapsedTime(start).TotalMilliseconds);
        return store;
    }

    private void ThrowIfReadOnly()
    {
        if (IsReadOnly)
        {
            throw ReadOnlyRefusal();
        }
    }

    private StorageException ReadOnlyRefusal() => new(
        FailureKind.ReadOnly, $"{Label} is open for reading only: nothing was changed. Open it for writing.");
}
