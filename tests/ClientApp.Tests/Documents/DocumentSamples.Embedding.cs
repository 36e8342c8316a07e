using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text;
using Branching.Storage;
using Branching.Storage.Backups;
using Branching.Storage.Changes;
using Branching.Storage.Transactions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.ClientApp.Tests.Documents;

/// <content>The code of docs/embedding.md: storage by itself, whose names are not those of the grains.</content>
public sealed partial class DocumentSamples
{
    [Fact]
    public async Task A_data_root_and_a_store_are_used_without_a_node()
    {
        string directory = Directory.CreateTempSubdirectory("branching-sample-").FullName;
        try
        {
            await using ServiceProvider services = new ServiceCollection().AddMetrics().BuildServiceProvider();
            string used = await EmbedAsync(
                Path.Combine(directory, "data"),
                Path.Combine(directory, "backups"),
                services.GetRequiredService<IMeterFactory>(),
                CancellationToken.None);
            await OpenAloneAsync(Path.Combine(directory, "alone"));

            Assert.Equal("True 3; apple=3\n; True; 4; evening", used);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

#pragma warning disable CA2016 // The page leaves out what has a default.
    private static async Task<string> EmbedAsync(
        string directory, string backupDirectory, IMeterFactory meters, CancellationToken cancellationToken)
    {
        StringBuilder listed = new();
        int operations = 0;

        await using DataRoot root = await DataRoot.OpenAsync(new StorageOptions { DataRoot = directory });
        root.Measure(meters);   // an IMeterFactory: the meter "Branching.Storage"

        Database shop = await root.CreateDatabaseAsync(DatabaseName.Parse("shop"), "me", cancellationToken);
        using StoreLease lease = await shop.AcquireAsync(BranchName.Main, cancellationToken);
        LocalStore store = lease.Store;

        await shop.EnableChangeLogAsync(BranchName.Main, ChangeLogSettings.Default, cancellationToken);

        byte[] apples = "apple"u8.ToArray(), pears = "pear"u8.ToArray();
        await store.PutAsync(null, apples, "3"u8.ToArray());    // fsynced when it returns
        await store.PutAsync(null, pears, "4"u8.ToArray(), durability: Durability.Buffered);

        var value = new ArrayBufferWriter<byte>();
        bool found = await store.GetAsync(null, apples, value); // appends "3"

        var basket = new RangeOptions { Range = KeyRange.Prefix("a"u8.ToArray()), Limit = 10 };
        foreach (PinnedEntry entry in store.Range(basket))
        {
            listed.AppendLine($"{Encoding.UTF8.GetString(entry.Key)}={Encoding.UTF8.GetString(entry.Value)}");
        }

        TransactionOutcome<bool> swapped = await store.TransactionAsync(async (transaction, attempt, token) =>
        {
            byte[]? before = transaction.Get(null, apples);
            await transaction.PutAsync(null, apples, transaction.Get(null, pears), token);
            await transaction.PutAsync(null, pears, before, token);
        });

        await shop.CreateBranchAsync(
            new CreateBranch(BranchName.Parse("topic"), BranchName.Main, "me"), cancellationToken);

        ChangeLog log = store.Changes;
        await foreach (Change change in log.ReadAsync(ChangeStart.First, cancellationToken: cancellationToken))
        {
            operations += change.Operations.Count;
        }

        BackupDirectory backups = await BackupDirectory.OpenAsync(
            backupDirectory, create: true, options: null, NullLogger.Instance, TimeProvider.System, cancellationToken);
        BackupResult backup = await shop.BackUpAsync(
            BranchName.Main, backups, new CreateBackup { Label = "evening" }, progress: null, cancellationToken);

        return $"{found} {Encoding.UTF8.GetString(value.WrittenSpan)}; {listed}; {swapped.Committed}; "
            + $"{operations}; {backup.Manifest.Label}";
    }

    private static async Task OpenAloneAsync(string directory)
    {
        StorageOptions options = new() { DataRoot = directory };

        using var shared = new StoreResources(options, NullLogger.Instance, TimeProvider.System);
        await using LocalStore alone = LocalStore.Open(
            directory, "the only store", shared, create: true, NullLogger.Instance, TimeProvider.System);
        await alone.PutAsync(null, "apple"u8.ToArray(), "3"u8.ToArray());

        Assert.True(alone.Exists(null, "apple"u8.ToArray()));
    }
#pragma warning restore CA2016
}
