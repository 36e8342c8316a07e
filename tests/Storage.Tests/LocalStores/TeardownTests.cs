using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
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

    private static string Rounds { get; } = Environment.GetEnvironmentVariable("BRANCHING_TEARDOWN_ROUNDS") ?? "10";

    // The runtime alone has about 100 files open, and a store some 20.
    [Theory]
    [InlineData(1024)]
    [InlineData(160)]
    public async Task A_store_closed_under_its_users_answers_all_of_them(int files)
    {
        string[] limited = ["prlimit", $"--nofile={files}:{files}", .. Child(Rounds, "dispose")];

        Ended ended = await ChildProcess.RunAsync(limited);

        Assert.True(ended.Exit == 0 && ended.Lines[^1] == "ok", ended.ToString());
    }

    [Theory]
    [InlineData("exit")]
    [InlineData("term")]
    public async Task What_was_acknowledged_before_the_process_ended_is_there(string end)
    {
        const int Enough = 2000;
        Dictionary<int, ulong> acknowledged = [];

        Ended ended = await ChildProcess.RunAsync(Child("1500", end), (process, lines) =>
        {
            if (end == "term" && lines.Count == Enough)
            {
                Terminate(process);
            }
        });

        Assert.True(
            ended.Exit == 0,
            string.Join('\n', ended.Lines.Where(line => !line.StartsWith("acknowledged", StringComparison.Ordinal))));
        foreach (string[] words in ended.Lines.Select(line => line.Split(' ')).Where(words => words.Length == 3))
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
    }
}
