using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Branches;

namespace Branching.Storage.Tests.Sharing;

/// <summary>Several data roots in one process over one shared directory.</summary>
internal sealed class SharedNodes(string? existing = null) : IAsyncDisposable
{
    private readonly List<TemporaryRoot> _roots = [];
    private readonly List<SharedNode> _open = [];

    public string Directory { get; } =
        existing ?? System.IO.Directory.CreateTempSubdirectory("branching-shared-").FullName;

    /// <summary>Long enough for a busy machine to renew in time, short enough to wait for.</summary>
    public static OwnershipOptions Leases => new()
    {
        LeaseLength = TimeSpan.FromSeconds(3),
        LeaseMargin = TimeSpan.FromMilliseconds(300),
        WatchInterval = TimeSpan.FromMilliseconds(20),
        HoldAnswersFor = TimeSpan.Zero,
    };

    /// <summary>Leases whose owner holds answers back for longer than any test takes.</summary>
    public static OwnershipOptions Patient
    {
        get
        {
            OwnershipOptions leases = Leases;
            leases.HoldAnswersFor = TimeSpan.FromMinutes(5);
            return leases;
        }
    }

    /// <summary>A file layer that does something at each time a step is reached.</summary>
    /// <param name="step">Name of the <see cref="SharingStep"/>.</param>
    /// <param name="act">What; its exception comes out of the step.</param>
    public static Disk DiskAt(string step, Action act) => new()
    {
        AtSharingStep = reached =>
        {
            if (reached.ToString() == step)
            {
                act();
            }
        },
    };

    public TemporaryRoot NewRoot()
    {
        TemporaryRoot root = new();
        _roots.Add(root);
        return root;
    }

    public async Task<SharedNode> StartAsync(
        string name, TemporaryRoot? on = null, Disk? disk = null, SharedStorageOptions? options = null,
        long reserveBytes = 0, OwnershipOptions? leases = null)
    {
        TemporaryRoot root = on ?? NewRoot();
        Wire wire = new();
        options ??= new SharedStorageOptions();
        options.Directory = Directory;
        options.NodeName = name;
        SharedAccess access = new(
            async stop => new WiredStorage(
                await PosixSharedStorage.OpenAsync(Directory, cancellationToken: stop), wire))
        {
            Options = options,
            Ownership = leases ?? Leases,
            Snapshots = new SnapshotOptions { FreeBytesReserve = reserveBytes },
        };
        DataRoot opened = await DataRoot.OpenAsync(root.Options, disk ?? new Disk(), shared: access);
        SharedNode node = new(name, root, opened, wire);
        _open.Add(node);
        return node;
    }

    /// <summary>Nodes "one" and "two"; the first owns a new database whose main store has a=1.</summary>
    public async Task<(SharedNode One, SharedNode Two, Database Shop)> StartTwoAsync()
    {
        SharedNode one = await StartAsync("one");
        SharedNode two = await StartAsync("two");
        Database shop = await one.CreateAsync();
        await shop.PutAsync("main", "a", "1");
        return (one, two, shop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (SharedNode node in _open)
        {
            await node.StopAsync();
        }

        foreach (TemporaryRoot root in _roots)
        {
            root.Dispose();
        }

        if (existing is null)
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }
}

/// <summary>One node: its data root, and the wire to shared storage, which tests cut.</summary>
internal sealed class SharedNode(string name, TemporaryRoot files, DataRoot root, Wire wire)
{
    public string Name => name;

    public TemporaryRoot Files => files;

    public DataRoot Root => root;

    public Wire Wire => wire;

    public Task<Database> OwnAsync(OwnRequest? request = null) =>
        root.OwnDatabaseAsync(TemporaryRoot.Shop, request ?? new OwnRequest(), null, default);

    public Task<Database> CreateAsync() => root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);

    public async Task StopAsync() => await root.DisposeAsync();

    /// <summary>Stops the node and damages the main store of a database of it.</summary>
    /// <returns>The store's directory.</returns>
    public async Task<string> StopAndDamageAsync(Database database)
    {
        string store = Path.Combine(files.DatabasePath, "stores", database.GetBranch(BranchName.Main).Id.ToString());
        await StopAsync();
        File.Delete(Path.Combine(store, "CURRENT"));
        return store;
    }
}

/// <summary>Whether a node reaches shared storage.</summary>
internal sealed class Wire
{
    private volatile Func<string, string, bool>? _fails;
    private int _replacing;

    /// <summary>Nothing passes from now on. A renewal of a lease that passed before has arrived on return: one that
    /// came later would look to a taker as if the owner lived.</summary>
    public void Cut()
    {
        _fails = static (_, _) => true;
        Assert.True(
            SpinWait.SpinUntil(() => Volatile.Read(ref _replacing) == 0, Waiting.Deadline),
            "A replacement that was under way when the wire was cut did not end.");
    }

    public void Mend() => _fails = null;

    /// <summary>Fails the steps for which this is true of primitive and name.</summary>
    public void Fail(Func<string, string, bool> when) => _fails = when;

    public async Task ReplaceAsync(string name, Func<Task> replace)
    {
        Interlocked.Increment(ref _replacing);
        try
        {
            Pass("replace", name);
            await replace();
        }
        finally
        {
            Interlocked.Decrement(ref _replacing);
        }
    }

    public void Pass(string step, string name)
    {
        if (_fails?.Invoke(step, name) == true)
        {
            throw new StorageException(
                FailureKind.SharedStorageUnavailable, $"{step} of '{name}': the wire is cut. Mend it.");
        }
    }
}

internal sealed class WiredStorage(ISharedStorage inner, Wire wire) : ISharedStorage
{
    public string Location => inner.Location;

    public Task<bool> PutIfAbsentAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        wire.Pass("put", name);
        return inner.PutIfAbsentAsync(name, content, cancellationToken);
    }

    public Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        wire.ReplaceAsync(name, () => inner.ReplaceAsync(name, content, cancellationToken));

    public Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken)
    {
        wire.Pass("read", name);
        return inner.TryReadAsync(name, cancellationToken);
    }

    public Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken)
    {
        wire.Pass("list", directory);
        return inner.ListAsync(directory, cancellationToken);
    }

    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        wire.Pass("delete", name);
        return inner.DeleteAsync(name, cancellationToken);
    }

    public Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken)
    {
        wire.Pass("put", name);
        return inner.PutFileIfAbsentAsync(name, file, cancellationToken);
    }

    public Task<FetchedFile> FetchFileAsync(string name, FileToFetch file, CancellationToken cancellationToken)
    {
        wire.Pass("fetch", name);
        return inner.FetchFileAsync(name, file, cancellationToken);
    }

    public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken)
    {
        wire.Pass("space", "");
        return inner.GetFreeBytesAsync(cancellationToken);
    }
}
