using System.Collections.ObjectModel;
using Branching.EmbeddedRuntime;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;

namespace Orleans.TestingHost;

/// <summary>Several silos and a client in one process. Clusters share nothing with each other.</summary>
public class TestCluster : IDisposable, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly IConfiguration _configuration;
    private readonly EmbeddedCluster _cluster = new();
    private readonly List<SiloHandle> _silos = [];
    private IHost? _clientHost;
    private short _nextSilo;

    internal TestCluster(TestClusterOptions options, IConfiguration configuration)
    {
        Options = options;
        _configuration = configuration;
    }

    /// <summary>Gets what the cluster was made of.</summary>
    public TestClusterOptions Options { get; }

    /// <summary>Gets the silos that run, in the order in which they started.</summary>
    public ReadOnlyCollection<SiloHandle> Silos
    {
        get
        {
            lock (_gate)
            {
                return _silos.ToArray().AsReadOnly();
            }
        }
    }

    /// <summary>Gets the silo that started first; it is nothing special.</summary>
    public SiloHandle? Primary => Silos.FirstOrDefault(s => s.InstanceNumber == 0);

    /// <summary>Gets the other silos.</summary>
    public IReadOnlyList<SiloHandle> SecondarySilos => [.. Silos.Where(s => s.InstanceNumber != 0)];

    /// <summary>Gets the client.</summary>
    /// <exception cref="InvalidOperationException">The cluster is not deployed.</exception>
    public IClusterClient Client => ServiceProvider.GetRequiredService<IClusterClient>();

    /// <summary>Gets the client's way to make references.</summary>
    public IGrainFactory GrainFactory => Client;

    /// <summary>Gets the services of the client.</summary>
    /// <exception cref="InvalidOperationException">The cluster is not deployed.</exception>
    public IServiceProvider ServiceProvider
        => _clientHost?.Services
            ?? throw new InvalidOperationException("The cluster has no client. Call DeployAsync first.");

    /// <summary>Starts the silos, and the client.</summary>
    public async Task DeployAsync()
    {
        try
        {
            for (int i = 0; i < Options.InitialSilosCount; i++)
            {
                await StartAdditionalSiloAsync();
            }

            if (Options.InitializeClientOnDeploy)
            {
                await InitializeClientAsync();
            }
        }
        catch (Exception)
        {
            await DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a new client in place of the one that is there.</summary>
    public async Task InitializeClientAsync()
    {
        await StopClusterClientAsync();
        HostBuilder builder = NewHostBuilder();
        builder.UseOrleansClient();
        foreach (object configurator in Options.ClientBuilderConfiguratorTypes.Select(Make))
        {
            (configurator as IHostConfigurator)?.Configure(builder);
            if (configurator is IClientBuilderConfigurator client)
            {
                builder.UseOrleansClient((context, b) => client.Configure(context.Configuration, b));
            }
        }

        IHost host = builder.Build();
        await host.StartAsync();
        _clientHost = host;
    }

    /// <summary>Stops the client; calls that it waits for fail.</summary>
    public async Task StopClusterClientAsync()
    {
        if (Interlocked.Exchange(ref _clientHost, null) is { } host)
        {
            await host.StopAsync();
            host.Dispose();
        }
    }

    /// <summary>Starts one more silo.</summary>
    /// <param name="startAdditionalSiloOnNewPort">Every silo has a port number of its own here anyway.</param>
    public async Task<SiloHandle> StartAdditionalSiloAsync(bool startAdditionalSiloOnNewPort = false)
    {
        short number;
        lock (_gate)
        {
            number = _nextSilo++;
        }

        return await StartAsync(number, number == 0 ? "Primary" : $"Secondary_{number}");
    }

    /// <summary>Starts more silos.</summary>
    public async Task<List<SiloHandle>> StartAdditionalSilosAsync(
        int silosToStart, bool startAdditionalSiloOnNewPort = false)
    {
        List<SiloHandle> started = [];
        for (int i = 0; i < silosToStart; i++)
        {
            started.Add(await StartAdditionalSiloAsync(startAdditionalSiloOnNewPort));
        }

        return started;
    }

    /// <summary>Stops a silo gracefully, as its host would.</summary>
    public async Task StopSiloAsync(SiloHandle instance)
    {
        if (Take(instance))
        {
            await instance.DisposeAsync();
        }
    }

    /// <summary>Ends a silo as if its process had: see <see cref="InProcessSiloHandle.StopSiloAsync(bool)"/>.</summary>
    public async Task KillSiloAsync(SiloHandle instance)
    {
        if (Take(instance))
        {
            await instance.StopSiloAsync(stopGracefully: false);
            await instance.DisposeAsync();
        }
    }

    /// <summary>Stops a silo gracefully and starts one of the same name, with an address of its own.</summary>
    public async Task<SiloHandle?> RestartSiloAsync(SiloHandle instance)
    {
        ArgumentNullException.ThrowIfNull(instance);
        await StopSiloAsync(instance);
        return await StartAsync(instance.InstanceNumber, instance.Name);
    }

    /// <summary>Stops the client and all silos, the youngest silo first.</summary>
    public async Task StopAllSilosAsync()
    {
        await StopClusterClientAsync();
        foreach (SiloHandle silo in Silos.Reverse())
        {
            await StopSiloAsync(silo);
        }
    }

    /// <summary>Returns the silos that are active.</summary>
    public IEnumerable<SiloHandle> GetActiveSilos() => Silos.Where(s => s.IsActive);

    /// <summary>Returns the silo at this address, if it runs.</summary>
    public SiloHandle? GetSiloForAddress(SiloAddress siloAddress)
        => Silos.FirstOrDefault(s => s.SiloAddress.Equals(siloAddress));

    /// <summary>Returns the services of a silo; without an address, of the first one.</summary>
    /// <exception cref="ArgumentException">No silo runs at that address.</exception>
    public IServiceProvider GetSiloServiceProvider(SiloAddress? silo = null)
    {
        SiloHandle? handle = silo is null ? Silos.FirstOrDefault() : GetSiloForAddress(silo);
        return handle is InProcessSiloHandle inProcess
            ? inProcess.ServiceProvider
            : throw new ArgumentException($"No silo runs at {silo?.ToString() ?? "any address"}.", nameof(silo));
    }

    /// <summary>Returns once membership is settled; in one process it always is.</summary>
    public Task WaitForLivenessToStabilizeAsync(bool didKill = false) => Task.CompletedTask;

    /// <summary>Stops client and silos gracefully.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAllSilosAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases client and silos without stopping them first.</summary>
    public void Dispose()
    {
        Interlocked.Exchange(ref _clientHost, null)?.Dispose();
        foreach (SiloHandle silo in Silos.Where(Take))
        {
            silo.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    private static object Make(string typeName)
        => Activator.CreateInstance(Type.GetType(typeName, throwOnError: true)!)!;

    private bool Take(SiloHandle silo)
    {
        lock (_gate)
        {
            return _silos.Remove(silo);
        }
    }

    private async Task<SiloHandle> StartAsync(short number, string name)
    {
        HostBuilder builder = NewHostBuilder();
        builder.UseOrleans(silo => silo
            .Configure<SiloOptions>(options => options.SiloName = name)
            .Configure<EndpointOptions>(options =>
            {
                options.SiloPort = Options.BaseSiloPort + number;
                options.GatewayPort = Options.BaseGatewayPort + number;
            }));
        foreach (object configurator in Options.SiloBuilderConfiguratorTypes.Select(Make))
        {
            (configurator as IHostConfigurator)?.Configure(builder);
            if (configurator is ISiloConfigurator siloConfigurator)
            {
                builder.UseOrleans(siloConfigurator.Configure);
            }
        }

        IHost host = builder.Build();
        try
        {
            await host.StartAsync();
        }
        catch (Exception)
        {
            host.Dispose();
            throw;
        }

        SiloRuntime runtime = host.Services.GetRequiredService<SiloRuntime>();
        InProcessSiloHandle handle = new()
        {
            SiloHost = host,
            Name = name,
            InstanceNumber = number,
            SiloAddress = runtime.Address,
            GatewayAddress = runtime.GatewayAddress,
            ClusterOptions = Options,
        };
        lock (_gate)
        {
            _silos.Add(handle);
        }

        return handle;
    }

    private HostBuilder NewHostBuilder()
    {
        HostBuilder builder = new();
        builder.UseEnvironment(Environments.Development);
        builder.ConfigureHostConfiguration(host => host.AddConfiguration(_configuration));
        builder.ConfigureServices(services => services
            .AddSingleton(_cluster)
            .Configure<ClusterOptions>(options =>
            {
                options.ClusterId = Options.ClusterId;
                options.ServiceId = Options.ServiceId;
            }));
        return builder;
    }
}
