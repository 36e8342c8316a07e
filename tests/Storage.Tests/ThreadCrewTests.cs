namespace Branching.Storage.Tests;

public sealed class ThreadCrewTests
{
    [Fact]
    public async Task Work_that_finds_no_thread_is_done_when_there_is_one_again()
    {
        int refused = 0;
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using ThreadCrew<Action> crew = new(
            "test", maxThreads: 1, RunAll, thread =>
            {
                if (Interlocked.Increment(ref refused) <= 2)
                {
                    RefuseThread();
                }

                thread.Start();
            });

        crew.Add(done.SetResult);

        await done.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(3, refused);
    }

    [Fact]
    public async Task Work_is_left_to_the_threads_that_run_when_no_other_can_be_started()
    {
        int started = 0;
        using SemaphoreSlim gate = new(0);
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using ThreadCrew<Action> crew = new(
            "test", maxThreads: 2, RunAll, thread =>
            {
                if (Interlocked.Increment(ref started) > 1)
                {
                    RefuseThread();
                }

                thread.Start();
            });

        crew.Add(() => Assert.True(gate.Wait(TimeSpan.FromSeconds(30))));
        crew.Add(done.SetResult);
        Assert.False(done.Task.IsCompleted);
        gate.Release();

        await done.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    // What the runtime throws when the system gives no thread; it is reserved to the runtime otherwise.
#pragma warning disable MA0012
    private static void RefuseThread() => throw new OutOfMemoryException("no thread");
#pragma warning restore MA0012

    private static void RunAll(Func<Action?> next)
    {
        while (next() is { } work)
        {
            work();
        }
    }
}
