using Branching.Silo;
using Branching.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.TestingHost;

namespace Branching.Cluster.Tests;

/// <summary>A cluster in this process; each node has its own data root below one directory, named after the
/// node.</summary>
public sealed class NodeCluster : IAsyncDisposable
{
    private const string RootsKey = "Roots";
    private readonly bool _ownsDirectory;

    private NodeCluster(TestCluster cluster, string directory, bool ownsDirectory)
    {
        Cluster = cluster;
        Directory = directory;
        _ownsDirectory = ownsDirectory;
    }

    public TestCluster Cluster { get; }

    public string Directory { get; }

    public IGrainFactory Grains => Cluster.GrainFactory;

    public static async Task<NodeCluster> StartAsync(short nodes = 3, string? directory = null)
    {
        string roots = directory ?? System.IO.Directory.CreateTempSubdirectory("branching-cluster-").FullName;
        TestClusterBuilder builder = new(nodes);
        builder.Properties[RootsKey] = roots;
        builder.AddSiloBuilderConfigurator<NodeConfigurator>();
        TestCluster cluster = builder.Build();
        await cluster.DeployAsync();
        return new NodeCluster(cluster, roots, directory is null);
    }

    public SiloHandle Node(string name) => Cluster.Silos.Single(silo => silo.Name == name);

    /// <summary>Repeats a call for as long as its failure says that it may succeed later.</summary>
    public static async Task<T> RetryAsync<T>(Func<ValueTask<T>> call)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await call();
            }
            catch (BranchingException e) when (e.IsTransient && attempt < 50)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
            catch (OrleansException) when (attempt < 50)
            {
                // The node died with the call in it, or the cluster still routes to it.
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.StopAllSilosAsync();
        await Cluster.DisposeAsync();
        if (_ownsDirectory)
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }

    private sealed class NodeConfigurator : ISiloConfigurator
    {
        public void Configure(ISiloBuilder siloBuilder)
        {
            string roots = siloBuilder.Configuration[RootsKey]
                ?? throw new InvalidOperationException("The test did not say where the data roots are.");
            siloBuilder.AddBranching();
            siloBuilder.Services.AddOptions<StorageOptions>().Configure<IOptions<SiloOptions>>((storage, silo) =>
            {
                storage.DataRoot = Path.Combine(roots, silo.Value.SiloName ?? "unnamed");
                storage.BlockCacheBytes = 8 << 20;
                storage.MemtableBudgetBytes = 16 << 20;
                storage.MemtableBytes = 1 << 20;
            });
        }
    }
}

/// <summary>One cluster for all tests of a class; each test uses its own databases.</summary>
public sealed class SharedCluster : IAsyncLifetime
{
    private int _databases;

    public NodeCluster Nodes { get; private set; } = null!;

    public IGrainFactory Grains => Nodes.Grains;

    public async Task InitializeAsync() => Nodes = await NodeCluster.StartAsync();

    public async Task DisposeAsync() => await Nodes.DisposeAsync();

    public async Task<string> CreateDatabaseAsync()
    {
        string name = $"db{Interlocked.Increment(ref _databases)}";
        await Grains.GetDatabase(name).CreateAsync(new CreateDatabaseRequest("test"));
        return name;
    }
}
