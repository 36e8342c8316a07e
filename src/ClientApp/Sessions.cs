using Branching.Grains;

namespace Branching.ClientApp;

/// <summary>Opens sessions.</summary>
internal static class Sessions
{
    /// <summary>Starts a node in this process, or connects to a cluster.</summary>
    public static Task<ISession> ConnectAsync(SessionTarget target, CancellationToken cancellationToken)
        => throw new BranchingException(FailureKind.NotSupported, "This build has no storage.");
}
