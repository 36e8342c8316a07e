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
    private static readonly DatabaseId _database = DatabaseId.Parse(new string('1', 32));
    private static readonly StoreId _store = StoreId.Parse(new string('2', 32));

    [Fact]
    public async Task Killed_at_any_step_of_the_change_log_it_has_what_the_store_has()
    {
        string debris = await MakeDebrisAsync();
        string empty = Directory.CreateTempSubdirectory("branching-changes-none-").FullName;

        ConcurrentBag<string> killedAt = [];

        int written = await KillAtEachAsync("changes-write", empty, FirstLastAndSome, killedAt);
        int opened = await KillAtEachAsync("changes-open", debris, Kills.All, killedAt);

        output.WriteLine($"killed at {written} steps of writing, at {opened} of opening");
        Kills.AssertAtEvery<ChangeStep>("step", killedAt);
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

    private static Task<int> KillAtEachAsync(
        string scenario, string template, Func<IReadOnlyList<string>, IEnumerable<int>> choose,
        ConcurrentBag<string> killedAt) =>
        new Kills<TemporaryRoot>
        {
            Scenario = scenario,
            Make = () => new TemporaryRoot(Copy(template)),
            Arguments = (root, n) => [root.Path, scenario, $"{n}", Kills.Kinds],
            Choose = choose,
            Look = (root, ended, where) => AssertAgreeAsync(root.Path, ended, where),
            KilledAt = killedAt,
        }.RunAsync();

    /// <summary>The first of each kind, the last of each kind, and of the others every few.</summary>
    private static IEnumerable<int> FirstLastAndSome(IReadOnlyList<string> events)
    {
        string[] names = [.. events];
        return Kills.All(events).Where(n => n % 12 == 0
            || Array.IndexOf(names, names[n - 1]) == n - 1
            || Array.LastIndexOf(names, names[n - 1]) == n - 1);
    }

    private static async Task AssertAgreeAsync(string root, Ended ended, string where)
    {
        ulong put = Last(ended.Lines, "put "), acknowledged = Last(ended.Lines, "ack ");
        for (int opening = 0; opening < 2; opening++)
        {
            (ulong end, ulong? consumer) = await CheckAsync(root, where, gaps: false);
            Assert.True(end >= put, $"{where}: ends at {end}, {put} was acknowledged");
            Assert.True((consumer ?? 0) >= acknowledged, $"{where}: the consumer is at {consumer}");
        }
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
