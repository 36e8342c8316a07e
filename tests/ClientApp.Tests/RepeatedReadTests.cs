using Branching.Grains;

namespace Branching.ClientApp.Tests;

public sealed class RepeatedReadTests
{
    [Fact]
    public async Task A_read_that_was_not_answered_is_repeated_until_it_is()
    {
        Queue<Exception> failures = new(
        [
            new TimeoutException("The node died."),
            new BranchingException(FailureKind.Moved, "It lives elsewhere.", isTransient: true),
        ]);

        int answer = await RepeatedRead.RunAsync(
            TimeProvider.System,
            () => failures.TryDequeue(out Exception? failure)
                ? ValueTask.FromException<int>(failure)
                : ValueTask.FromResult(42),
            CancellationToken.None);

        Assert.Equal((42, 0), (answer, failures.Count));
    }

    [Fact]
    public async Task A_failure_that_stays_is_told_at_once()
    {
        int calls = 0;

        BranchingException failure = await Assert.ThrowsAsync<BranchingException>(
            async () => await RepeatedRead.RunAsync<int>(
                TimeProvider.System,
                () =>
                {
                    calls++;
                    throw new BranchingException(FailureKind.DatabaseNotFound, "There is none.");
                },
                CancellationToken.None));

        Assert.Equal((FailureKind.DatabaseNotFound, 1), (failure.Kind, calls));
    }
}
