using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Branching.Grains.Tests;

public sealed class RepeatedStepsTests
{
    [Fact]
    public async Task A_step_that_fails_in_any_way_ends_neither_the_others_nor_itself()
    {
        using CancellationTokenSource stop = new();
        Failures failures = new();
        int failing = 0;
        int cancelled = 0;
        int sound = 0;
        RepeatedSteps steps = new(
            [
                ("failing", _ =>
                {
                    failing++;
                    throw new InvalidOperationException("not foreseen");
                }),
                ("cancelled", _ =>
                {
                    cancelled++;
                    return Task.FromException(new TaskCanceledException("somebody else's"));
                }),
                ("sound", _ => ++sound == 3 ? stop.CancelAsync() : Task.CompletedTask),
            ],
            TimeSpan.FromMilliseconds(1), TimeProvider.System, failures);

        await steps.RunAsync(stop.Token).WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal((3, 3, 3), (failing, cancelled, sound));
        Assert.Equal(
            ["cancelled", "cancelled", "cancelled", "failing", "failing", "failing"],
            failures.Steps.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_step_that_is_cancelled_by_the_stop_is_no_failure()
    {
        using CancellationTokenSource stop = new();
        Failures failures = new();
        RepeatedSteps steps = new(
            [
                ("waiting", async cancellationToken =>
                {
                    await stop.CancelAsync();
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }),
            ],
            TimeSpan.FromMilliseconds(1), TimeProvider.System, failures);

        await steps.RunAsync(stop.Token).WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Empty(failures.Steps);
    }

    private sealed class Failures : ILogger
    {
        public ConcurrentQueue<string> Steps { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Error && exception is not null)
            {
                Steps.Enqueue(formatter(state, exception).Split(' ')[0]);
            }
        }
    }
}
