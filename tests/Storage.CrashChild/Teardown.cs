using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Branching.Storage.Changes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Takes a store away from those who use it. Arguments: root, "teardown", how often, users at a time, seed, and how it
/// ends: "dispose" closes and reopens the store each time; "exit" leaves the process without a word to the store, and
/// "return" does so by the end of Main; "term" waits for SIGTERM, closes and ends; "default" waits for it and has
/// nobody who handles it. After "dispose" may follow how many files may be open besides those that the process has
/// without a store, from the third time on: the runtime itself does not survive a limit while it still loads code.
/// Every call must end with an answer or a failure that has a kind, and what was acknowledged must be there afterwards.
/// Says "acknowledged USER NUMBER" as it goes for all but the first, "ok" where it closed the store.
/// </summary>
internal static class Teardown
{
    private const int Wrong = 4;

    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);
    private static readonly string[] _kinds =
        ["Closed", "Overloaded", "TimedOut", "Poisoned", "Io", "DiskFull", "ColumnFamilyExists",
            "ColumnFamilyNotFound", "InvalidArgument", "ChangeLogOff", "TooManyOpenFiles", "Locked", "LockTimedOut",
            "Deadlock", "TransactionConflict", "OutcomeUnknown"];

    public static async Task<int> RunAsync(string[] args)
    {
        int rounds = int.Parse(args[2], CultureInfo.InvariantCulture);
        int users = int.Parse(args[3], CultureInfo.InvariantCulture);
        int seed = int.Parse(args[4], CultureInfo.InvariantCulture);
        ThreadPool.SetMinThreads(users + 8, users + 8);
        StorageOptions options = new()
        {
            DataRoot = args[0],
            BlockCacheBytes = 8 << 20,
            MemtableBytes = 1 << 20,
        };
        string directory = Path.Combine(args[0], "store");
        if (args[5] is "exit" or "return" or "default")
        {
            // Nothing of these is ever released: that is what is tried.
            TeardownRun left = new(
                new StoreResources(options, NullLogger.Instance, TimeProvider.System), directory, users, seed, true);
            await left.BeginAsync().ConfigureAwait(false);
            await left.LeaveOpenAsync().ConfigureAwait(false);
            await Task.Delay(args[5] == "default" ? _patience : TimeSpan.FromMilliseconds(rounds))
                .ConfigureAwait(false); // Here the milliseconds until the end.
            if (args[5] == "exit")
            {
                Environment.Exit(0);
            }

            return args[5] == "return" ? 0 : Wrong;
        }

        using StoreResources resources = new(options, NullLogger.Instance, TimeProvider.System);
        TeardownRun run = new(resources, directory, users, seed, says: args[5] != "dispose");
        await using ConfiguredAsyncDisposable ended = run.ConfigureAwait(false);
        switch (args[5])
        {
            case "term":
                TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
                using (PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
                {
                    context.Cancel = true;
                    asked.TrySetResult();
                }))
                {
                    await run.BeginAsync().ConfigureAwait(false);
                    await run.LeaveOpenAsync().ConfigureAwait(false);
                    await asked.Task.ConfigureAwait(false);
                    return Say(await run.EndAsync(_patience).ConfigureAwait(false));
                }

            default:
                for (int round = 0; round < rounds; round++)
                {
                    await run.BeginAsync().ConfigureAwait(false);

                    // The first two, without and with a change log, end when every kind of use has had its turn.
                    Task turn = round < 2 ? run.EveryUse : Task.Delay(run.Random.Next(40));
                    await Task.WhenAny(turn, Task.Delay(_patience)).ConfigureAwait(false);
                    if (await run.EndAsync(_patience).ConfigureAwait(false) is { } problem)
                    {
                        return Say($"round {round}: {problem}");
                    }

                    if (round == 1 && args.Length > 6)
                    {
                        LimitFiles(int.Parse(args[6], CultureInfo.InvariantCulture));
                    }
                }

                Console.WriteLine(run.Did);
                return Say(run.NeverDid is [] ? null : $"nobody could ever {string.Join(", ", run.NeverDid)}");
        }
    }

    private static void LimitFiles(int room)
    {
        int files = Directory.GetFileSystemEntries("/proc/self/fd").Length + room;
        using Process limit = Process.Start(
            "prlimit", ["--pid", $"{Environment.ProcessId}", $"--nofile={files}:{files}"]);
        limit.WaitForExit();
        Console.WriteLine($"limited to {files} open files");
    }

    private static int Say(string? problem)
    {
        Console.WriteLine(problem ?? "ok");
        return problem is null ? 0 : Wrong;
    }

    /// <summary>Whether a failure is one that a caller may get from a store that is closed under it.</summary>
    internal static bool IsTyped(Exception e) => e switch
    {
        // The runtime's word, with too few open files, for code that it could not make ready.
        StorageException { Kind: FailureKind.Internal, InnerException: OutOfMemoryException } => true,
        StorageException failure => _kinds.Contains(failure.Kind.ToString()),
        ObjectDisposedException => false,
        OperationCanceledException => false,
        _ => false,
    };
}

/// <summary>One store after the other in one directory, and those who use it.</summary>
internal sealed partial class TeardownRun(
    StoreResources resources, string directory, int users, int seed, bool says) : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _problems = new();
    private readonly ulong[] _issued = new ulong[users];
    private readonly ulong[] _acknowledged = new ulong[users];
    private readonly string?[] _doing = new string?[users];
    private readonly ConcurrentDictionary<string, int> _did = new(StringComparer.Ordinal);
    private readonly Lock _output = new();
    private LocalStore? _store;
    private Task[] _using = [];
    private TaskCompletionSource[] _first = [];
    private int _round;

    public Random Random { get; } = new(seed);

    /// <summary>How often each use of the store ended well, and each kind of refusal came.</summary>
    public string Did => "did " + string.Join(", ", _did
        .OrderBy(static one => one.Key, StringComparer.Ordinal).Select(static one => $"{one.Key} {one.Value}"));

    /// <summary>The kinds of use that never ended well.</summary>
    public IReadOnlyList<string> NeverDid =>
        [.. _uses.Select(static use => use.Name).Distinct().Where(name => !_did.ContainsKey(name))];

    /// <summary>Completes when each user has ended a first use of this round: all kinds are among those.</summary>
    public Task EveryUse => Task.WhenAll(_first.Select(static one => one.Task));

    public async Task BeginAsync()
    {
        _round++;
        _store = LocalStore.Open(
            directory, "the store", resources, create: !Directory.Exists(directory), NullLogger.Instance,
            TimeProvider.System);
        Compare(_store);
        if (says || _round % 2 == 0)
        {
            _store.EnableChangeLog(LogOf(directory), ChangeLogSettings.Default with { RotateBytes = 1 << 20 });
        }

        LocalStore store = _store;
        _first = [.. Enumerable.Range(0, users).Select(static _ => new TaskCompletionSource(
            TaskCreationOptions.RunContinuationsAsynchronously))];
        _using = [.. Enumerable.Range(0, users).Select(user =>
        {
            int its = HashCode.Combine(seed, _round, user);
            return Task.Run(() => UseAsync(store, user, new Random(its)));
        })];
        await Task.Yield();
    }

    /// <summary>Closes the store under its users and waits for all of them.</summary>
    /// <returns>What went wrong.</returns>
    public async Task<string?> EndAsync(TimeSpan patience)
    {
        Task closing = _store!.DisposeAsync().AsTask();
        try
        {
            await Task.WhenAll([.. _using, closing]).WaitAsync(patience).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return $"after {patience.TotalSeconds} s these had not ended: closing {!closing.IsCompleted}, "
                + string.Join(", ", _doing.Where((_, user) => !_using[user].IsCompleted));
        }

        return _problems.TryDequeue(out string? problem) ? problem : null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is { } store && _using.All(static user => user.IsCompleted))
        {
            await store.DisposeAsync().ConfigureAwait(false); // One that hangs is left to the end of the process.
        }
    }

    private async Task UseAsync(LocalStore store, int user, Random random)
    {
        TaskCompletionSource first = _first[user];
        Use use = _uses[user % _uses.Length];
        while (true)
        {
            _doing[user] = use.Name;
            try
            {
                await use.RunAsync(this, store, user, random).ConfigureAwait(false);
                _did.AddOrUpdate(use.Name, 1, static (_, times) => times + 1);
            }
            catch (StorageException e) when (e.Kind == FailureKind.Closed)
            {
                return;
            }
            catch (Exception e) when (Teardown.IsTyped(e))
            {
                _did.AddOrUpdate($"refused as {((StorageException)e).Kind}", 1, static (_, times) => times + 1);
                await Task.Yield(); // An answer as good as any; the store goes on.
            }
            catch (Exception e)
            {
                _problems.Enqueue($"user {user} while {_doing[user]}: {e}");
                return;
            }
            finally
            {
                first.TrySetResult();
            }

            use = Draw(random);
        }
    }

    private async Task PutAsync(LocalStore store, int user, Durability durability)
    {
        byte[] value = NextValue(user, out ulong number);
        WriteResult result = await store.WriteAsync(
            new WriteRequest([WriteOperation.Put(KeyOf(user), value)], null, durability), CancellationToken.None)
            .ConfigureAwait(false);
        if (!result.Applied)
        {
            throw new InvalidOperationException("A write without conditions was not applied.");
        }

        Acknowledge(user, number);
    }

    private byte[] NextValue(int user, out ulong number)
    {
        number = ++_issued[user];
        byte[] value = new byte[100];
        BinaryPrimitives.WriteUInt64LittleEndian(value, number);
        return value;
    }

    private void Acknowledge(int user, ulong number)
    {
        _acknowledged[user] = number;
        if (says)
        {
            lock (_output)
            {
                Console.WriteLine($"acknowledged {user} {number}");
            }
        }
    }

    private void Compare(LocalStore store)
    {
        for (int user = 0; user < users; user++)
        {
            ArrayBufferWriter<byte> value = new();
            ulong found = store.TryGet(null, KeyOf(user), value)
                ? BinaryPrimitives.ReadUInt64LittleEndian(value.WrittenSpan)
                : 0;
            if (found < _acknowledged[user] || found > _issued[user])
            {
                _problems.Enqueue(
                    $"user {user} was acknowledged {_acknowledged[user]} of {_issued[user]} and finds {found}");
            }

            _acknowledged[user] = Math.Max(found, _acknowledged[user]);
        }
    }

    // Of three bytes, which those who iterate look for.
    private static byte[] KeyOf(int user) => [(byte)'u', (byte)(user >> 8), (byte)user];
}
