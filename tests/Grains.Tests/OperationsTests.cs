namespace Branching.Grains.Tests;

public sealed class OperationsTests
{
    private static Operations New() =>
        new(TimeProvider.System, (e, what) => Assert.Fail($"{what}: {e}"));

    private static async Task<OperationDescription> Until(
        TaskCompletionSource end, Operation operation, CancellationToken stop)
    {
        await end.Task.WaitAsync(stop);
        return operation.Describe();
    }

    [Fact]
    public async Task An_operation_is_running_until_it_has_ended_and_then_says_how()
    {
        await using Operations operations = New();
        TaskCompletionSource end = new();
        OperationDescription started = operations.Start(
            OperationKind.Take, "d", exclusive: true, (one, stop) => Until(end, one, stop));

        Assert.Equal(OperationState.Running, started.State);
        end.SetResult();
        OperationDescription ended = await operations.GetAsync(
            started.OperationId, TimeSpan.FromSeconds(20), CancellationToken.None);

        Assert.Equal(OperationState.Succeeded, ended.State);
        Assert.NotNull(ended.FinishedAt);
    }

    [Fact]
    public async Task A_second_exclusive_one_is_refused_while_the_first_runs_and_others_are_not()
    {
        await using Operations operations = New();
        TaskCompletionSource end = new();
        OperationDescription first = operations.Start(
            OperationKind.Take, "d", exclusive: true, (one, stop) => Until(end, one, stop));

        BranchingException refused = Assert.Throws<BranchingException>(() => operations.Start(
            OperationKind.Collect, "d", exclusive: true, (one, stop) => Until(end, one, stop)));
        OperationDescription other = operations.Start(
            OperationKind.Move, "e", exclusive: false, (one, _) => Task.FromResult(one.Describe()));

        Assert.Equal(FailureKind.Overloaded, refused.Kind);
        Assert.Contains(first.OperationId, refused.Message, StringComparison.Ordinal);
        Assert.Equal(OperationState.Running, other.State);
        end.SetResult();
    }

    [Fact]
    public async Task A_cancelled_one_ends_as_cancelled_and_a_failed_one_with_its_kind()
    {
        await using Operations operations = New();
        OperationDescription endless = operations.Start(
            OperationKind.Take, "d", exclusive: true, (one, stop) => Until(new TaskCompletionSource(), one, stop));
        operations.Cancel(endless.OperationId);
        OperationDescription failing = operations.Start(
            OperationKind.Take, "e", exclusive: false,
            (_, _) => throw new BranchingException(FailureKind.DiskFull, "no room"));

        OperationDescription cancelled = await operations.GetAsync(
            endless.OperationId, TimeSpan.FromSeconds(20), CancellationToken.None);
        OperationDescription failed = await operations.GetAsync(
            failing.OperationId, TimeSpan.FromSeconds(20), CancellationToken.None);

        Assert.Equal(OperationState.Cancelled, cancelled.State);
        Assert.Equal((OperationState.Failed, FailureKind.DiskFull, "no room"),
            (failed.State, failed.Failure!.Value, failed.Message));
    }

    [Fact]
    public async Task An_unknown_operation_is_refused_with_what_to_do_and_the_oldest_are_forgotten()
    {
        await using Operations operations = New();
        OperationDescription first = operations.Start(
            OperationKind.Take, "d", exclusive: false, (one, _) => Task.FromResult(one.Describe()));
        await operations.GetAsync(first.OperationId, TimeSpan.FromSeconds(20), CancellationToken.None);
        for (int i = 0; i < Operations.Remembered + 5; i++)
        {
            OperationDescription one = operations.Start(
                OperationKind.Take, "d", exclusive: false, (one, _) => Task.FromResult(one.Describe()));
            await operations.GetAsync(one.OperationId, TimeSpan.FromSeconds(20), CancellationToken.None);
        }

        BranchingException unknown = await Assert.ThrowsAsync<BranchingException>(
            () => operations.GetAsync(first.OperationId, TimeSpan.Zero, CancellationToken.None));
        Assert.Equal(FailureKind.InvalidArgument, unknown.Kind);
        Assert.True(operations.List().Count <= Operations.Remembered + 5);
    }
}
