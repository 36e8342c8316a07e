using System.Globalization;
using System.Text;
using Branching.Storage.Backups;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Tests.Snapshots;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Backups;

/// <summary>A store, a backup directory, and what the tests of backups say most often.</summary>
internal sealed class BackupHouse : IAsyncDisposable
{
    private readonly TestStore _test;

    private BackupHouse(TestStore test) => _test = test;

    public LocalStore Store => _test.Store;

    public string Root => _test.Root;

    public string Place => _test.InRoot("backups");

    public string Target => _test.InRoot("restored");

    public BackupDirectory Backups { get; private set; } = null!;

    public static async Task<BackupHouse> OpenAsync(BackupSeams? seams = null)
    {
        BackupHouse house = new(new TestStore());
        house.Backups = await house.OpenAsync(create: true, seams);
        return house;
    }

    public Task<BackupDirectory> OpenAsync(
        bool create = false, BackupSeams? seams = null, BackupOptions? options = null, string? place = null) =>
        BackupDirectory.OpenAsync(
            place ?? Place, create, options ?? new BackupOptions { FreeBytesReserve = 0, Parallelism = 2 },
            NullLogger.Instance, TimeProvider.System, seams ?? BackupSeams.Real, default);

    /// <summary>Writes some keys with values that no other number gives, and makes a table of them.</summary>
    public async Task FillAsync(int number, bool flush = true, int keys = 20)
    {
        Random random = new(number);
        List<WriteOperation> writes = [];
        for (int i = 0; i < keys; i++)
        {
            byte[] value = new byte[500];
            random.NextBytes(value);
            writes.Add(WriteOperation.Put(
                Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{number:00}-{i:00}")), value));
        }

        await Store.WriteAsync(new WriteRequest(writes), default);
        if (flush)
        {
            Store.Flush();
        }
    }

    public Task<BackupResult> CreateAsync(CreateBackup? request = null, BackupDirectory? backups = null) =>
        (backups ?? Backups).CreateAsync(Store, request ?? new CreateBackup(), null, default);

    public Task<BackupRestoreReport> RestoreAsync(
        BackupId? id = null, BackupRestoreMode mode = BackupRestoreMode.IntoEmpty, string? target = null) =>
        Backups.RestoreAsync(id, target ?? Target, new RestoreBackup { Mode = mode }, null, default);

    public string Describe() => SnapshotHouse.Describe(Store);

    /// <summary>Opens a store and describes everything it holds: sequence, families, keys, values.</summary>
    public async Task<string> DescribeAsync(string directory)
    {
        await using LocalStore store = LocalStore.Open(
            directory, "a restored store", _test.Resources, create: false, NullLogger.Instance, TimeProvider.System);
        return SnapshotHouse.Describe(store);
    }

    /// <summary>Opens a store that stays open.</summary>
    public LocalStore OpenStore(string directory) => LocalStore.Open(
        directory, "a restored store", _test.Resources, create: false, NullLogger.Instance, TimeProvider.System);

    /// <summary>Restores to a place of its own and describes what is there.</summary>
    public async Task<string> RestoreAndDescribeAsync(BackupId? id = null)
    {
        string target = Path.Combine(Root, Guid.NewGuid().ToString("N"));
        await RestoreAsync(id, target: target);
        string described = await DescribeAsync(target);
        Directory.Delete(target, recursive: true);
        return described;
    }

    /// <summary>Paths of the objects there are, in order.</summary>
    public string[] Objects() => Directory.Exists(Path.Combine(Place, "objects"))
        ? [.. Directory.GetFiles(Path.Combine(Place, "objects"), "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)]
        : [];

    public string ObjectOf(BackupManifest manifest, string extension) => Path.Combine(
        Place, BackupNames.ObjectOf(manifest.Files.First(
            file => file.Name.EndsWith(extension, StringComparison.Ordinal)).Sha256));

    /// <summary>Names beside the store and the restored one.</summary>
    public string[] Beside() => [.. Directory.GetFileSystemEntries(Root).Select(path => Path.GetFileName(path))
        .Order(StringComparer.Ordinal)];

    public ValueTask DisposeAsync() => _test.DisposeAsync();
}
