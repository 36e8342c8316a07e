using Branching.Storage;

namespace Branching.Grains;

/// <summary>A stream under way: holds the store open and its view of it, until it ends or its grain is
/// deactivated.</summary>
internal sealed class OpenStream(Database database, StoreLease lease, ScanCursor cursor) : IDisposable
{
    private readonly StoreLease _lease = lease;
    private int _disposed;

    /// <summary>The next page; blocking.</summary>
    public bool ReadPage(int maxEntries, long maxBytes, List<KeyValueEntry> page)
    {
        try
        {
            return cursor.ReadPage(maxEntries, maxBytes, page);
        }
        catch (ObjectDisposedException)
        {
            throw new StorageException(
                Storage.FailureKind.Closed, "The stream was closed: its grain was deactivated. Open it again.");
        }
    }

    /// <summary>What <see cref="ReadPage"/> would have answered, had the lease not run out; once it is valid
    /// again.</summary>
    public async Task<bool> ConfirmPageAsync(CancellationToken cancellationToken)
    {
        await database.WaitForLeaseAsync(cancellationToken);
        return cursor.ConfirmPage();
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            cursor.Dispose();
            _lease.Dispose();
        }
    }
}
