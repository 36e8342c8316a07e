namespace Branching.Grains;

/// <summary>What a node's health check and metrics say of its shared storage. Asks no disk.</summary>
public sealed class NodeStatus
{
    private readonly NodeDatabases _databases;

    internal NodeStatus(NodeDatabases databases, Instruments instruments)
    {
        _databases = databases;
        instruments.ObserveLag(() => ((long)UnsentSequences, UnsentAge));
    }

    /// <summary>Why shared storage could not be reached when it was last tried; null when it could, or when there is
    /// none.</summary>
    public string? SharedStorageProblem => _databases.SharedStorageProblem;

    /// <summary>Acknowledged sequence numbers of the owned databases that are not on shared storage.</summary>
    public ulong UnsentSequences
    {
        get
        {
            ulong sum = 0;
            foreach (DatabaseLag lag in Lags)
            {
                sum += lag.Sequences;
            }

            return sum;
        }
    }

    /// <summary>How long the oldest of them has been waiting.</summary>
    public TimeSpan UnsentAge => Lags.Select(lag => lag.Age).DefaultIfEmpty(TimeSpan.Zero).Max();

    private IEnumerable<DatabaseLag> Lags => _databases.GetLag()?.Values ?? [];
}
