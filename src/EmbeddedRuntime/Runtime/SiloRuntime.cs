using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Runtime;
using Orleans.Runtime.Placement;

namespace Branching.EmbeddedRuntime;

/// <summary>One silo: the grains that live in one host.</summary>
internal sealed class SiloRuntime : ILocalSiloDetails, IDisposable
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Activation, bool> _activations = new();
    private readonly ConcurrentDictionary<Type, IPlacementDirector> _directors = new();
    private readonly CancellationTokenSource _gone = new();
    private readonly Lazy<GrainCollectionOptions> _collection;
    private ITimer? _collector;
    private volatile SiloStatus _status = SiloStatus.Created;

    public SiloRuntime(
        EmbeddedCluster cluster,
        IServiceProvider services,
        TimeProvider time,
        ILoggerFactory loggers,
        IOptions<SiloOptions> silo,
        IOptions<ClusterOptions> clusterOptions,
        IOptions<EndpointOptions> endpoint)
    {
        int number = cluster.NextSiloNumber();
        Cluster = cluster;
        Services = services;
        Time = time;
        Log = loggers.CreateLogger<SiloRuntime>();
        Name = silo.Value.SiloName ?? $"Silo_{number}";
        ClusterId = clusterOptions.Value.ClusterId;
        IPAddress ip = endpoint.Value.AdvertisedIPAddress ?? IPAddress.Loopback;
        Address = SiloAddress.New(ip, endpoint.Value.SiloPort, SiloAddress.AllocateNewGeneration());
        GatewayAddress = SiloAddress.New(ip, endpoint.Value.GatewayPort, 0);
        Gone = _gone.Token;
        Origin = new CallOrigin(
            cluster, this, () => services.GetRequiredService<IOptions<SiloMessagingOptions>>().Value);
        GrainFactory = new GrainFactory(Origin, services);
        _collection = new(() => services.GetRequiredService<IOptions<GrainCollectionOptions>>().Value);
    }

    public EmbeddedCluster Cluster { get; }

    public IServiceProvider Services { get; }

    public TimeProvider Time { get; }

    public ILogger Log { get; }

    public CallOrigin Origin { get; }

    public GrainFactory GrainFactory { get; }

    public SiloAddress Address { get; }

    public SiloAddress SiloAddress => Address;

    public SiloAddress GatewayAddress { get; }

    public string Name { get; }

    public string ClusterId { get; }

    public string DnsHostName => Dns.GetHostName();

    public SiloStatus Status => _status;

    public GrainCollectionOptions Collection => _collection.Value;

    /// <summary>Gets a token that is cancelled when the silo is dead, however it died.</summary>
    public CancellationToken Gone { get; }

    public TimeSpan CollectionAge(Type grainClass)
        => Collection.ClassSpecificCollectionAge.TryGetValue(grainClass.FullName ?? "", out TimeSpan own)
            ? own
            : Collection.CollectionAge;

    public IPlacementDirector Director(PlacementStrategy strategy)
        => _directors.GetOrAdd(strategy.GetType(), type =>
            Services.GetKeyedService<IPlacementDirector>(type) ?? throw new OrleansConfigurationException(
                $"No placement director is registered for {type.Name}. Register one with AddPlacementDirector."));

    public void Join()
    {
        lock (_gate)
        {
            _status = SiloStatus.Joining;
            Cluster.Add(this);
            Cluster.Membership.Set(Address, Name, SiloStatus.Joining);
        }
    }

    public void BecomeActive()
    {
        lock (_gate)
        {
            if (_status != SiloStatus.Joining)
            {
                return;
            }

            _status = SiloStatus.Active;
            Cluster.Membership.Set(Address, Name, SiloStatus.Active);
        }

        TimeSpan quantum = Collection.CollectionQuantum;
        using (ExecutionContext.SuppressFlow())
        {
            _collector = Time.CreateTimer(static state => ((SiloRuntime)state!).CollectIdle(), this, quantum, quantum);
        }
    }

    /// <summary>Takes no more grains, and deactivates those that are here.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_status == SiloStatus.Dead)
            {
                return;
            }

            _status = SiloStatus.ShuttingDown;
            Cluster.Membership.Set(Address, Name, SiloStatus.ShuttingDown);
        }

        _collector?.Dispose();
        Activation[] here = [.. _activations.Keys];
        DeactivationReason reason = new(DeactivationReasonCode.ShuttingDown, $"Silo {Name} is stopping.");
        foreach (Activation activation in here)
        {
            activation.Deactivate(reason, cancellationToken);
        }

        try
        {
            await Task.WhenAll(here.Select(a => a.Deactivated)).WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Log.StoppedEarly(Name, _activations.Count);
        }
    }

    /// <summary>Ends the silo now; what it was doing fails with <see cref="SiloUnavailableException"/>.</summary>
    public void Kill()
    {
        lock (_gate)
        {
            if (_status == SiloStatus.Dead)
            {
                return;
            }

            bool joined = _status != SiloStatus.Created;
            _status = SiloStatus.Dead;
            if (joined)
            {
                Cluster.Membership.Set(Address, Name, SiloStatus.Dead);
            }
        }

        Cluster.Remove(this);
        _collector?.Dispose();
        foreach (Activation activation in _activations.Keys)
        {
            activation.Kill(new SiloUnavailableException(
                $"Silo {Name} ({Address}) died with {activation.GrainId}. "
                + "Whether the request was carried out is unknown."));
        }

        Origin.Dispose();
        _gone.Cancel();
    }

    /// <summary>Takes an activation in, unless the silo takes none any more.</summary>
    public bool TryHost(Activation activation)
    {
        lock (_gate)
        {
            return _status == SiloStatus.Active && _activations.TryAdd(activation, true);
        }
    }

    public void Forget(Activation activation)
    {
        Cluster.Forget(activation);
        _activations.TryRemove(activation, out _);
    }

    public void Dispose()
    {
        // A host that is disposed without having been stopped did not end well; its silo did not either.
        Kill();
        _gone.Dispose();
    }

    private void CollectIdle()
    {
        foreach (Activation activation in _activations.Keys)
        {
            activation.CollectIfIdle();
        }
    }
}
