using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Branching.Storage.Changes;
using Branching.Storage.Tests.Changes;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.LocalStores;

/// <summary>
/// A store that is taken away from 64 who use it, in a process of its own. BRANCHING_TEARDOWN_ROUNDS sets how often.
/// </summary>
public sealed class TeardownTests(ITestOutputHelper output) : IDisposable
{
    private const int Users = 64;

    private readonly string _root = Directory.CreateTempSubdirectory("branching-teardown-").FullName;

    private static int Closings { get; } = Rounds.Of("BRANCHING_TEARDOWN_ROUNDS", 10);

    // A store has some 20 files open. With a room of less than 40 there are refusals, and with 32 the runtime itself
    // ended the process before long: it said that it was out of memory.
    [Theory]
    [InlineData(null)]
    [InlineData(60)]
    public async Task A_store_closed_under_its_users_answers_all_of_them(int? room)
    {
        string[] limited = ["prlimit", "--nofile=1024:1024", .. Child($"{Closings}", "dispose")];

        Ended ended = await ChildProcess.RunAsync(
            room is null ? limited : [.. limited, $"{room}"],
            within: ChildProcess.Deadline * Math.Max(1, Closings / 50));

        output.WriteLine(ended.ToString());
        Assert.True(ended.Exit == 0 && ended.Lines[^1] == "ok", ended.ToString());
    }

    // What handles SIGTERM decides how the process ends; the runtime itself ends it with 128 and the signal's number.
    [Theory]
    [InlineData("exit", 0)]
    [InlineData("return", 0)]
    [InlineData("term", 0)]
    [InlineData("default", 143)]
    public async Task What_was_acknowledged_before_the_process_ended_is_there(string end, int exit)
    {
        const int Enough = 500;
        Dictionary<int, ulong> acknowledged = [];

        Ended ended = await ChildProcess.RunAsync(Child("1500", end), (process, lines) =>
        {
            if (end is "term" or "default" && lines.Count == Enough)
            {
                Terminate(process);
            }
        });

        Assert.True(
            ended.Exit == exit,
            $"{ended.Exit}: " + string.Join(
                '\n', ended.Lines.Where(line => !line.StartsWith("acknowledged", StringComparison.Ordinal))));

        // The last line may be cut in the middle, where nobody waited for it to be said.
        foreach (string[] words in ended.Lines.SkipLast(1).Select(line => line.Split(' ')).Where(w => w.Length == 3))
        {
            acknowledged[int.Parse(words[1], CultureInfo.InvariantCulture)] =
                ulong.Parse(words[2], CultureInfo.InvariantCulture);
        }

        Assert.NotEmpty(acknowledged);
        await CompareAsync(acknowledged);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static void Terminate(Process process)
    {
        using Process kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private string[] Child(string rounds, string end)
    {
        output.WriteLine($"BRANCHING_SEED={TestStore.Seed}");
        return
        [
            .. ChildProcess.Storage(_root, "teardown")[..^2], rounds, $"{Users}",
            TestStore.Seed.ToString(CultureInfo.InvariantCulture), end,
        ];
    }

    private async Task CompareAsync(Dictionary<int, ulong> acknowledged)
    {
        using StoreResources resources = new(
            new StorageOptions { DataRoot = _root }, NullLogger.Instance, TimeProvider.System);
        await using LocalStore store = LocalStore.Open(
            Path.Combine(_root, "store"), "the store", resources, create: false, NullLogger.Instance,
            TimeProvider.System);
        foreach ((int user, ulong number) in acknowledged)
        {
            ArrayBufferWriter<byte> value = new();
            Assert.True(store.TryGet(null, [(byte)'u', (byte)(user >> 8), (byte)user], value));
            Assert.InRange(BinaryPrimitives.ReadUInt64LittleEndian(value.WrittenSpan), number, ulong.MaxValue);
        }

        // A transaction was open, and left nothing: neither in the store nor in the log, which agree.
        Assert.False(store.TryGet(null, "never committed"u8, new ArrayBufferWriter<byte>()));
        ChangeLogPlace place = new( // As the child has it.
            store.Directory + "-changes", DatabaseId.Parse(new string('1', 32)), StoreId.Parse(new string('2', 32)));
        store.EnableChangeLog(place, ChangeLogSettings.Default);
        ChangeLog log = store.Changes;
        ulong next = log.GetStatistics().First.Value;
        foreach (Change change in LoggedStore.Read(log))
        {
            Assert.True(next == change.First.Value, $"{change.First} follows {next - 1}");
            Assert.Equal(ChangeKind.Batch, change.Kind);
            next = change.Last.Value + 1;
        }

        Assert.Equal((store.LastAcknowledged, log.End.Value + 1), (log.End, next));
        Assert.Empty(log.Validate().Damage);
    }
}
