using Branching.ClientApp.Commands;
using Branching.Grains;

namespace Branching.ClientApp.Tests;

public sealed class OperationRunTests
{
    private static readonly DateTimeOffset _start = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Progress_shows_phase_share_bytes_and_rate()
    {
        var grain = new ScriptedOperations(
            Running("sending", 1 << 20, 4 << 20),
            Running("publishing", 3 << 20, 4 << 20),
            Ended(OperationState.Succeeded));
        await using var error = new StringWriter();
        using CommandHost host = HostOf(error);

        OperationDescription ended = await RunAsync(host, grain, CancellationToken.None);

        Assert.Equal(OperationState.Succeeded, ended.State);
        Assert.Equal(
            "taking, sending: 25 %, 1.0 MiB of 4.0 MiB, 2.0 MiB/s\n"
            + "taking, publishing: 75 %, 3.0 MiB of 4.0 MiB, 2.0 MiB/s\n",
            error.ToString().ReplaceLineEndings("\n"));
    }

    [Fact]
    public async Task A_failure_keeps_its_kind_and_message()
    {
        var grain = new ScriptedOperations(
            Running("sending", 0, 0),
            Ended(OperationState.Failed) with { Failure = FailureKind.DiskFull, Message = "Shared storage is full." });
        using CommandHost host = HostOf(TextWriter.Null);

        BranchingException failure = await Assert.ThrowsAsync<BranchingException>(
            () => RunAsync(host, grain, CancellationToken.None));

        Assert.Equal(FailureKind.DiskFull, failure.Kind);
        Assert.Equal("Shared storage is full.", failure.Message);
    }

    [Fact]
    public async Task An_interruption_stops_the_operation_before_it_ends_the_command()
    {
        var grain = new ScriptedOperations(Running("sending", 0, 0), Ended(OperationState.Cancelled));
        using CommandHost host = HostOf(TextWriter.Null);

        await Assert.ThrowsAsync<OperationCanceledException>(
            () => RunAsync(host, grain, new CancellationToken(canceled: true)));

        Assert.Equal(1, grain.Cancelled);
    }

    private static Task<OperationDescription> RunAsync(
        CommandHost host, ScriptedOperations grain, CancellationToken cancellationToken)
    {
        var invocation = new Invocation(host, CommandLine.CreateRoot(host).Parse(["databases"]));
        return new OperationRun(invocation, grain).RunAsync(
            "taking", () => grain.GetOperationAsync("1"), cancellationToken);
    }

    private static CommandHost HostOf(TextWriter error) => new()
    {
        Input = Stream.Null,
        Output = Stream.Null,
        Error = error,
        Time = new SlowTime(),
        Variable = _ => null,
    };

    private static OperationDescription Running(string phase, long done, long total) => new(
        "1",
        OperationKind.Take,
        "shop",
        OperationState.Running,
        new OperationProgress(phase, 0, 0, done, total, 2 << 20),
        _start);

    private static OperationDescription Ended(OperationState state) => Running("", 0, 0) with { State = state };

    /// <summary>A clock on which each look takes six seconds: longer than between lines of progress.</summary>
    private sealed class SlowTime : TimeProvider
    {
        private long _looks;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => 6 * ++_looks;
    }

    /// <summary>Answers what it was given, one after the other.</summary>
    private sealed class ScriptedOperations(params OperationDescription[] answers) : IOperationsGrain
    {
        private int _next;

        public int Cancelled { get; private set; }

        public ValueTask<OperationDescription> GetOperationAsync(
            string operationId, TimeSpan waitAtMost = default, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(answers[Math.Min(_next++, answers.Length - 1)]);

        public ValueTask<OperationDescription> CancelOperationAsync(
            string operationId, CancellationToken cancellationToken = default)
        {
            Cancelled++;
            return ValueTask.FromResult(answers[0]);
        }

        public ValueTask<IReadOnlyList<OperationDescription>> ListOperationsAsync(
            CancellationToken cancellationToken = default)
            => ValueTask.FromResult<IReadOnlyList<OperationDescription>>([]);
    }
}
