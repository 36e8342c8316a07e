using System.Collections.Concurrent;
using System.Globalization;
using Branching.Storage.Changes;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.LocalStores;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Changes;

/// <summary>
/// A child process is killed (SIGKILL) at every step of the change log in turn; afterwards the log has exactly what the
/// store has, without a gap, and consumers are where they were told that they are. The same in a model of a loss of
/// power, where gaps are allowed, but only for writes that were not durable.
/// </summary>
public sealed class ChangeCrashTests(ITestOutputHelper output)
{
    private const int MostEvents = 400;

    private static readonly DatabaseId _database = DatabaseId.Parse(new string('1', 32));
    private static readonly StoreId _store = StoreId.Parse(new string('2', 32));

    [Fact]
    public async Task Killed_at_any_step_of_the_change_log_it_has_what_the_store_has()
    {
        ConcurrentDictionary<string, bool> steps = new(StringComparer.Ordinal);
        int stride = Environment.GetEnvironmentVariable("BRANCHING_CRASH_STEPS") == "all" ? 1 : 3;
        string debris = await MakeDebrisAsync();
        string empty = Directory.CreateTempSubdirectory("branching-changes-none-").FullName;
        (string Scenario, string Template, int Stride)[] runs =
            [("changes-write", empty, stride), ("changes-open", debris, 1)];
        foreach ((string scenario, string template, int each) in runs)
        {
            IReadOnlyList<int> kills = await EventsAsync(scenario, template, each);
            await Parallel.ForEachAsync(
                kills, new ParallelOptions { MaxDegreeOfParallelism = 4 },
                async (n, _) => await KillAtAsync(scenario, template, n, steps));
            output.WriteLine($"{scenario}: killed at {kills.Count} steps");
        }

        string[] missed = [.. Enum.GetNames<ChangeStep>().Where(name => !steps.ContainsKey(name))];
        Assert.Empty(missed);
        Directory.Delete(debris, recursive: true);
        Directory.Delete(empty, recursive: true);
    }

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Buffered)]
    public async Task Whatever_of_the_change_log_was_not_flushed_may_be_lost_at_any_step(Durability durability)
    {
        string root = Directory.CreateTempSubdirectory("branching-changes-power-").FullName;
        using TemporaryRoot copies = new();
        PowerLossRecorder recorder = new(root, copies.Path);
        Disk disk = new() { BeforeStep = recorder.Before };
        using StoreResources resources = Resources(root);
        LocalStore store = OpenStore(root, resources, create: true);
        recorder.Start();
        store.EnableChangeLog(Place(root, disk), Settings);
        for (int i = 0; i < 6; i++)
        {
            WriteOperation put = TestStore.Put($"k{i + 1:0000}", new string('x', 1200));
            await store.WriteAsync(new WriteRequest([put], null, durability), default);
        }

        recorder.Stop();
        await store.DisposeAsync();

        Assert.InRange(recorder.Copies.Count, 10, 80);
        foreach ((string copy, string step) in recorder.Copies)
        {
            await CheckAsync(copy, $"before {step}", gaps: durability == Durability.Buffered);
        }

        Directory.Delete(root, recursive: true);
    }

    private static ChangeLogSettings Settings =>
        ChangeLogSettings.Default with { RotateBytes = 4096, KeepFiles = 3 };

    /// <summary>A log of a killed process: torn, ahead of its store by a file, with a consumer.</summary>
    private static async Task<string> MakeDebrisAsync()
    {
        string root = Directory.CreateTempSubdirectory("branching-changes-debris-").FullName;
        (int exit, IReadOnlyList<string> lines) = await ChildProcess.RunAsync(
            ChildProcess.Storage(root, "changes-write", 30));
        Assert.True(exit == 137, string.Join('\n', lines));
        string log = Place(root, new Disk()).Directory;
        string last = Directory.GetFiles(log, "*.log").Order(StringComparer.Ordinal).Last();
        await File.AppendAllTextAsync(last, "torn");
        File.Copy(last, Path.Combine(log, "00000000000000009999.log"));
        await File.WriteAllTextAsync(Path.Combine(log, "00000000000000009999.log.new"), "unfinished");
        return root;
    }

    private static async Task<IReadOnlyList<int>> EventsAsync(string scenario, string template, int each)
    {
        string root = Copy(template);
        (int exit, IReadOnlyList<string> lines) = await ChildProcess.RunAsync(ChildProcess.Storage(root, scenario));
        Directory.Delete(root, recursive: true);
        Assert.True(exit == 0, string.Join('\n', lines));

        // The first of each kind, the last of each kind, and of the others every few.
        string[] events = [.. lines.Where(line => line.StartsWith("step ", StringComparison.Ordinal))];
        Assert.InRange(events.Length, 5, MostEvents);
        return [.. Enumerable.Range(1, events.Length).Where(n => n % (each * 4) == 0 || each == 1
            || Array.IndexOf(events, events[n - 1]) == n - 1
            || Array.LastIndexOf(events, events[n - 1]) == n - 1)];
    }

    private static async Task KillAtAsync(
        string scenario, string template, int n, ConcurrentDictionary<string, bool> steps)
    {
        string root = Copy(template);
        (int exit, IReadOnlyList<string> lines) = await ChildProcess.RunAsync(
            ChildProcess.Storage(root, scenario, n));
        foreach (string line in lines.Where(line => line.StartsWith("step ", StringComparison.Ordinal)))
        {
            steps[line["step ".Length..]] = true;
        }

        string where = $"{scenario} killed after '{lines[^1]}'";
        Assert.True(exit is 137 or 0, $"{where}: exit {exit}\n{string.Join('\n', lines)}");
        ulong put = Last(lines, "put "), acknowledged = Last(lines, "ack ");
        for (int opening = 0; opening < 2; opening++)
        {
            (ulong end, ulong? consumer) = await CheckAsync(root, where, gaps: false);
            Assert.True(end >= put, $"{where}: ends at {end}, {put} was acknowledged");
            Assert.True((consumer ?? 0) >= acknowledged, $"{where}: the consumer is at {consumer}");
        }

        Directory.Delete(root, recursive: true);
    }

    private static ulong Last(IReadOnlyList<string> lines, string word) =>
        lines.LastOrDefault(line => line.StartsWith(word, StringComparison.Ordinal)) is { } line
            ? ulong.Parse(line[word.Length..], CultureInfo.InvariantCulture)
            : 0;

    /// <summary>Opens store and log; asserts that they agree, entry by entry.</summary>
    private static async Task<(ulong End, ulong? Consumer)> CheckAsync(string root, string where, bool gaps)
    {
        using StoreResources resources = Resources(root);
        bool create = !Directory.Exists(Path.Combine(root, "store"));
        LocalStore store = OpenStore(root, resources, create);
        try
        {
            store.EnableChangeLog(Place(root, new Disk()), Settings);
            ChangeLog log = store.Changes;
            Assert.Equal(store.LastAcknowledged, log.End);
            ulong next = log.GetStatistics().First.Value;
            foreach (Change change in LoggedStore.Read(log))
            {
                Assert.True(next == change.First.Value, $"{where}: {change.First} follows {next - 1}");
                next = change.Last.Value + 1;
                Assert.True(gaps || change.Kind == ChangeKind.Batch, $"{where}: {LoggedStore.Show(change)}");
                Assert.All(change.Operations, operation => Assert.Equal(
                    $"k{change.First.Value:0000}", TestStore.Text(operation.Key)));
                Assert.All(change.Operations, operation => Assert.Equal(
                    TestStore.Text(operation.Value), TestStore.Get(store, TestStore.Text(operation.Key))));
            }

            Assert.True(next == log.End.Value + 1, $"{where}: the log is read up to {next - 1} of {log.End}");
            Assert.Empty(log.Validate().Damage);
            return (log.End.Value, log.ListConsumers() is [var one, ..] ? one.Acknowledged.Value : null);
        }
        finally
        {
            await store.DisposeAsync();
        }
    }

    private static StoreResources Resources(string root) => new(
        new StorageOptions { DataRoot = root, BlockCacheBytes = 8 << 20 }, NullLogger.Instance, TimeProvider.System);

    private static LocalStore OpenStore(string root, StoreResources resources, bool create) => LocalStore.Open(
        Path.Combine(root, "store"), "the store", resources, create, NullLogger.Instance, TimeProvider.System);

    private static ChangeLogPlace Place(string root, Disk disk) =>
        new(Path.Combine(root, "changes", "log"), _database, _store) { Disk = disk };

    private static string Copy(string from)
    {
        string to = Directory.CreateTempSubdirectory("branching-changes-crash-").FullName;
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return to;
    }
}
