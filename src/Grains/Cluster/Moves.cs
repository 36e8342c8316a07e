using Microsoft.Extensions.Logging;

namespace Branching.Grains;

/// <summary>Moves databases between nodes by plan. Thread-safe.</summary>
/// <remarks>
/// The source sends a snapshot while it serves, pauses changes, sends the rest and releases; only then the target takes
/// the next epoch. Ended before the release, the source serves on; ended after it, the database is at rest, and the
/// next call or this coordinator brings it up: on the target, else on the source.
/// </remarks>
internal sealed class Moves(ClusterView view, TimeProvider time, ILogger<Moves> logger)
{
    /// <summary>Moves one database.</summary>
    /// <param name="database">The database's name.</param>
    /// <param name="target">The name of a live node.</param>
    /// <param name="report">Told what happens, for people.</param>
    /// <param name="cancellationToken">Gives up; after the release it is brought up again all the same.</param>
    public async Task<MoveOutcome> MoveAsync(
        string database, string target, Action<string, long> report, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        NodeAnswer[] answers = await view.LookAsync(database, cancellationToken);
        NodeAnswer to = FindNode(answers, target);
        NodeAnswer? source = answers.Where(answer => answer.Owned).Select(answer => (NodeAnswer?)answer)
            .FirstOrDefault();
        if (source is not { } from)
        {
            // At rest: there is nothing to hand over.
            report("taking", 0);
            TakeoverStatus taken = await TakeAsync(database, to, cancellationToken);
            return Outcome(database, "", to.Name, taken, new ReleaseStatus(
                taken.State, "", TimeSpan.Zero, 0, 0, taken.Sequence, []), TimeSpan.Zero, start);
        }

        if (from.Silo.Equals(to.Silo))
        {
            return new MoveOutcome(
                database, from.Name, to.Name, Succeeded: true, TimeSpan.Zero, time.GetElapsedTime(start), 0, from.Epoch,
                0, [], "It was there already.");
        }

        ReleaseStatus released = await ReleaseAsync(database, from, to, report, cancellationToken);
        if (released.State != OperationState.Succeeded)
        {
            return new MoveOutcome(
                database, from.Name, from.Name, Succeeded: false, released.PausedFor, time.GetElapsedTime(start),
                released.SentBytes, released.Epoch, released.Sequence, [], released.Problem);
        }

        // The clocks of two nodes are never compared: what the source measured, then what is measured here.
        long since = time.GetTimestamp();
        report("taking", released.SentBytes);
        TakeoverStatus there = await TakeAsync(database, to, CancellationToken.None);
        if (there.State == OperationState.Succeeded)
        {
            return Outcome(
                database, from.Name, to.Name, there, released, released.PausedFor + time.GetElapsedTime(since), start);
        }

        logger.FailoverTryFailed(database, to.Name, 1, there.Problem ?? "");
        MoveOutcome outcome = await BringBackAsync(database, from, to, there, released, start);
        return outcome with { WritePause = released.PausedFor + time.GetElapsedTime(since) };
    }

    private async Task<MoveOutcome> BringBackAsync(
        string database, NodeAnswer source, NodeAnswer target, TakeoverStatus there, ReleaseStatus released, long start)
    {
        // Whoever serves it by now, for a call or because it only did not answer, keeps it.
        NodeAnswer? serving = await FindServingAsync(database);
        TakeoverStatus? back = null;
        if (serving is null)
        {
            back = await TakeAsync(database, source, CancellationToken.None);
            serving = back.State == OperationState.Succeeded
                ? source with { Owned = true, Epoch = back.Epoch }
                : await FindServingAsync(database);
        }

        bool isThere = serving is { Owned: true } && serving.Value.Name == target.Name;
        return Outcome(
            database, source.Name, serving?.Name ?? source.Name, back ?? there, released, TimeSpan.Zero, start)
            with
        {
            Succeeded = isThere,
            Epoch = serving?.Epoch ?? 0,
            Problem = isThere ? null : Explain(source.Name, target.Name, there.Problem, back?.Problem, serving),
        };
    }

    internal static string Explain(string from, string to, string? there, string? back, NodeAnswer? serving) =>
        serving switch
        {
            { Owned: true } one when one.Name == from =>
                $"Node {to} could not take it, so it is back on node {from}: {there}",
            { Owned: true } one => $"Node {to} could not take it: {there} Node {one.Name} serves it.",
            { } one => $"Node {to} could not take it: {there} Node {one.Name} is bringing it up.",
            null => $"Node {to} could not take it: {there} Nor could node {from}: {back} It is at rest; the next " +
                "call tries again.",
        };

    /// <summary>The node that serves a database, else the one that is bringing it up.</summary>
    private async Task<NodeAnswer?> FindServingAsync(string database) =>
        DatabasePlacementRule.Holder([.. (await view.LookAsync(database, CancellationToken.None))
            .Where(answer => answer.Serves)]);

    /// <exception cref="BranchingException"><see cref="FailureKind.InvalidArgument"/>: no node of the cluster has the
    /// name. <see cref="FailureKind.Closed"/>, transient: one has, but it does not answer.</exception>
    internal static NodeAnswer FindNode(NodeAnswer[] answers, string name)
    {
        NodeAnswer[] found = [.. answers.Where(answer => answer.Name == name)];
        int answering = Array.FindIndex(found, answer => answer.Holds is not null);
        if (answering >= 0)
        {
            return found[answering];
        }

        throw found.Length > 0
            ? new BranchingException(
                FailureKind.Closed,
                $"Node '{name}' does not answer: it has just started, or has just ended. Nothing was moved; try again.",
                isTransient: true)
            : new BranchingException(
                FailureKind.InvalidArgument,
                $"There is no live node '{name}'. The live nodes are: " +
                $"{string.Join(", ", answers.Select(answer => answer.Name).Order(StringComparer.Ordinal))}.");
    }

    private MoveOutcome Outcome(
        string database,
        string from,
        string to,
        TakeoverStatus taken,
        ReleaseStatus released,
        TimeSpan pause,
        long start) => new(
        database, from, to, taken.State == OperationState.Succeeded, pause, time.GetElapsedTime(start),
        released.SentBytes, taken.Epoch, released.Sequence, released.LeftBehind, taken.Problem);

    private async Task<ReleaseStatus> ReleaseAsync(
        string database,
        NodeAnswer from,
        NodeAnswer to,
        Action<string, long> report,
        CancellationToken cancellationToken)
    {
        ReleaseDatabaseRequest request = new(database, Guid.NewGuid().ToString("N"), to.Name, ClusterView.Poll);
        bool cancelled = false;
        return await view.AskUntilEndedAsync(
            from,
            async node =>
            {
                if (cancellationToken.IsCancellationRequested && !cancelled)
                {
                    await node.CancelReleaseAsync(database, request.MoveId, CancellationToken.None);
                    cancelled = true;
                }

                // Not the caller's token: how the release ended must be known.
                ReleaseStatus status = await view.WithinAsync(
                    node.ReleaseDatabaseAsync(request, CancellationToken.None), ClusterView.Poll,
                    CancellationToken.None);
                report(status.Phase, status.SentBytes);
                return status;
            },
            static status => status.State == OperationState.Running,
            problem => new ReleaseStatus(
                OperationState.Failed, "asking", TimeSpan.Zero, 0, 0, 0, [], FailureKind.Closed,
                $"{problem} Whether it released the database is not known; the next call finds or opens it."));
    }

    private Task<TakeoverStatus> TakeAsync(string database, NodeAnswer node, CancellationToken cancellationToken) =>
        view.TakeAsync(node, database, "move", static _ => { }, cancellationToken);
}
