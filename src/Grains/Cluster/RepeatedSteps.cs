using Microsoft.Extensions.Logging;

namespace Branching.Grains;

/// <summary>
/// What a node does again and again as long as it lives. A step that fails is logged, and is done again in the next
/// round: it ends neither the others nor itself, whatever it threw.
/// </summary>
/// <param name="steps">Each with its name, for people; done one after the other.</param>
/// <param name="every">From the beginning of one round to that of the next.</param>
/// <param name="time">The clock of the rounds.</param>
/// <param name="logger">Where failures go.</param>
internal sealed class RepeatedSteps(
    IReadOnlyList<(string Name, Func<CancellationToken, Task> Run)> steps, TimeSpan every, TimeProvider time,
    ILogger logger)
{
    /// <summary>Repeats them until it is cancelled, which is no failure.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using PeriodicTimer ticks = new(every, time);
        try
        {
            do
            {
                foreach ((string name, Func<CancellationToken, Task> run) in steps)
                {
                    await TryAsync(name, run, logger, cancellationToken);
                }
            }
            while (await ticks.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    /// <summary>Does one step; what it throws is logged.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> asked for it.</exception>
    public static async Task TryAsync(
        string name, Func<CancellationToken, Task> run, ILogger logger, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            await run(cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            logger.StepFailed(name, e);
        }
    }
}
