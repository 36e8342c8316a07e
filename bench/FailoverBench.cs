using System.Diagnostics;
using System.Globalization;
using System.Text;
using Branching.ClientApp.Tests.Processes;
using Branching.Grains;
using Branching.Silo;

namespace Branching.Bench;

/// <summary>
/// Three nodes in three processes over one shared directory. The owner of a database is killed with SIGKILL; a caller
/// repeats a read and then a write until another node answers them with the snapshot's content.
/// </summary>
internal sealed class FailoverBench(BenchOptions options, Report report, string directory)
{
    private const int Nodes = 3;
    private const string Key = "key";

    // A call to a node that just died can wait for its whole time-out; a caller in a hurry gives up sooner and repeats.
    private static readonly TimeSpan _attempt = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan _within = TimeSpan.FromMinutes(1);

    private readonly string _shared = Path.Combine(directory, "failover-shared");
    private readonly NodeProcess?[] _nodes = new NodeProcess?[Nodes];

    public async Task RunAsync()
    {
        if (typeof(IGrainFactory).Assembly.GetName().Name != "Orleans.Core.Abstractions")
        {
            Console.WriteLine("\nfailover: skipped: nodes in processes of their own need the build with Orleans");
            return;
        }

        Samples detected = new();
        Samples read = new();
        Samples written = new();
        try
        {
            await Task.WhenAll(Enumerable.Range(0, Nodes).Select(StartAsync));
            await using ClusterConnection connection = await ClusterConnection.ConnectAsync(_shared);
            for (int round = 0; round < options.Rounds; round++)
            {
                Times times = await KillOwnerAsync(connection, $"failover-{round}");
                detected.Add(times.Detected.TotalSeconds);
                read.Add(times.Read.TotalSeconds);
                written.Add(times.Written.TotalSeconds);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  round {round + 1}: declared dead {times.Detected.TotalSeconds:F2} s, read " +
                    $"{times.Read.TotalSeconds:F2} s, write {times.Written.TotalSeconds:F2} s"));
            }
        }
        finally
        {
            foreach (NodeProcess node in _nodes.OfType<NodeProcess>())
            {
                await node.DisposeAsync();
            }
        }

        Print(detected, read, written);
    }

    private static async Task<Times> MeasureAsync(
        ClusterConnection connection, string database, Task<TimeSpan> detected)
    {
        long killed = Stopwatch.GetTimestamp();
        IDatabaseGrain grain = connection.Grains.GetDatabase(database);
        await UntilAsync(async cancellation =>
        {
            GetResponse response = await grain.GetAsync(new GetRequest(Bytes(Key)), cancellation);
            if (Encoding.UTF8.GetString(response.Value.Span) != database)
            {
                throw new InvalidOperationException($"database '{database}' came back with another value");
            }
        });
        TimeSpan read = Stopwatch.GetElapsedTime(killed);
        await UntilAsync(async cancellation =>
            await grain.PutAsync(Bytes(Key), Bytes(database), cancellationToken: cancellation));
        TimeSpan written = Stopwatch.GetElapsedTime(killed);
        return new Times(await detected, read, written);
    }

    private static async Task UntilAsync(Func<CancellationToken, Task> call)
    {
        using CancellationTokenSource deadline = new(_within);
        while (true)
        {
            try
            {
                using var attempt = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
                attempt.CancelAfter(_attempt);
                await call(attempt.Token).WaitAsync(attempt.Token);
                return;
            }
            catch (Exception e) when (e is TimeoutException or OrleansException or BranchingException
                or OperationCanceledException)
            {
                if (deadline.IsCancellationRequested)
                {
                    throw new TimeoutException($"No answer within {_within}; the last one was: {e.Message}", e);
                }

                await Task.Delay(_pause);
            }
        }
    }

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static async Task SnapshotAsync(ClusterConnection connection, string database)
    {
        ISnapshotCoordinatorGrain snapshots = connection.Grains.GetSnapshots(database);
        OperationDescription operation = await snapshots.TakeAsync(new TakeSnapshotRequest(RequestedBy: "bench"));
        while (operation.State == OperationState.Running)
        {
            await Task.Delay(_pause);
            operation = await snapshots.GetOperationAsync(operation.OperationId);
        }

        if (operation.State != OperationState.Succeeded)
        {
            throw new InvalidOperationException($"The snapshot of '{database}' failed: {operation.Message}");
        }
    }

    private async Task<Times> KillOwnerAsync(ClusterConnection connection, string database)
    {
        DatabaseDescription created =
            await connection.Grains.GetDatabase(database).CreateAsync(new CreateDatabaseRequest("bench"));
        await connection.Grains.GetDatabase(database).PutAsync(Bytes(Key), Bytes(database));
        await SnapshotAsync(connection, database);
        int owner = Array.FindIndex(_nodes, node => node!.Name == created.Node);
        await _nodes[owner]!.KillAsync();
        Times times = await MeasureAsync(connection, database, UntilStateAsync(created.Node, "Dead"));
        await _nodes[owner]!.DisposeAsync();
        await StartAsync(owner);
        await UntilStateAsync(created.Node, "Active");
        return times;
    }

    /// <summary>How long the table of members takes to say that a node has a state.</summary>
    private async Task<TimeSpan> UntilStateAsync(string node, string state)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < _within)
        {
            if (MemberStates.Read(_shared)[node] == state)
            {
                return Stopwatch.GetElapsedTime(start);
            }

            await Task.Delay(_pause);
        }

        throw new TimeoutException($"Node {node} is not {state} within {_within}.");
    }

    private async Task StartAsync(int number)
    {
        string[] settings = [.. options.NodeSettings.Select(setting => "--" + setting)];
        _nodes[number] = await NodeProcess.StartAsync(
            ImportBench.ProgramPath(), $"node-{number}", Path.Combine(directory, $"failover-{number}"),
            ["--shared-storage", _shared, "--silo-port", "0", "--gateway-port", "0", .. settings]);
    }

    private void Print(Samples detected, Samples read, Samples written) => report.Print(new Row(
        "process", "failover after kill -9", "The owner of a database is killed; when does another node answer?")
    {
        Data = "three nodes on one machine over one shared directory, one small database with a snapshot each round",
        WarmUp = "none",
        Runs = $"{options.Rounds} rounds"
            + (options.NodeSettings.Count == 0 ? ", default settings" : ", " + string.Join(' ', options.NodeSettings)),
        Result = Seconds("read", read),
        Details =
        [
            Seconds("write", written),
            Seconds("declared dead", detected),
            string.Create(
                CultureInfo.InvariantCulture,
                $"share of detection in the time to read: {detected.DividedBy(read).Median:P0} (median)"),
        ],
    });

    private static string Seconds(string what, Samples samples) => string.Create(
        CultureInfo.InvariantCulture,
        $"{what} {samples.Median:F2} s (spread {samples.Least:F2} to {samples.Most:F2} s)");

    private sealed record Times(TimeSpan Detected, TimeSpan Read, TimeSpan Written);
}
