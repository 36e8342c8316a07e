using System.Collections.Concurrent;
using Orleans.Runtime;
using Orleans.Runtime.Placement;

namespace Branching.EmbeddedRuntime;

/// <summary>The silos of one cluster in this process, and where each of its grains is.</summary>
/// <remarks>
/// The directory is exact: a grain has one entry, made by the first caller and removed by the activation itself
/// after its last turn. Callers that come while the silo is being chosen wait in the entry.
/// </remarks>
internal sealed class EmbeddedCluster
{
    // A silo can die between being chosen and being asked; more often than this in a row is not bad luck.
    private const int PlacementAttempts = 5;

    private readonly ConcurrentDictionary<GrainId, DirectoryEntry> _directory = new();
    private readonly ConcurrentDictionary<SiloAddress, SiloRuntime> _silos = new();
    private int _lastSiloNumber = -1;
    private int _lastGateway = -1;

    public ClusterMembership Membership { get; } = new();

    public int NextSiloNumber() => Interlocked.Increment(ref _lastSiloNumber);

    public void Add(SiloRuntime silo) => _silos[silo.Address] = silo;

    public void Remove(SiloRuntime silo) => _silos.TryRemove(silo.Address, out _);

    public bool TryGetSilo(SiloAddress address, out SiloRuntime? silo) => _silos.TryGetValue(address, out silo);

    public bool TryFind(GrainId id, out Activation? activation)
    {
        activation = _directory.TryGetValue(id, out DirectoryEntry? entry) ? entry.Activation : null;
        return activation is not null;
    }

    /// <summary>Brings a request to its grain's activation, making one when there is none.</summary>
    public void Route(TurnRequest request, GrainProxy target)
    {
        while (true)
        {
            DirectoryEntry entry = _directory.GetOrAdd(target.GrainId, static _ => new DirectoryEntry());
            if (entry.TryBecomePlacer())
            {
                entry.TryWait(request, target);
                _ = Task.Run(() => PlaceAsync(entry, target));
                return;
            }

            if (entry.TryWait(request, target))
            {
                return;
            }

            if (entry.Activation is { } activation && activation.TryAccept(request))
            {
                target.Remember(activation);
                return;
            }

            // The activation ended after it was found; its entry is gone already, or belongs to a failed placement.
            Remove(target.GrainId, entry);
        }
    }

    public void Forget(Activation activation)
    {
        if (_directory.TryGetValue(activation.GrainId, out DirectoryEntry? entry)
            && ReferenceEquals(entry.Activation, activation))
        {
            Remove(activation.GrainId, entry);
        }
    }

    private void Remove(GrainId id, DirectoryEntry entry)
        => _directory.TryRemove(new KeyValuePair<GrainId, DirectoryEntry>(id, entry));

    private async Task PlaceAsync(DirectoryEntry entry, GrainProxy target)
    {
        try
        {
            GrainClass grainClass = GrainCatalog.Get(target.GrainId.Type);
            for (int attempt = 0; attempt < PlacementAttempts; attempt++)
            {
                SiloRuntime chosen = await ChooseAsync(grainClass, target);
                Activation activation = new(grainClass, target.GrainId, chosen);

                if (!entry.TryPlace(activation, chosen))
                {
                    continue;
                }

                activation.Start();
                return;
            }

            throw new SiloUnavailableException(
                $"Every silo chosen for {target.GrainId} died before it could take it ({PlacementAttempts} attempts).");
        }
        catch (Exception cause)
        {
            Remove(target.GrainId, entry);
            foreach ((TurnRequest request, _) in entry.Fail())
            {
                request.Fail(cause);
            }
        }
    }

    private async Task<SiloRuntime> ChooseAsync(GrainClass grainClass, GrainProxy target)
    {
        SiloRuntime local = Local(target);
        IPlacementDirector director = local.Director(grainClass.Placement);
        PlacementContext context = new(this, local);
        PlacementTarget wanted = new(target.GrainId, [], target.InterfaceType, 0);
        SiloAddress address = await director.OnAddActivation(grainClass.Placement, wanted, context);
        return address is not null && _silos.TryGetValue(address, out SiloRuntime? silo)
            && silo.Status == SiloStatus.Active
            ? silo
            : throw new OrleansException(
                $"{director.GetType().Name} placed {target.GrainId} on {address?.ToString() ?? "nothing"}, "
                + "which is not an active silo of this cluster.");
    }

    // A client's first request goes through some active silo, the clients' gateway.
    private SiloRuntime Local(GrainProxy target)
    {
        if (target.Factory.Origin.Silo is { } own)
        {
            return own;
        }

        SiloRuntime[] active = ActiveSilos();
        return active.Length > 0
            ? active[(uint)Interlocked.Increment(ref _lastGateway) % (uint)active.Length]
            : throw NoActiveSilo();
    }

    public SiloRuntime[] ActiveSilos()
        => [.. _silos.Values.Where(s => s.Status == SiloStatus.Active).OrderBy(s => s.Address)];

    public static SiloUnavailableException NoActiveSilo()
        => new("The cluster has no active silo, so no grain can be placed.");

    /// <summary>Where a grain is, or will be.</summary>
    private sealed class DirectoryEntry
    {
        private readonly Lock _gate = new();
        private List<(TurnRequest Request, GrainProxy Target)>? _waiting = [];
        private bool _placing;
        private volatile Activation? _activation;

        public Activation? Activation => _activation;

        public bool TryBecomePlacer()
        {
            lock (_gate)
            {
                if (_placing)
                {
                    return false;
                }

                _placing = true;
                return true;
            }
        }

        public bool TryWait(TurnRequest request, GrainProxy target)
        {
            lock (_gate)
            {
                _waiting?.Add((request, target));
                return _waiting is not null;
            }
        }

        /// <summary>Hands the activation to its silo, and all who waited to the activation, first come first.</summary>
        public bool TryPlace(Activation activation, SiloRuntime silo)
        {
            List<TurnRequest> refused = [];
            lock (_gate)
            {
                // Set before the silo knows, so that a silo that dies now finds the entry to remove.
                _activation = activation;
                if (!silo.TryHost(activation))
                {
                    _activation = null;
                    return false;
                }

                // Still under the lock, so that nobody who comes now overtakes those who waited.
                foreach ((TurnRequest request, GrainProxy target) in _waiting!)
                {
                    if (activation.TryAccept(request))
                    {
                        target.Remember(activation);
                    }
                    else
                    {
                        refused.Add(request);
                    }
                }

                _waiting = null;
            }

            refused.ForEach(static request => request.Reroute());
            return true;
        }

        public List<(TurnRequest Request, GrainProxy Target)> Fail()
        {
            lock (_gate)
            {
                List<(TurnRequest, GrainProxy)> waiting = _waiting ?? [];
                _waiting = null;
                return waiting;
            }
        }
    }

    private sealed class PlacementContext(EmbeddedCluster cluster, SiloRuntime local) : IPlacementContext
    {
        public SiloAddress LocalSilo => local.Address;

        public SiloStatus LocalSiloStatus => local.Status;

        public SiloAddress[] GetCompatibleSilos(PlacementTarget target)
        {
            SiloRuntime[] active = cluster.ActiveSilos();
            return active.Length > 0 ? [.. active.Select(s => s.Address)] : throw NoActiveSilo();
        }
    }
}
