using System.Reflection;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>A reference to a grain: implements the grain interface by sending calls.</summary>
internal class GrainProxy : DispatchProxy
{
    private Activation? _lastKnown;

    public GrainId GrainId { get; private set; }

    public GrainInterfaceType InterfaceType { get; private set; }

    public GrainFactory Factory { get; private set; } = null!;

    public static object Create(Type interfaceType, GrainId id, GrainFactory factory)
    {
        object proxy = Create(interfaceType, typeof(GrainProxy));
        GrainProxy self = (GrainProxy)proxy;
        self.GrainId = id;
        self.Factory = factory;
        self.InterfaceType = GrainInterfaceType.Create(interfaceType.FullName ?? interfaceType.Name);
        return proxy;
    }

    public void Send(GrainCall call)
    {
        if (Factory.Origin.IsGone)
        {
            call.Fail(Factory.Origin.Gone());
            return;
        }

        call.Prepare(Factory.Origin);
        Send((TurnRequest)call);
    }

    /// <summary>Hands a request to the activation that took the last one, or else looks the grain up.</summary>
    public void Send(TurnRequest request)
    {
        if (_lastKnown is { } activation)
        {
            if (activation.TryAccept(request))
            {
                return;
            }

            _lastKnown = null; // It ended; a reference must not keep its memory.
        }

        Factory.Origin.Cluster.Route(request, this);
    }

    public void Remember(Activation activation) => _lastKnown = activation;

    public override bool Equals(object? obj) => obj is GrainProxy other && GrainId.Equals(other.GrainId);

    public override int GetHashCode() => GrainId.GetHashCode();

    public override string ToString() => $"reference to {GrainId}";

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        => MethodShape.For(targetMethod!).Call(this, args ?? []);
}
