using System.Text.Json.Nodes;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Terminal;
using Branching.ClientApp.Transfer;
using Branching.Grains;
using Branching.Silo;

namespace Branching.ClientApp.Demo;

/// <summary>
/// The part of the demo in which a node dies: three nodes, a snapshot, more writes, the owner killed, and on the new
/// owner every branch compared with what its last snapshot held.
/// </summary>
internal sealed class FailoverDemo(CommandHost host, DemoReport report, string directory)
{
    private const string Database = "failover";
    private const string Late = "late";
    private const string Scratch = "scratch";
    private const int AfterSnapshot = 100;
    private const int AfterFailover = 200;

    private static readonly string[] _nodeNames = ["node-a", "node-b", "node-c"];
    private static readonly TimeSpan _atMost = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(20);

    // A cluster that just started waits for nodes that come back by themselves; here nobody does.
    private static readonly Dictionary<string, string?> _settings = new(StringComparer.Ordinal)
    {
        ["Branching:Failover:StartGrace"] = "00:00:00",
        ["Branching:Failover:LookEvery"] = "00:00:00.500",
        ["Branching:Schedule:Enabled"] = "false",
    };

    private readonly DemoDatabase _database = new(report, Database);

    /// <summary>Runs it.</summary>
    /// <returns>What it found, for the JSON answer.</returns>
    public async Task<JsonObject> RunAsync(ImportPlan plan, DemoModel imported, CancellationToken cancellationToken)
    {
        await using EmbeddedClusterNodes nodes = await report.StepAsync(
            "start three nodes with shared storage",
            () => EmbeddedClusterNodes.StartAsync(directory, _nodeNames, _settings, ct: cancellationToken));
        await _database.FillAsync(nodes.Grains, plan, imported, cancellationToken);
        ulong snapshotted = await SnapshotAsync(nodes.Grains, cancellationToken);
        Dictionary<string, DemoModel> promised = _database.Models.ToDictionary(
            pair => pair.Key, pair => pair.Value.Branch(), StringComparer.Ordinal);
        await WriteOnAsync(nodes.Grains, cancellationToken);
        IReadOnlyList<BranchDescription> lineage = await nodes.Grains.GetDatabase(Database)
            .GetLineageAsync(cancellationToken);
        DatabaseDescription before = await nodes.Grains.GetDatabase(Database).DescribeAsync(cancellationToken);

        JsonObject answer = await FailOverAsync(nodes, before, cancellationToken);
        answer["snapshotSequence"] = snapshotted;
        Replace(_database.Models, promised);
        await CompareAsync(nodes.Grains, "compare every branch with its last snapshot", cancellationToken);
        await CheckLineageAsync(nodes.Grains, lineage, cancellationToken);
        await _database.ChangeAsync(nodes.Grains, BranchKey.Main, AfterFailover, cancellationToken);
        answer["quarantine"] = await ComeBackAsync(nodes, before.Node, cancellationToken);
        await CompareAsync(nodes.Grains, "compare every branch again", cancellationToken);
        return answer;
    }

    private async Task<ulong> SnapshotAsync(IGrainFactory grains, CancellationToken cancellationToken)
    {
        ISnapshotCoordinatorGrain coordinator = grains.GetSnapshots(Database);

        // Nothing may be snapshotted behind the demo's back: what was not is to be shown.
        await coordinator.SetPolicyAsync(new SnapshotPolicy(), cancellationToken);
        OperationDescription taken = await report.StepAsync("take a snapshot of every branch", async () =>
        {
            OperationDescription started = await coordinator.TakeAsync(
                new TakeSnapshotRequest(Verify: true, RequestedBy: DatabaseCommands.Creator), cancellationToken);
            return await EndOfAsync(coordinator, started, cancellationToken);
        });
        IReadOnlyList<TakenSnapshot> snapshots = taken.Taken ?? [];
        report.Problems.AddRange(snapshots.Where(one => one.Problem is not null)
            .Select(one => $"no snapshot of {one.Branch}: {one.Problem}"));
        if (snapshots.Count != _database.Models.Count)
        {
            report.Problems.Add($"{snapshots.Count} snapshots were taken of {_database.Models.Count} branches");
        }

        report.Say($"{snapshots.Count} snapshots of {Screen.Bytes(snapshots.Sum(one => one.TotalBytes))} together; "
            + $"{Screen.Bytes(snapshots.Sum(one => one.SentBytes))} were sent, files that branches share only once");
        return snapshots.FirstOrDefault(one => one.Branch == BranchKey.Main)?.Sequence ?? 0;
    }

    /// <summary>What the snapshot does not have: writes everywhere, a branch, and an ephemeral one.</summary>
    private async Task WriteOnAsync(IGrainFactory grains, CancellationToken cancellationToken)
    {
        int round = AfterSnapshot;
        foreach (string branch in _database.Models.Keys.ToArray())
        {
            await _database.ChangeAsync(grains, branch, round++, cancellationToken);
        }

        await _database.BranchAsync(grains, Late, BranchKey.Main, BranchDurability.Durable, cancellationToken);
        await _database.BranchAsync(grains, Scratch, BranchKey.Main, BranchDurability.Ephemeral, cancellationToken);
    }

    private async Task<JsonObject> FailOverAsync(
        EmbeddedClusterNodes nodes, DatabaseDescription before, CancellationToken cancellationToken)
    {
        long killed = host.Time.GetTimestamp();
        Task death = nodes.KillNodeAsync(before.Node);
        DatabaseDescription after = await report.StepAsync(
            $"kill {before.Node} and wait until another node serves",
            () => UntilAsync(
                async () => await nodes.Grains.GetDatabase(Database).DescribeAsync(cancellationToken),
                described => described.Node != before.Node && described.State == DatabaseState.Serving,
                "another node serves the database",
                cancellationToken));
        TimeSpan recovery = host.Time.GetElapsedTime(killed);
        await death;
        FailoverRecord record = (await UntilAsync(
            async () => await nodes.Grains.GetClusterCoordinator().ListFailoversAsync(Database, cancellationToken),
            found => found is [{ State: FailoverState.Done }, ..],
            "the coordinator records the failover",
            cancellationToken))[0];
        if (after.Epoch <= before.Epoch)
        {
            report.Problems.Add($"the new owner has epoch {after.Epoch}, the former one had {before.Epoch}");
        }

        string lost = record.LostBranches is { Count: > 0 } branches ? string.Join(' ', branches) : "none";
        report.Say($"the coordinator moved the database from {record.FromNode} to {record.ToNode} (epoch "
            + $"{record.FromEpoch} to {record.ToEpoch}); served again {Screen.Duration(recovery)} after the kill: "
            + $"fenced {After(record, record.FencedAt)}, restored {After(record, record.RestoredAt)}, "
            + $"serving {After(record, record.ServingAt)} after the death was detected");
        report.Say($"not yet snapshotted: {Screen.Number((long)(before.Lag?.Sequences ?? 0))} sequences of all branches"
            + $", the oldest {Screen.Duration(before.Lag?.Age ?? TimeSpan.Zero)} old; lost branches: {lost}");
        if (!(record.LostBranches ?? []).SequenceEqual([Late], StringComparer.Ordinal))
        {
            report.Problems.Add($"the failover says that these branches are lost: {lost}; it should be {Late}");
        }

        JsonObject json = SnapshotJson.ToJson(record);
        json["recoveryMs"] = Math.Round(recovery.TotalMilliseconds, 1);
        json["notSnapshotted"] = before.Lag?.Sequences;
        return json;
    }

    private async Task CompareAsync(IGrainFactory grains, string step, CancellationToken cancellationToken)
    {
        int differing = await report.StepAsync(step, () => UntilAsync(
            () => _database.CompareAllAsync(grains, cancellationToken),
            _ => true,
            "every branch can be read to its end",
            cancellationToken));
        long keys = _database.Models.Values.Sum(model => (long)model.Count);
        report.Say($"{Screen.Number(keys)} keys and values of {_database.Models.Count} branches compared: "
            + $"{Screen.Number(differing)} differ");
    }

    private async Task CheckLineageAsync(
        IGrainFactory grains, IReadOnlyList<BranchDescription> before, CancellationToken cancellationToken)
    {
        IReadOnlyList<BranchDescription> after = await grains.GetDatabase(Database).GetLineageAsync(cancellationToken);
        foreach (BranchDescription branch in before.Where(one => one.Durability == BranchDurability.Durable))
        {
            BranchDescription? found = after.FirstOrDefault(one => one.StoreId == branch.StoreId);
            if (found is null || (found.Name, found.ParentStoreId, found.BranchSequence, found.Depth)
                != (branch.Name, branch.ParentStoreId, branch.BranchSequence, branch.Depth))
            {
                report.Problems.Add($"lineage: branch {branch.Name} is {(found is null ? "missing" : "another one")}");
                continue;
            }

            BranchState wanted = branch.Name == Late ? BranchState.Lost : BranchState.Ready;
            if (found.State != wanted)
            {
                report.Problems.Add($"lineage: branch {branch.Name} is {found.State}, not {wanted}");
            }
        }

        if (after.Any(one => one.Name == Scratch && one.State == BranchState.Ready))
        {
            report.Problems.Add($"the ephemeral branch {Scratch} outlived its node");
        }

        report.Say("lineage is whole: every durable branch has its parent, sequence and depth; "
            + $"'{Late}', which no snapshot had, is told as lost; '{Scratch}' was ephemeral");
        report.Say("");
    }

    /// <summary>Brings the dead node back and moves the database to it: what it still had is set aside.</summary>
    private async Task<string?> ComeBackAsync(
        EmbeddedClusterNodes nodes, string name, CancellationToken cancellationToken)
    {
        await report.StepAsync($"start {name} again", () => nodes.StartNodeAsync(name, cancellationToken));
        IClusterCoordinatorGrain coordinator = nodes.Grains.GetClusterCoordinator();
        OperationDescription moved = await report.StepAsync($"move the database back to {name}", async () =>
        {
            OperationDescription started = await UntilAsync(
                async () => await coordinator.MoveDatabaseAsync(Database, name, cancellationToken),
                _ => true,
                $"a move to {name} begins",
                cancellationToken);
            return await EndOfAsync(coordinator, started, cancellationToken);
        });
        MoveOutcome outcome = moved.Moved![0];
        if (!outcome.Succeeded)
        {
            report.Problems.Add($"the database did not move back to {name}: {outcome.Problem}");
            return null;
        }

        report.Say($"writes paused for {Screen.Duration(outcome.WritePause)}; "
            + $"{Screen.Bytes(outcome.SentBytes)} were sent");
        IReadOnlyList<NodeDescription> all = await coordinator.ListNodesAsync(cancellationToken);
        string address = all.Single(node => node.Name == name).Address;
        IReadOnlyList<QuarantineDescription> quarantine = await nodes.Grains.GetGrain<INodeGrain>(address)
            .ListQuarantineAsync(cancellationToken);
        QuarantineDescription? stale = quarantine.FirstOrDefault(one => one.Database == Database);
        if (stale is null || !Directory.Exists(stale.Path))
        {
            report.Problems.Add($"the stale store of {name} is not in quarantine");
            return null;
        }

        report.Say($"the store that {name} still had is in quarantine, whole: {stale.Reason}");
        report.Say("");
        return stale.Path;
    }

    private async Task<OperationDescription> EndOfAsync(
        IOperationsGrain grain, OperationDescription operation, CancellationToken cancellationToken)
    {
        OperationDescription ended = operation.State == OperationState.Running
            ? await UntilAsync(
                async () => await grain.GetOperationAsync(
                    operation.OperationId, TimeSpan.FromSeconds(1), cancellationToken),
                described => described.State != OperationState.Running,
                $"{operation.Kind} of {operation.Target} ends",
                cancellationToken)
            : operation;
        return ended.State == OperationState.Succeeded
            ? ended
            : throw new BranchingException(
                ended.Failure ?? FailureKind.Unknown, ended.Message ?? $"{ended.Kind} ended as {ended.State}.");
    }

    /// <summary>Asks again until the answer is as wanted, for as long as failures say that they will pass.</summary>
    private async Task<T> UntilAsync<T>(
        Func<Task<T>> ask, Func<T, bool> isWanted, string wanted, CancellationToken cancellationToken)
    {
        long started = host.Time.GetTimestamp();
        string last = "nothing";
        while (host.Time.GetElapsedTime(started) < _atMost)
        {
            try
            {
                T answer = await ask();
                if (isWanted(answer))
                {
                    return answer;
                }

                last = answer?.ToString() ?? "nothing";
            }
            catch (Exception e) when (e is BranchingException { IsTransient: true } or OrleansException
                or TimeoutException)
            {
                // The node is dying, or another one is taking over.
                last = e.Message;
            }

            await Task.Delay(_look, host.Time, cancellationToken);
        }

        throw new UserError(
            ExitCode.Failed,
            $"waited {_atMost.TotalSeconds} s in vain until {wanted}; the last answer was: {last}",
            null,
            "DemoFailed");
    }

    private static void Replace(Dictionary<string, DemoModel> models, Dictionary<string, DemoModel> by)
    {
        models.Clear();
        foreach ((string branch, DemoModel model) in by)
        {
            models[branch] = model;
        }
    }

    private static string After(FailoverRecord record, DateTimeOffset? step)
        => step is { } at ? Screen.Duration(at - record.DetectedAt) : "at an unknown time";
}
