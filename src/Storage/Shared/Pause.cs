namespace Branching.Storage.Shared;

/// <summary>A wait by the clock of a <see cref="TimeProvider"/>.</summary>
/// <remarks>
/// Unlike <see cref="Task.Delay(TimeSpan, TimeProvider, CancellationToken)"/>, a cancelled one goes on where it was
/// cancelled, not on the thread pool, so that a simulated schedule runs the same way twice.
/// </remarks>
internal static class Pause
{
    public static async Task ForAsync(TimeSpan length, TimeProvider time, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        TaskCompletionSource over = new();
        ITimer timer = time.CreateTimer(
            static over => ((TaskCompletionSource)over!).TrySetResult(), over, length, Timeout.InfiniteTimeSpan);
        await using (timer.ConfigureAwait(false))
        {
            using (cancellationToken.UnsafeRegister(
                static (over, token) => ((TaskCompletionSource)over!).TrySetCanceled(token), over))
            {
                await over.Task.ConfigureAwait(false);
            }
        }
    }
}
