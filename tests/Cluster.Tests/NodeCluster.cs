using System.Collections.Concurrent;
using Branching.Silo;
using Branching.Storage;
using Branching.Storage.Ownership;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.TestingHost;

namespace Branching.Cluster.Tests;

/// <summary>A cluster in this process; each node has its own data root below one directory, named after the
/// node. With shared storage, all nodes share the directory "shared" below the same one.</summary>
/// <remarks>
/// On Orleans the nodes find each other by the table of members in the directory "members", for the table that a test
/// cluster has by itself dies with its first silo. EmbeddedRuntime reads none of these settings: it knows its silos.
/// </remarks>
public sealed class NodeCluster : IAsyncDisposable
{
    private const string RootsKey = "Roots";
    private const string SharedKey = "SharedDirectory";
    private const string LeaseKey = "LeaseMs";
    private const string FailoverKey = "Failover";
    private const string BackupsKey = "OneDirectoryOfBackups";

    private readonly ConcurrentDictionary<string, SiloHandle> _dead = new(StringComparer.Ordinal);
    private readonly bool _ownsDirectory;

    private NodeCluster(TestCluster cluster, string directory, bool ownsDirectory)
    {
        Cluster = cluster;
        Directory = directory;
        _ownsDirectory = ownsDirectory;
    }

    /// <summary>Whether clients reach grains through a node that may be another than the grain's.</summary>
    public static bool HasGateways { get; } =
        typeof(IClusterClient).Assembly.GetName().Name != "Branching.EmbeddedRuntime";

    public TestCluster Cluster { get; }

    public string Directory { get; }

    public string SharedDirectory => Path.Combine(Directory, "shared");

    /// <summary>Where a node keeps its backups of a database, unless all have one directory.</summary>
    public string BackupsOf(string node, string database) =>
        Path.Combine(Directory, "backups", node, "databases", database);

    public IGrainFactory Grains => Cluster.GrainFactory;

    public IClusterCoordinatorGrain Coordinator => Grains.GetClusterCoordinator();

    public static async Task<NodeCluster> StartAsync(
        short nodes = 3, string? directory = null, bool shared = false, int leaseMs = 1000,
        IReadOnlyDictionary<string, string>? failover = null, bool sharedBackups = false)
    {
        string roots = directory ?? System.IO.Directory.CreateTempSubdirectory("branching-cluster-").FullName;
        TestClusterBuilder builder = new(nodes);
        builder.Properties[RootsKey] = roots;
        builder.Properties[BackupsKey] = sharedBackups ? "true" : "false";
        builder.Properties[LeaseKey] = leaseMs.ToString(System.Globalization.CultureInfo.InvariantCulture);
        foreach ((string option, string value) in failover ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            builder.Properties[$"{FailoverKey}:{option}"] = value;
        }

        if (shared)
        {
            builder.Properties[SharedKey] = Path.Combine(roots, "shared");
        }

        string members = System.IO.Directory.CreateDirectory(Path.Combine(roots, "members")).FullName;
        builder.ConfigureHostConfiguration(configuration => configuration.AddInMemoryCollection(
            new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["UseTestClusterMembership"] = "false",
                ["Orleans:Clustering:ProviderType"] = "SharedStorage",
                ["Orleans:Clustering:Directory"] = members,
            }));
        builder.AddSiloBuilderConfigurator<NodeConfigurator>();
        builder.AddClientBuilderConfigurator<ClientConfigurator>();
        TestCluster cluster = builder.Build();
        await cluster.DeployAsync();
        return new NodeCluster(cluster, roots, directory is null);
    }

    public SiloHandle Node(string name) => Cluster.Silos.Single(silo => silo.Name == name);

    /// <summary>The grain of a node itself.</summary>
    public INodeGrain GrainOf(SiloHandle node) =>
        Grains.GetGrain<INodeGrain>(node.SiloAddress.ToParsableString());

    /// <summary>Ends a node as if its process had ended.</summary>
    public async Task KillAsync(string node)
    {
        SiloHandle silo = Node(node);
        _dead[node] = silo;
        await Cluster.KillSiloAsync(silo);
    }

    /// <summary>Starts a node again that was killed, here or in a cluster that is gone: under its name and on its data
    /// root, at a new address.</summary>
    public async Task<SiloHandle> BringBackAsync(string deadNode)
    {
        using CancellationTokenSource deadline = new(Waiting.Deadline);
        while (true)
        {
            try
            {
                SiloHandle? back = _dead.TryGetValue(deadNode, out SiloHandle? killed)
                    ? await Cluster.RestartSiloAsync(killed)
                    : await Cluster.StartAdditionalSiloAsync();
                Assert.Equal(deadNode, back?.Name);
                return back!;
            }
            catch (Exception e) when (IsLocked(e) && !deadline.IsCancellationRequested)
            {
                // The silo that was killed is still giving its files up.
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    private static bool IsLocked(Exception e) =>
        e is StorageException { Kind: Storage.FailureKind.Locked }
        || (e.InnerException is { } inner && IsLocked(inner))
        || (e is AggregateException all && all.InnerExceptions.Any(IsLocked));

    /// <summary>Repeats a call for as long as its failure says that it may succeed later.</summary>
    public static async Task<T> RetryAsync<T>(Func<ValueTask<T>> call, int seconds = 30)
    {
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(seconds));
        while (true)
        {
            try
            {
                return await call();
            }
            catch (BranchingException e) when (e.IsTransient && !deadline.IsCancellationRequested)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50));
            }
            catch (Exception e) when (
                e is OrleansException or TimeoutException && !deadline.IsCancellationRequested)
            {
                // The node died with the call in it, or the cluster still routes to it.
                await Task.Delay(TimeSpan.FromMilliseconds(50));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.StopAllSilosAsync();
        await Cluster.DisposeAsync();
        for (int attempt = 0; _ownsDirectory && System.IO.Directory.Exists(Directory); attempt++)
        {
            try
            {
                System.IO.Directory.Delete(Directory, recursive: true);
            }
            catch (IOException) when (attempt < 50)
            {
                // What a node that was killed had under way may still make a file.
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    /// <summary>
    /// As the product's clients: a call through a node that dies with it is only given up when its time is over, which
    /// by default is all the time that <see cref="RetryAsync"/> has.
    /// </summary>
    private sealed class ClientConfigurator : IClientBuilderConfigurator
    {
        public void Configure(IConfiguration configuration, IClientBuilder clientBuilder) =>
            clientBuilder.Configure<ClientMessagingOptions>(
                static messaging => messaging.ResponseTimeout = new ServingOptions().ResponseTimeout);
    }

    private sealed class NodeConfigurator : ISiloConfigurator
    {
        public void Configure(ISiloBuilder siloBuilder)
        {
            string roots = siloBuilder.Configuration[RootsKey]
                ?? throw new InvalidOperationException("The test did not say where the data roots are.");
            string? shared = siloBuilder.Configuration[SharedKey];
            int lease = int.Parse(
                siloBuilder.Configuration[LeaseKey] ?? "500", System.Globalization.CultureInfo.InvariantCulture);
            siloBuilder.AddBranching();
            siloBuilder.Services.AddOptions<StorageOptions>().Configure<IOptions<SiloOptions>>((storage, silo) =>
            {
                storage.DataRoot = Path.Combine(roots, silo.Value.SiloName ?? "unnamed");
                storage.BlockCacheBytes = 8 << 20;
                storage.MemtableBudgetBytes = 16 << 20;
                storage.MemtableBytes = 1 << 20;
            });
            siloBuilder.Services.AddOptions<NodeBackupOptions>().Configure<IOptions<SiloOptions>>((backups, silo) =>
                backups.Directory = Path.Combine(
                    roots, "backups",
                    siloBuilder.Configuration[BackupsKey] == "true" ? "all" : silo.Value.SiloName ?? "unnamed"));
            siloBuilder.Services.Configure<SharedStorageOptions>(options => options.Directory = shared);
            siloBuilder.Services.Configure<OwnershipOptions>(options =>
            {
                options.LeaseLength = TimeSpan.FromMilliseconds(lease);
                options.LeaseMargin = TimeSpan.FromMilliseconds(Math.Max(10, lease / 10));
                options.WatchInterval = TimeSpan.FromMilliseconds(Math.Max(10, lease / 20));
            });
            siloBuilder.Services.Configure<FailoverOptions>(options =>
            {
                options.LookEvery = TimeSpan.FromMilliseconds(200);
                options.StartGrace = TimeSpan.Zero;
                options.FirstRetry = TimeSpan.FromMilliseconds(50);
                options.LongestRetry = TimeSpan.FromMilliseconds(500);
                options.MaxFailovers = 1000;
                siloBuilder.Configuration.GetSection(FailoverKey).Bind(options);
            });
            siloBuilder.Services.Configure<ScheduleOptions>(options =>
            {
                options.Enabled = false;
                options.FirstAfter = TimeSpan.Zero;
                options.LookEvery = TimeSpan.FromMilliseconds(50);
                options.CollectionGrace = TimeSpan.Zero;
            });
        }
    }
}

/// <summary>One cluster for all tests of a class; each test uses its own databases.</summary>
public class SharedCluster : IAsyncLifetime
{
    private readonly bool _sharedStorage;
    private int _databases;

    public SharedCluster()
    {
    }

    protected SharedCluster(bool sharedStorage) => _sharedStorage = sharedStorage;

    public NodeCluster Nodes { get; private set; } = null!;

    public IGrainFactory Grains => Nodes.Grains;

    // Nobody dies here, so the leases may be long: a busy machine then ends none of them.
    public async Task InitializeAsync() => Nodes = await NodeCluster.StartAsync(
        shared: _sharedStorage, leaseMs: 10_000);

    public async Task DisposeAsync() => await Nodes.DisposeAsync();

    public async Task<string> CreateDatabaseAsync()
    {
        string name = $"db{Interlocked.Increment(ref _databases)}";
        await Grains.GetDatabase(name).CreateAsync(new CreateDatabaseRequest("test"));
        return name;
    }
}

/// <summary>As <see cref="SharedCluster"/>, with shared storage.</summary>
public sealed class SharedStorageCluster() : SharedCluster(sharedStorage: true);
