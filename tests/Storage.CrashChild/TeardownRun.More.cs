using System.Buffers;
using Branching.Storage.Backups;
using Branching.Storage.Changes;
using Branching.Storage.Transactions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <content>Transactions, backups and the change log under those who use the store.</content>
internal sealed partial class TeardownRun
{
    private const int SharedKeys = 4;
    private const int BackupsKept = 2;

    // Short: one that waits for another's lock is to see the store closed as often as the lock freed.
    private static readonly TimeSpan _lockTimeout = TimeSpan.FromMilliseconds(200);

    private BackupDirectory? _backups;

    /// <summary>Where the change log is; the test reads it there (TeardownTests).</summary>
    private static ChangeLogPlace LogOf(string directory) => new(
        directory + "-changes", DatabaseId.Parse(new string('1', 32)), StoreId.Parse(new string('2', 32)));

    /// <summary>A transaction that is open when the process ends: nothing of it may be found afterwards.</summary>
    public async Task<StoreTransaction> LeaveOpenAsync()
    {
        StoreTransaction transaction = _store!.BeginTransaction(
            new StoreTransactionOptions { Mode = TransactionMode.Pessimistic });
        await transaction.PutAsync(null, "never committed"u8.ToArray(), "x"u8.ToArray()).ConfigureAwait(false);
        return transaction;
    }

    private async Task CommitAsync(LocalStore store, int user, TransactionMode mode, Random random)
    {
        StoreTransactionOptions options = new()
        {
            Mode = mode,
            Durability = random.Next(8) == 0 ? Durability.Sync : Durability.Buffered,
            ValidateReads = mode == TransactionMode.Optimistic && random.Next(2) == 0,
            LockTimeout = _lockTimeout,
        };
        StoreTransaction transaction = store.BeginTransaction(options);
        bool isLeft = random.Next(16) == 0; // Somebody forgot it: closing the store must not wait for it.
        try
        {
            byte[] meeting = KeyOf(users + random.Next(SharedKeys));
            transaction.TryGet(null, KeyOf(random.Next(users)), new ArrayBufferWriter<byte>());
            if (isLeft)
            {
                // A key of its own, and not locked, or nobody could write it again.
                if (mode == TransactionMode.Optimistic)
                {
                    await transaction.PutAsync(null, meeting, meeting).ConfigureAwait(false);
                }

                return;
            }

            await transaction.GetForUpdateAsync(null, meeting, new ArrayBufferWriter<byte>()).ConfigureAwait(false);
            byte[] value = NextValue(user, out ulong number);
            await transaction.PutAsync(null, KeyOf(user), value).ConfigureAwait(false);
            await transaction.PutAsync(null, meeting, value).ConfigureAwait(false);
            CommitResult result = await transaction.CommitAsync().ConfigureAwait(false);
            if (result.Committed)
            {
                Acknowledge(user, number);
            }
        }
        finally
        {
            if (!isLeft)
            {
                transaction.Dispose();
            }
        }
    }

    private async Task BackUpAsync(LocalStore store)
    {
        BackupDirectory backups = _backups ??= await BackupDirectory.OpenAsync(
            directory + "-backups", create: true, new BackupOptions { FreeBytesReserve = 0, Parallelism = 2 },
            NullLogger.Instance, TimeProvider.System, CancellationToken.None).ConfigureAwait(false);
        await backups.CreateAsync(
            store,
            new CreateBackup
            {
                Sync = false,
                ChangeLogDirectory = store.HasChangeLog ? LogOf(directory).Directory : null,
            },
            null, CancellationToken.None).ConfigureAwait(false);
        await backups.PurgeAsync(BackupsKept, CancellationToken.None).ConfigureAwait(false);
    }

    private static void ReadChanges(LocalStore store)
    {
        using ChangeReader reader = store.Changes.OpenReader(ChangeStart.First);
        List<Change> changes = [];
        for (int pages = 0; pages < 3 && reader.ReadPage(1 << 20, changes) > 0; pages++)
        {
            changes.Clear();
        }
    }
}
