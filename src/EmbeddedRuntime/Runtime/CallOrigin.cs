using Orleans.Configuration;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>Who makes calls: a silo, for its grains and services, or a client.</summary>
internal sealed class CallOrigin : IDisposable
{
    private readonly Func<MessagingOptions> _messaging;
    private MessagingOptions? _resolved;
    private volatile bool _gone;

    public CallOrigin(EmbeddedCluster cluster, SiloRuntime? silo, Func<MessagingOptions> messaging)
    {
        Cluster = cluster;
        Silo = silo;
        _messaging = messaging;
    }

    public EmbeddedCluster Cluster { get; }

    public SiloRuntime? Silo { get; }

    public Deadlines Deadlines { get; } = new();

    public MessagingOptions Messaging => _resolved ??= _messaging();

    public bool IsGone => _gone;

    public void ThrowIfGone()
    {
        if (_gone)
        {
            throw Gone();
        }
    }

    public Exception Gone() => Silo is null
        ? new ClientNotAvailableException("This client was stopped, so it makes no more calls.")
        : new SiloUnavailableException($"Silo {Silo.Name} is gone, so calls from it go nowhere.");

    public void Dispose()
    {
        _gone = true;
        Deadlines.FailAll(_ => Gone());
        Deadlines.Dispose();
    }
}
