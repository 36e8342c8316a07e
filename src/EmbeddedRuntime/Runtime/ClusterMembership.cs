using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime;

/// <summary>Who is in the cluster. Every change makes a new snapshot; readers see each of them in order.</summary>
internal sealed class ClusterMembership
{
    private readonly Lock _gate = new();
    private Node _latest = new(new ClusterMembershipSnapshot(
        ImmutableDictionary<SiloAddress, ClusterMember>.Empty, new MembershipVersion(0)));

    public ClusterMembershipSnapshot Current => Volatile.Read(ref _latest).Snapshot;

    public void Set(SiloAddress address, string name, SiloStatus status)
    {
        lock (_gate)
        {
            ClusterMembershipSnapshot last = _latest.Snapshot;
            Node next = new(new ClusterMembershipSnapshot(
                last.Members.SetItem(address, new ClusterMember(address, status, name)),
                new MembershipVersion(last.Version.Value + 1)));
            Node previous = _latest;
            Volatile.Write(ref _latest, next);
            previous.Next.SetResult(next);
        }
    }

    public async IAsyncEnumerable<ClusterMembershipSnapshot> ReadAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Node node = Volatile.Read(ref _latest);
        while (true)
        {
            yield return node.Snapshot;
            node = await node.Next.Task.WaitAsync(cancellationToken);
        }
    }

    private sealed class Node(ClusterMembershipSnapshot snapshot)
    {
        public ClusterMembershipSnapshot Snapshot => snapshot;

        public TaskCompletionSource<Node> Next { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>The membership as the services of one silo see it; its updates end with that silo.</summary>
internal sealed class ClusterMembershipService(EmbeddedCluster cluster, SiloRuntime silo) : IClusterMembershipService
{
    public ClusterMembershipSnapshot CurrentSnapshot => cluster.Membership.Current;

    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => UpdatesAsync();

    public async ValueTask Refresh(
        MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default)
    {
        await foreach (ClusterMembershipSnapshot snapshot in cluster.Membership.ReadAsync(cancellationToken))
        {
            if (snapshot.Version >= minimumVersion)
            {
                return;
            }
        }
    }

    public Task<bool> TryKill(SiloAddress siloAddress)
    {
        if (cluster.TryGetSilo(siloAddress, out SiloRuntime? victim))
        {
            victim!.Kill();
        }

        return Task.FromResult(cluster.Membership.Current.GetSiloStatus(siloAddress) == SiloStatus.Dead);
    }

    private async IAsyncEnumerable<ClusterMembershipSnapshot> UpdatesAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using CancellationTokenSource either =
            CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silo.Gone);
        await using IAsyncEnumerator<ClusterMembershipSnapshot> updates =
            cluster.Membership.ReadAsync(either.Token).GetAsyncEnumerator(either.Token);
        while (true)
        {
            try
            {
                if (!await updates.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                yield break; // The silo is gone; there is nobody left to tell.
            }

            yield return updates.Current;
        }
    }
}
