using System.Globalization;
using System.Text;
using Branching.Grains;
using Branching.Silo;

namespace Branching.ClientApp.Tests.Processes;

/// <summary>
/// Three nodes in three processes that share nothing but a directory, and the command line as their client.
/// </summary>
public sealed class ClusterProcessTests : CliTest
{
    private static readonly TimeSpan _agreeWithin = TimeSpan.FromMinutes(1);

    private string Shared => Directory.CreateDirectory(Path.Combine(Scratch, "shared")).FullName;

    [OrleansFact]
    public async Task Nodes_find_each_other_in_a_directory_and_leave_it_clean_when_they_stop()
    {
        NodeProcess[] nodes = await StartThreeAsync();
        try
        {
            foreach (string name in (string[])["a", "b", "c", "d"])
            {
                await SucceedAsync("create", name, "--cluster", Shared);
                await SucceedAsync("put", name, "k", $"value of {name}", "--cluster", Shared);
                await SucceedAsync("branch", "create", name, "topic", "--cluster", Shared);
            }

            await AgreeAsync(states => states.Values.Count(state => state == "Active") == 3);
            foreach (string name in (string[])["a", "b", "c", "d"])
            {
                CliResult got = await SucceedAsync("get", name, "k", "--branch", "topic", "--cluster", Shared);
                Assert.Equal($"value of {name}", got.Output.Trim());
            }

            CliResult shell = await SucceedAsync(
                "shell", "a/topic", "--cluster", Shared, "-c",
                "put k 2; get k; use a; get k; begin; put k 3; commit; get k");
            Assert.Equal("2\nvalue of a\n3\n", shell.Output);

            int first = await nodes[0].StopAsync();
            IReadOnlyDictionary<string, string> afterOne = await AgreeAsync(states => states["n0"] == "Dead");
            int[] others = [await nodes[1].StopAsync(), await nodes[2].StopAsync()];
            IReadOnlyDictionary<string, string> atEnd =
                await AgreeAsync(states => states.Values.All(state => state == "Dead"));
            CliResult alone = await RunAsync("databases", "--cluster", Shared);

            Assert.Equal((0, 2), (first, afterOne.Values.Count(state => state == "Active")));
            Assert.Equal([0, 0], others);
            Assert.Equal(3, atEnd.Count);
            Assert.NotEqual(0, alone.ExitCode);
            Assert.Contains("No node of cluster 'branching' is active", alone.Error, StringComparison.Ordinal);
        }
        finally
        {
            await DisposeAsync(nodes);
        }
    }

    [OrleansFact]
    public async Task A_killed_node_is_found_dead_and_its_name_joins_again()
    {
        NodeProcess[] nodes = await StartThreeAsync();
        try
        {
            await using ClusterConnection connection = await ClusterConnection.ConnectAsync(Shared);
            DatabaseDescription created =
                await connection.Grains.GetDatabase("d").CreateAsync(new CreateDatabaseRequest("test"));
            await SucceedAsync("put", "d", "k", "v", "--cluster", Shared);
            // Another node may take the database over before its own is back; only what was sent survives that.
            await SucceedAsync("snapshot", "take", "d", "--cluster", Shared);
            int owner = Array.FindIndex(nodes, node => node.Name == created.Node);

            await nodes[owner].KillAsync();
            IReadOnlyDictionary<string, string> states = await AgreeAsync(found => found[created.Node] == "Dead");
            await nodes[owner].DisposeAsync();
            nodes[owner] = await StartAsync(owner);
            IReadOnlyDictionary<string, string> again =
                await AgreeAsync(found => found.Values.All(state => state == "Active"));
            string value = await UntilReadAsync(connection, "d", "k", nodes);

            Assert.Equal(2, states.Values.Count(state => state == "Active"));
            Assert.Equal(3, again.Count);
            Assert.Equal("v", value);
            Assert.Equal("v", (await SucceedAsync("get", "d", "k", "--cluster", Shared)).Output.Trim());
        }
        finally
        {
            await DisposeAsync(nodes);
        }
    }

    // An answer given by a store that was closed already would be of a write that is not found afterwards.
    [OrleansFact]
    public async Task A_node_that_is_asked_to_stop_under_load_keeps_every_write_that_it_acknowledged()
    {
        const int Writers = 8;
        const int Enough = 20;
        int[] issued = new int[Writers], acknowledged = new int[Writers];
        NodeProcess node = await StartAsync(0);
        try
        {
            await using ClusterConnection before = await ClusterConnection.ConnectAsync(Shared);
            IDatabaseGrain database = before.Grains.GetDatabase("d");
            await database.CreateAsync(new CreateDatabaseRequest("test"));
            using CancellationTokenSource ended = new(_agreeWithin);
            Task[] writers = [.. Enumerable.Range(0, Writers).Select(
                writer => WriteUntilRefusedAsync(database, writer, issued, acknowledged, ended.Token))];
            while (acknowledged.Any(number => number < Enough))
            {
                Assert.DoesNotContain(writers, writer => writer.IsCompleted);
                await Task.Delay(TimeSpan.FromMilliseconds(20));
            }

            int exitCode = await node.StopAsync();
            await ended.CancelAsync(); // Nobody is there to answer what still waits.
            await Task.WhenAll(writers).WaitAsync(_agreeWithin);
            await node.DisposeAsync();
            node = await StartAsync(0);
            await using ClusterConnection after = await ClusterConnection.ConnectAsync(Shared);
            List<int> found = [];
            for (int writer = 0; writer < Writers; writer++)
            {
                string value = await UntilReadAsync(after, "d", $"writer {writer}", node);
                found.Add(int.Parse(value, CultureInfo.InvariantCulture));
            }

            Assert.Equal(0, exitCode);
            Assert.All(found, (number, writer) => Assert.InRange(number, acknowledged[writer], issued[writer]));
        }
        finally
        {
            await node.DisposeAsync();
        }
    }

    /// <summary>Counts a key up until a write is answered with a failure.</summary>
    private static async Task WriteUntilRefusedAsync(
        IDatabaseGrain database, int writer, int[] issued, int[] acknowledged, CancellationToken cancellationToken)
    {
        byte[] key = Encoding.UTF8.GetBytes($"writer {writer}");
        WriteDurability durability = writer % 2 == 0 ? WriteDurability.Sync : WriteDurability.Buffered;
        try
        {
            while (true)
            {
                byte[] value = Encoding.UTF8.GetBytes($"{++issued[writer]}");
                WriteOperation put = new(WriteOperationKind.Put, key, value);
                await database.WriteAsync(new WriteRequest([put], null, durability), cancellationToken);
                Volatile.Write(ref acknowledged[writer], issued[writer]);
            }
        }
        catch (Exception e) when (e is TimeoutException or OrleansException or BranchingException
            or OperationCanceledException)
        {
            // The node stops: this write was not acknowledged, and may be there or not.
        }
    }

    private static async Task DisposeAsync(IEnumerable<NodeProcess> nodes)
    {
        foreach (NodeProcess node in nodes)
        {
            await node.DisposeAsync();
        }
    }

    /// <summary>A read right after a failover may still meet the dead node; it is repeated, which is always safe.
    /// </summary>
    private static async Task<string> UntilReadAsync(
        ClusterConnection connection, string database, string key, params NodeProcess[] nodes)
    {
        using CancellationTokenSource deadline = new(_agreeWithin);
        List<string> failures = [];
        while (true)
        {
            try
            {
                GetResponse response = await connection.Grains.GetDatabase(database)
                    .GetAsync(new GetRequest(Encoding.UTF8.GetBytes(key)), deadline.Token);
                return Encoding.UTF8.GetString(response.Value.Span);
            }
            catch (Exception e) when (e is TimeoutException or OrleansException or BranchingException
                or OperationCanceledException)
            {
                failures.Add($"{e.GetType().Name}: {e.Message}");
                Assert.False(
                    deadline.IsCancellationRequested,
                    string.Join(
                        Environment.NewLine,
                        [.. failures.Distinct(), .. nodes.Select(node => $"{node.Name}: {node.Output}")]));
                await Task.Delay(TimeSpan.FromMilliseconds(200));
            }
        }
    }

    private async Task<NodeProcess[]> StartThreeAsync()
        => await Task.WhenAll(Enumerable.Range(0, 3).Select(StartAsync));

    private Task<NodeProcess> StartAsync(int number)
        => NodeProcess.StartAsync(
            typeof(CommandLine).Assembly.Location, $"n{number}", Path.Combine(Scratch, $"data-{number}"),
            "--shared-storage", Shared, "--silo-port", "0", "--gateway-port", "0");

    /// <summary>Waits until the table of members says what is expected; the newest entry of each name counts.
    /// </summary>
    private async Task<IReadOnlyDictionary<string, string>> AgreeAsync(
        Func<IReadOnlyDictionary<string, string>, bool> expected)
    {
        using CancellationTokenSource deadline = new(_agreeWithin);
        while (true)
        {
            IReadOnlyDictionary<string, string> states = MemberStates.Read(Shared);
            if (expected(states))
            {
                return states;
            }

            Assert.False(deadline.IsCancellationRequested, string.Join(", ", states));
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }
    }
}
