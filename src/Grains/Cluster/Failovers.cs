using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Branching.Storage;
using Branching.Storage.Ownership;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>
/// Opens the databases whose owner is gone on nodes that live, without waiting for a caller. Thread-safe.
/// </summary>
/// <remarks>
/// It keeps no list of who owned what: each look compares the newest epochs on shared storage with the nodes that live.
/// A database whose newest epoch was claimed by a process that no live node is, and not released, has lost its owner.
/// So it does not matter which coordinator looks, or that another one died in the middle; and that two look at once
/// does no harm, since one node takes the next epoch and the other learns that it did not.
/// </remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "Its semaphores never hand out a wait handle.")]
internal sealed class Failovers(
    ClusterView view,
    SharedDatabases shared,
    FailoverRecords records,
    SeenNodes seen,
    Instruments instruments,
    IOptions<FailoverOptions> options,
    TimeProvider time,
    ILogger<Failovers> logger)
{
    private static readonly Dictionary<string, DatabaseLag> _noLag = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, Task> _running = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (DatabaseLag Lag, string Node)> _lastLag =
        new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _looking = new(1, 1);
    private readonly SemaphoreSlim _slots = new(options.Value.AtOnce);
    private int _wanted;

    public FailoverRecords Records => records;

    public SharedDatabases Shared => shared;

    /// <summary>Looks for databases without an owner and starts opening them. Looks that are asked for while one is
    /// under way become one more.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _wanted, 1);
        while (Volatile.Read(ref _wanted) == 1 && await _looking.WaitAsync(0, cancellationToken))
        {
            try
            {
                if (Interlocked.Exchange(ref _wanted, 0) == 1)
                {
                    await LookOnceAsync(cancellationToken);
                }
            }
            catch (StorageException e)
            {
                // Without shared storage nobody can be fenced, so nothing is taken over.
                logger.NotLooked(e.Message);
                return;
            }
            finally
            {
                _looking.Release();
            }
        }
    }

    private async Task LookOnceAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeView> nodes = await view.AskNodesAsync(cancellationToken);
        HashSet<string> owned = new(StringComparer.Ordinal);
        foreach (NodeView node in nodes)
        {
            owned.UnionWith(node.Description?.Owned ?? []);
            foreach ((string name, DatabaseLag lag) in node.Description?.Lag ?? _noLag)
            {
                _lastLag[name] = (lag, node.Member.Name);
            }
        }

        if (!options.Value.Enabled)
        {
            return;
        }

        bool isYoung = IsYoung(nodes);

        IReadOnlyList<FailoverRecord> known = await records.ListAsync(cancellationToken);
        await CloseFinishedAsync(known, nodes, cancellationToken);
        foreach (SharedDatabase database in await shared.ListAsync(owned, cancellationToken))
        {
            string name = database.Life.Name.Value;
            if (!_running.ContainsKey(name) && HasLostItsOwner(database.Ownership, nodes)
                && (!isYoung || seen.HasDied(database.Ownership.Owner!.NodeName)))
            {
                Begin(database, known, cancellationToken);
            }
        }
    }

    /// <summary>A cluster that just started: each node gets the time to come back to its databases, unless it was seen
    /// to die.</summary>
    private bool IsYoung(IReadOnlyList<NodeView> nodes)
    {
        DateTimeOffset old = time.GetUtcNow() - options.Value.StartGrace;
        return options.Value.StartGrace > TimeSpan.Zero
            && nodes.All(node => node.Description is not { } said || said.StartedAt > old);
    }

    internal static bool HasLostItsOwner(OwnershipStatus ownership, IReadOnlyList<NodeView> nodes)
    {
        if (ownership is not { Owner: { } owner, Released: false, Dropped: false })
        {
            return false;
        }

        foreach (NodeView node in nodes)
        {
            if (node.Description is { } said ? said.ProcessId == owner.ProcessId : node.Member.Name == owner.NodeName)
            {
                // It lives, or it is coming back with its own files: a silent node is not a dead one, membership says
                // when it is.
                return false;
            }
        }

        return true;
    }

    private void Begin(
        SharedDatabase database, IReadOnlyList<FailoverRecord> known, CancellationToken cancellationToken)
    {
        string name = database.Life.Name.Value;
        ulong epoch = database.Ownership.Newest.Value;
        FailoverRecord[] earlier = [.. known.Where(record => record.Database == name)];
        FailoverRecord? open = earlier.FirstOrDefault(
            record => record.FromEpoch == epoch && record.State != FailoverState.Done);
        if (open?.State == FailoverState.Held)
        {
            return;
        }

        (DatabaseLag Lag, string Node)? lag = _lastLag.TryGetValue(name, out (DatabaseLag, string) last) ? last : null;
        FailoverRecord record = open ?? new FailoverRecord(
            records.NewId(), name, database.Ownership.Owner?.NodeName ?? "", null, epoch, 0, FailoverState.Running, 0,
            time.GetUtcNow(), UnsnapshottedSequences: lag?.Lag.Sequences, UnsnapshottedAge: lag?.Lag.Age);
        string? held = open is null
            ? FlapRule.HeldBecause(options.Value, earlier.Select(one => one.DetectedAt), time.GetUtcNow())
            : null;
        _running[name] = Task.Run(
            async () =>
            {
                try
                {
                    await (held is null ? RunAsync(record, cancellationToken) : HoldAsync(record, held));
                }
                catch (OperationCanceledException)
                {
                    // The coordinator ends; the next one goes on with this record.
                }
                finally
                {
                    _running.TryRemove(name, out _);
                }
            },
            CancellationToken.None);
    }

    private async Task HoldAsync(FailoverRecord record, string why)
    {
        logger.FailoverHeld(record.Database, why);
        instruments.FailedOver(FailoverState.Held);
        await records.PutAsync(record with { State = FailoverState.Held, Problem = why }, CancellationToken.None);
    }

    private async Task RunAsync(FailoverRecord record, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            logger.FailoverBegins(record.Database, record.FromNode);
            HashSet<string> failedOn = new(StringComparer.Ordinal);
            int lasting = 0;
            for (int failed = 0; ; failed++)
            {
                if (failed > 0)
                {
                    await Task.Delay(FlapRule.Delay(options.Value, failed), time, cancellationToken);
                }

                NodeAnswer[] answers = await view.LookAsync(record.Database, cancellationToken);
                if (answers.FirstOrDefault(answer => answer.Owned) is { Name: { } owner, Epoch: var epoch })
                {
                    // A caller was faster, or another coordinator.
                    await FinishAsync(record with { ToNode = owner, ToEpoch = epoch }, null, cancellationToken);
                    return;
                }

                NodeAnswer target = Choose(record.Database, answers, failedOn);
                record = record with
                {
                    State = FailoverState.Running,
                    ToNode = target.Name,
                    Attempts = record.Attempts + 1,
                };
                await records.PutAsync(record, cancellationToken);
                TakeoverStatus status = await view.TakeAsync(
                    target, record.Database, "failover", running => records.Remember(With(record, running)),
                    cancellationToken);
                if (status.State == OperationState.Succeeded)
                {
                    await FinishAsync(record, status, cancellationToken);
                    return;
                }

                logger.FailoverTryFailed(record.Database, target.Name, record.Attempts, status.Problem ?? "");
                record = record with { State = FailoverState.Failed, Problem = status.Problem };
                if (!status.IsTransient)
                {
                    failedOn.Add(target.Name);
                    if (++lasting >= options.Value.MaxAttempts)
                    {
                        await HoldAsync(record, $"{lasting} tries failed. The last: {status.Problem}");
                        return;
                    }
                }

                await records.PutAsync(record, cancellationToken);
            }
        }
        finally
        {
            _slots.Release();
        }
    }

    private static NodeAnswer Choose(string database, NodeAnswer[] answers, HashSet<string> failedOn)
    {
        NodeAnswer[] untried = [.. answers.Where(answer => !failedOn.Contains(answer.Name))];
        NodeAnswer[] candidates = untried.Length > 0 ? untried : answers;
        return DatabasePlacementRule.Holder(candidates) ?? DatabasePlacementRule.LeastLoaded(database, candidates);
    }

    private async Task FinishAsync(FailoverRecord record, TakeoverStatus? status, CancellationToken cancellationToken)
    {
        DateTimeOffset now = time.GetUtcNow();
        record = status is null
            ? record with { State = FailoverState.Done, ServingAt = now, Problem = null }
            : With(record, status) with { State = FailoverState.Done, Problem = null };
        logger.FailoverDone(
            record.Database, record.ToNode ?? "", record.ToEpoch, (now - record.DetectedAt).TotalMilliseconds);
        instruments.FailedOver(FailoverState.Done);
        await records.PutAsync(record, cancellationToken);
    }

    /// <summary>Records that a coordinator left open and whose databases serve by now.</summary>
    private async Task CloseFinishedAsync(
        IReadOnlyList<FailoverRecord> known, IReadOnlyList<NodeView> nodes, CancellationToken cancellationToken)
    {
        foreach (FailoverRecord record in known.Where(
            record => record.State != FailoverState.Done && !_running.ContainsKey(record.Database)))
        {
            if (nodes.FirstOrDefault(one => Owns(one, record.Database)) is { } node)
            {
                await FinishAsync(record with { ToNode = node.Member.Name }, null, cancellationToken);
            }
        }
    }

    private static bool Owns(NodeView node, string database) =>
        node.Description?.Owned?.Contains(database, StringComparer.Ordinal) == true;

    private static FailoverRecord With(FailoverRecord record, TakeoverStatus status) => record with
    {
        ToEpoch = status.Epoch,
        FencedAt = status.FencedAt,
        RestoredAt = status.RestoredAt,
        ServingAt = status.ServingAt,
        LastSequence = status.Sequence,
        Branches = status.Branches,
        LostBranches = status.LostBranches,
    };
}
