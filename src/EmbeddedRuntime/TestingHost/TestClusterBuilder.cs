using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Orleans.Hosting;

namespace Orleans.TestingHost;

/// <summary>Configures every silo of a test cluster.</summary>
public interface ISiloConfigurator
{
    /// <summary>Configures one silo.</summary>
    void Configure(ISiloBuilder siloBuilder);
}

/// <summary>Configures the client of a test cluster.</summary>
public interface IClientBuilderConfigurator
{
    /// <summary>Configures the client.</summary>
    void Configure(IConfiguration configuration, IClientBuilder clientBuilder);
}

/// <summary>Configures every host of a test cluster.</summary>
public interface IHostConfigurator
{
    /// <summary>Configures one host.</summary>
    void Configure(IHostBuilder hostBuilder);
}

/// <summary>What a test cluster is made of.</summary>
public class TestClusterOptions
{
    /// <summary>Gets or sets the number of silos to start with. Default: 2.</summary>
    public short InitialSilosCount { get; set; } = 2;

    /// <summary>Gets or sets the name of the cluster. Default: made up anew.</summary>
    public string ClusterId { get; set; } = TestClusterBuilder.CreateClusterId();

    /// <summary>Gets or sets the name of the service. Default: made up anew.</summary>
    public string ServiceId { get; set; } = Guid.NewGuid().ToString("N");

    /// <summary>Gets or sets the first of the port numbers in the silos' addresses; none is opened.</summary>
    public int BaseSiloPort { get; set; } = 10_000;

    /// <summary>Gets or sets the first of the port numbers in the gateways' addresses; none is opened.</summary>
    public int BaseGatewayPort { get; set; } = 30_000;

    /// <summary>Gets or sets whether deploying also makes the client. Default: yes.</summary>
    public bool InitializeClientOnDeploy { get; set; } = true;

    /// <summary>Gets the types that configure silos, by assembly-qualified name.</summary>
    public List<string> SiloBuilderConfiguratorTypes { get; } = [];

    /// <summary>Gets the types that configure the client, by assembly-qualified name.</summary>
    public List<string> ClientBuilderConfiguratorTypes { get; } = [];
}

/// <summary>Puts a test cluster together.</summary>
public class TestClusterBuilder
{
    private readonly List<Action<IConfigurationBuilder>> _configuration = [];

    /// <summary>Prepares a cluster of two silos.</summary>
    public TestClusterBuilder()
        : this(2)
    {
    }

    /// <summary>Prepares a cluster.</summary>
    public TestClusterBuilder(short initialSilosCount) => Options.InitialSilosCount = initialSilosCount;

    /// <summary>Gets what the cluster will be made of.</summary>
    public TestClusterOptions Options { get; } = new();

    /// <summary>Gets keys and values that every host finds in its configuration.</summary>
    public Dictionary<string, string> Properties { get; } = [];

    /// <summary>Returns a name that no other cluster has.</summary>
    public static string CreateClusterId() => $"testcluster-{Guid.NewGuid():N}";

    /// <summary>Adds a type, made anew for each silo, that implements one of the configurator interfaces.</summary>
    public TestClusterBuilder AddSiloBuilderConfigurator<T>()
        where T : new()
    {
        if (!typeof(T).IsAssignableTo(typeof(ISiloConfigurator))
            && !typeof(T).IsAssignableTo(typeof(IHostConfigurator)))
        {
            throw new ArgumentException(
                $"{typeof(T).Name} is neither an {nameof(ISiloConfigurator)} nor an {nameof(IHostConfigurator)}.");
        }

        Options.SiloBuilderConfiguratorTypes.Add(typeof(T).AssemblyQualifiedName!);
        return this;
    }

    /// <summary>Adds a type that implements one of the configurator interfaces.</summary>
    public TestClusterBuilder AddClientBuilderConfigurator<T>()
        where T : new()
    {
        if (!typeof(T).IsAssignableTo(typeof(IClientBuilderConfigurator))
            && !typeof(T).IsAssignableTo(typeof(IHostConfigurator)))
        {
            throw new ArgumentException(
                $"{typeof(T).Name} is neither an {nameof(IClientBuilderConfigurator)} nor an "
                + $"{nameof(IHostConfigurator)}.");
        }

        Options.ClientBuilderConfiguratorTypes.Add(typeof(T).AssemblyQualifiedName!);
        return this;
    }

    /// <summary>Adds sources to the configuration of every host.</summary>
    public TestClusterBuilder ConfigureHostConfiguration(Action<IConfigurationBuilder> configureDelegate)
    {
        ArgumentNullException.ThrowIfNull(configureDelegate);
        _configuration.Add(configureDelegate);
        return this;
    }

    /// <summary>Makes the cluster; nothing runs yet.</summary>
    public TestCluster Build()
    {
        ConfigurationBuilder configuration = new();
        configuration.AddInMemoryCollection(Properties!);
        _configuration.ForEach(configure => configure(configuration));
        return new TestCluster(Options, configuration.Build());
    }
}
