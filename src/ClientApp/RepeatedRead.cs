using Branching.Grains;

namespace Branching.ClientApp;

/// <summary>Repeats a read that a cluster did not answer because a node died or a database is on its way.</summary>
/// <remarks>Only for reads: what became of a write that was not answered nobody knows.</remarks>
internal static class RepeatedRead
{
    // As long as a failover takes with the default settings, and some more.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(200);

    /// <summary>Reads; on a cluster again, as long as the failure may pass and the patience lasts.</summary>
    public static async ValueTask<T> RunAsync<T>(
        Invocation invocation, Func<ValueTask<T>> read, CancellationToken cancellationToken)
        => invocation.Target.Cluster is null
            ? await read()
            : await RunAsync(invocation.Host.Time, read, cancellationToken);

    /// <summary>As the other one, always as on a cluster.</summary>
    internal static async ValueTask<T> RunAsync<T>(
        TimeProvider time, Func<ValueTask<T>> read, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await read();
            }
            catch (Exception e) when (MayPass(e) && time.GetElapsedTime(start) < _patience)
            {
                await Task.Delay(_pause, time, cancellationToken);
            }
        }
    }

    private static bool MayPass(Exception e) => e is TimeoutException or BranchingException { IsTransient: true };
}
