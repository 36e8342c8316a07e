using System.Globalization;
using System.Text;
using Branching.Storage.CrashChild;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Snapshots;

/// <summary>A node with one database that it owns on shared storage, and what tests do with its snapshots.</summary>
internal sealed class SnapshotHouse : IAsyncDisposable
{
    private readonly TemporaryRoot _root = new();
    private readonly StoreResources _resources;

    private SnapshotHouse(WatchedStorage shared, SnapshotOptions options)
    {
        Shared = shared;
        Options = options;
        _resources = new StoreResources(_root.Options, NullLogger.Instance, TimeProvider.System);
        Restored = Directory.CreateDirectory(Path.Combine(_root.Path, "restored")).FullName;
    }

    public static OwnerIdentity Me { get; } = new("house", "house-id", Guid.NewGuid().ToString("N"));

    public WatchedStorage Shared { get; }

    public SnapshotOptions Options { get; }

    public DataRoot Node { get; private set; } = null!;

    public Database Shop { get; private set; } = null!;

    public SnapshotRepository Repository { get; private set; } = null!;

    public DatabaseOwnership Ownership { get; private set; } = null!;

    public Tenure Tenure { get; private set; } = null!;

    public SnapshotTaker Taker { get; set; } = null!;

    /// <summary>A directory beside the node's for restored stores.</summary>
    public string Restored { get; }

    public string Building => Path.Combine(_root.DatabasePath, "building");

    public string RootPath => _root.Path;

    public static async Task<SnapshotHouse> OpenAsync(
        SnapshotOptions? options = null, ISharedStorage? shared = null, Disk? disk = null)
    {
        string directory = Directory.CreateTempSubdirectory("branching-shared-").FullName;
        SnapshotHouse house = new(
            new WatchedStorage(shared ?? await PosixSharedStorage.OpenAsync(directory)),
            options ?? new SnapshotOptions { FreeBytesReserve = 1 << 20 })
        {
            SharedDirectory = directory,
        };
        house.Node = await house._root.OpenAsync(disk);
        house.Shop = await house.Node.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await new DatabaseLives(house.Shared).ReserveAsync(
            house.Shop.Name, house.Shop.Id, "tests", house.Shop.CreatedAt, default);
        house.Repository = new SnapshotRepository(
            house.Shared, house.Shop.Name, house.Shop.Id, TimeProvider.System, NullLogger.Instance);
        house.Ownership = new DatabaseOwnership(
            house.Shared, house.Shop.Name, house.Shop.Id, new OwnershipOptions(), TimeProvider.System,
            NullLogger.Instance);
        await house.OwnAsync();
        house.Taker = house.NewTaker();
        return house;
    }

    public string SharedDirectory { get; private init; } = "";

    public SnapshotTaker NewTaker() =>
        new(Shared, Repository, Options, TimeProvider.System, NullLogger.Instance);

    public SnapshotRestorer NewRestorer(SnapshotOptions? options = null) =>
        new(options ?? Options, TimeProvider.System, NullLogger.Instance);

    public SnapshotVerifier NewVerifier() => new(Shared, Repository, Options, TimeProvider.System, NullLogger.Instance);

    /// <summary>Takes the next epoch, as the same node after a restart.</summary>
    public async Task<Tenure> OwnAsync()
    {
        Claim claim = await Ownership.ClaimAsync(
            Me with { ProcessId = Guid.NewGuid().ToString("N") }, new ClaimOptions(FormerOwnerIsThisNode: true),
            default);
        return Tenure = await claim.ServeAsync(default);
    }

    /// <summary>Closes the node, puts a restored store in the place of the branch's, and opens the node.</summary>
    public async Task PutBackAsync(RestoredStore restored)
    {
        await Node.DisposeAsync();
        string live = Path.Combine(_root.DatabasePath, "stores", restored.Record.Id.ToString());
        Directory.Delete(live, recursive: true);
        Directory.Move(restored.Directory, live);
        Node = await _root.OpenAsync();
        Shop = await Node.GetDatabaseAsync(TemporaryRoot.Shop, default);
        Taker = NewTaker();
    }

    public Task<SnapshotResult> TakeAsync(
        string branch = "main", bool evenIfUnchanged = false, IProgress<SnapshotProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Taker.TakeAsync(
            Shop, DatabaseShortcuts.Name(branch), Tenure, new TakeSnapshot(EvenIfUnchanged: evenIfUnchanged),
            progress, cancellationToken);

    /// <summary>Writes a few hundred kilobytes that compress badly and are the same for the same seed.</summary>
    public async Task FillAsync(string branch, int seed, int count = 300, int valueBytes = 1000)
    {
        Random random = new(seed);
        using StoreLease lease = await Shop.AcquireAsync(DatabaseShortcuts.Name(branch), default);
        List<WriteOperation> writes = [];
        for (int i = 0; i < count; i++)
        {
            byte[] value = new byte[valueBytes];
            random.NextBytes(value);
            writes.Add(WriteOperation.Put(
                Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{seed:00}-{i:0000}")), value));
        }

        await lease.Store.WriteAsync(new WriteRequest(writes), default);
    }

    public async Task FlushAsync(string branch = "main")
    {
        using StoreLease lease = await Shop.AcquireAsync(DatabaseShortcuts.Name(branch), default);
        lease.Store.Flush();
    }

    public async Task CompactAsync(string branch = "main")
    {
        using StoreLease lease = await Shop.AcquireAsync(DatabaseShortcuts.Name(branch), default);
        lease.Store.Flush();
        lease.Store.Compact(columnFamily: null, KeyRange.All);
    }

    public Task<RestoredStore> RestoreAsync(
        SnapshotManifest manifest, LocalObjects? objects = null, RestoreOptions? options = null,
        SnapshotRestorer? restorer = null, IProgress<SnapshotProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        (restorer ?? NewRestorer()).RestoreStoreAsync(
            Shared, Repository, manifest, Path.Combine(Restored, Guid.NewGuid().ToString("N")),
            objects ?? NewObjects(), options ?? new RestoreOptions(), progress, cancellationToken);

    public LocalObjects NewObjects() => LocalObjects.Open(Path.Combine(Restored, "objects"));

    /// <summary>Restores and describes everything the store holds, exactly.</summary>
    public async Task<string> RestoreAndDescribeAsync(SnapshotManifest manifest) =>
        await DescribeAsync((await RestoreAsync(manifest)).Directory);

    /// <summary>Opens a restored store and describes everything it holds: sequence, families, keys, values.</summary>
    public async Task<string> DescribeAsync(string directory)
    {
        await using LocalStore store = LocalStore.Open(
            directory, "a restored store", _resources, create: false, NullLogger.Instance, TimeProvider.System);
        return Describe(store);
    }

    public async Task<string> DescribeBranchAsync(string branch = "main")
    {
        using StoreLease lease = await Shop.AcquireAsync(DatabaseShortcuts.Name(branch), default);
        return Describe(lease.Store);
    }

    public async ValueTask DisposeAsync()
    {
        await Tenure.DisposeAsync();
        await Node.DisposeAsync();
        _resources.Dispose();
        _root.Dispose();
        Directory.Delete(SharedDirectory, recursive: true);
    }

    public static string Describe(LocalStore store)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"sequence {store.LastAcknowledged}\n");
        foreach (string family in store.ColumnFamilies)
        {
            text.Append(CultureInfo.InvariantCulture, $"family {family}\n");
            ScanPage page = store.Scan(new ScanRequest(family, KeyRange.All, false, 1_000_000, 1L << 30));
            Assert.False(page.HasMore);
            foreach (KeyValueEntry entry in page.Entries)
            {
                text.Append(Convert.ToHexString(entry.Key.Span)).Append('=')
                    .Append(Convert.ToHexString(entry.Value.Span)).Append('\n');
            }
        }

        return text.ToString();
    }
}
