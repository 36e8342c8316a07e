using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>Starts a long-running operation, shows how far it is, and waits for its end.</summary>
internal sealed class OperationRun(Invocation invocation, IOperationsGrain grain)
{
    // Often enough for a bar that moves; each look is one small call.
    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(250);

    // After Ctrl-C: how long the operation may take to stop before the last word is "unknown".
    private static readonly TimeSpan _stopWithin = TimeSpan.FromSeconds(10);

    /// <summary>Runs it. Ctrl-C asks the operation to stop and waits for that.</summary>
    /// <param name="title">What it does, for people.</param>
    /// <param name="start">Starts it.</param>
    /// <param name="cancellationToken">Asks it to stop.</param>
    /// <returns>The operation, which has succeeded.</returns>
    /// <exception cref="BranchingException">It failed, with the kind and message of its failure.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public async Task<OperationDescription> RunAsync(
        string title, Func<ValueTask<OperationDescription>> start, CancellationToken cancellationToken)
    {
        OperationDescription ended = await new ProgressDisplay(invocation).RunAsync(
            title, report => WatchAsync(title, start, report, cancellationToken));
        return ended.State switch
        {
            OperationState.Succeeded => ended,
            OperationState.Cancelled => throw new OperationCanceledException(
                ended.Message ?? "the operation was cancelled", cancellationToken),
            _ => throw new BranchingException(
                ended.Failure ?? FailureKind.Unknown,
                ended.Message ?? $"{title} ended as {ended.State} without saying why"),
        };
    }

    private async Task<OperationDescription> WatchAsync(
        string title,
        Func<ValueTask<OperationDescription>> start,
        Action<ProgressPoint> report,
        CancellationToken cancellationToken)
    {
        OperationDescription operation = await start();
        while (operation.State == OperationState.Running)
        {
            report(Point(title, operation.Progress));
            if (cancellationToken.IsCancellationRequested)
            {
                return await StopAsync(operation);
            }

            // Not with the caller's token: Ctrl-C must first stop the operation, then this.
            operation = await grain.GetOperationAsync(operation.OperationId, _look, CancellationToken.None);
        }

        return operation;
    }

    private async Task<OperationDescription> StopAsync(OperationDescription operation)
    {
        await grain.CancelOperationAsync(operation.OperationId, CancellationToken.None);
        OperationDescription stopped = await grain.GetOperationAsync(
            operation.OperationId, _stopWithin, CancellationToken.None);
        return stopped.State == OperationState.Running
            ? throw new UserError(
                ExitCode.Interrupted,
                $"interrupted; the operation on {operation.Target} did not stop within {_stopWithin.TotalSeconds} s "
                + "and may still end either way",
                null,
                "Interrupted")
            : stopped;
    }

    private static ProgressPoint Point(string title, OperationProgress progress)
    {
        string phase = progress.Phase.Length == 0 ? title : $"{title}, {progress.Phase}";
        if (progress.BytesTotal == 0 && progress.BytesDone == 0)
        {
            return new ProgressPoint(phase, progress.FilesDone, progress.FilesTotal, "");
        }

        string total = progress.BytesTotal > 0 ? $" of {Screen.Bytes(progress.BytesTotal)}" : "";
        return new ProgressPoint(
            phase,
            progress.BytesDone,
            progress.BytesTotal,
            $"{Screen.Bytes(progress.BytesDone)}{total}, {Screen.Bytes((long)progress.BytesPerSecond)}/s");
    }
}
