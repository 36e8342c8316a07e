namespace Branching.Grains;

/// <summary>Which nodes this process has seen alive, and which of them die. Thread-safe.</summary>
/// <remarks>A membership table may remember nodes of an earlier life of the cluster: only what was seen counts.
/// </remarks>
internal sealed class SeenNodes
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _alive = new(StringComparer.Ordinal);
    private readonly HashSet<string> _dead = new(StringComparer.Ordinal);

    /// <summary>Takes note of what membership says now.</summary>
    public void Note(ClusterMembershipSnapshot snapshot)
    {
        HashSet<string> now = [.. snapshot.Members.Values
            .Where(member => member.Status is SiloStatus.Active or SiloStatus.Joining or SiloStatus.ShuttingDown)
            .Select(member => member.Name)];
        lock (_lock)
        {
            _dead.UnionWith(_alive.Except(now, StringComparer.Ordinal));
            _dead.ExceptWith(now);
            _alive.UnionWith(now);
        }
    }

    /// <summary>Whether a node of that name was seen alive and is gone since.</summary>
    public bool HasDied(string name)
    {
        lock (_lock)
        {
            return _dead.Contains(name);
        }
    }
}
