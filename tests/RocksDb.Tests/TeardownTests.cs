using System.Buffers;
using System.Globalization;
using Xunit.Abstractions;
using static Branching.RocksDb.Tests.TestStore;

namespace Branching.RocksDb.Tests;

/// <summary>Sixteen threads use a database while it is disposed. More rounds: BRANCHING_ROUNDS; a seed:
/// BRANCHING_SEED.</summary>
public sealed class TeardownTests(ITestOutputHelper output)
{
    private const int Threads = 16;

    [Fact]
    public async Task Disposing_under_sixteen_threads_ends_every_one_of_them_with_an_exception_and_no_crash()
    {
        int rounds = Setting("BRANCHING_ROUNDS", 12);
        int seed = Setting("BRANCHING_SEED", Random.Shared.Next());
        output.WriteLine($"BRANCHING_SEED={seed}");
        using TestStore store = new(open: false);

        for (int round = 0; round < rounds; round++)
        {
            RocksDatabase database = store.Open();
            ColumnFamily family = database.TryGetColumnFamily("f", out ColumnFamily? existing)
                ? existing
                : database.CreateColumnFamily("f");
            Work work = new(database, family);
            Task[] threads = [.. Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
                () => work.Run(new Random(HashCode.Combine(seed, round, thread))),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default))];
            Assert.True(work.Busy.Wait(TestStore.Deadline));

            database.Dispose();
            await Task.WhenAll(threads).WaitAsync(TestStore.Deadline);

            Assert.Equal(Threads, work.Ended);
        }

        // Nothing of all this kept the directory open.
        store.Open();
        Assert.NotNull(store.Database.GetProperty("rocksdb.stats"));
    }

    [Fact]
    public async Task Dropping_a_family_under_sixteen_threads_ends_them_with_an_exception_and_no_crash()
    {
        int seed = Setting("BRANCHING_SEED", Random.Shared.Next());
        output.WriteLine($"BRANCHING_SEED={seed}");
        using TestStore store = new();

        for (int round = 0; round < 5; round++)
        {
            ColumnFamily family = store.Database.CreateColumnFamily("f");
            Work work = new(store.Database, family);
            Task[] threads = [.. Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
                () => work.Run(new Random(HashCode.Combine(seed, round, thread))),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default))];
            Assert.True(work.Busy.Wait(TestStore.Deadline));

            store.Database.DropColumnFamily(family);
            await Task.WhenAll(threads).WaitAsync(TestStore.Deadline);

            Assert.Equal(Threads, work.Ended);
        }
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value)
            ? value
            : otherwise;

    private sealed class Work(RocksDatabase database, ColumnFamily family)
    {
        private int _ended;

        /// <summary>Set once enough calls were made that all kinds are under way.</summary>
        public CountdownEvent Busy { get; } = new(Threads * 20);

        public int Ended => Volatile.Read(ref _ended);

        public void Run(Random random)
        {
            ArrayBufferWriter<byte> buffer = new();
            try
            {
                while (true)
                {
                    UseOnce(random, buffer);
                    if (!Busy.IsSet)
                    {
                        TrySignal();
                    }
                }
            }
            catch (ObjectDisposedException)
            {
                Interlocked.Increment(ref _ended); // The one end there may be.
            }
        }

        private void TrySignal()
        {
            try
            {
                Busy.Signal();
            }
            catch (InvalidOperationException)
            {
                // Another thread made the last call that was waited for.
            }
        }

        private void UseOnce(Random random, ArrayBufferWriter<byte> buffer)
        {
            byte[] key = [(byte)random.Next(50)];
            buffer.ResetWrittenCount();
            switch (random.Next(12))
            {
                case 0:
                case 1:
                    database.Put(family, key, new byte[random.Next(500)], WriteOptions.Buffered);
                    break;
                case 2:
                    database.Delete(family, key, WriteOptions.Buffered);
                    break;
                case 3:
                    using (WriteBatch batch = new())
                    {
                        batch.Put(family, key, key);
                        database.Write(batch, WriteOptions.Buffered);
                    }

                    break;
                case 4:
                    Scan(key);
                    break;
                case 5:
                    using (ReadSnapshot snapshot = database.NewSnapshot())
                    using (ReadOptions options = new() { Snapshot = snapshot })
                    {
                        database.TryGet(family, key, buffer, options);
                    }

                    break;
                case 6:
                    using (PinnedValue pinned = database.GetPinned(family, key))
                    {
                        buffer.Write(pinned.Span);
                    }

                    break;
                case 7:
                    database.MultiGet(family, [key, Bytes("absent")]).Dispose();
                    break;
                case 8 when random.Next(20) == 0:
                    database.Flush(family);
                    break;
                case 9:
                    database.GetProperty(family, "rocksdb.num-entries-active-mem-table");
                    break;
                case 10:
                    database.GetLiveFiles();
                    _ = database.LatestSequence;
                    break;
                default:
                    database.TryGet(family, key, buffer);
                    break;
            }
        }

        private void Scan(byte[] key)
        {
            using ReadOptions options = new() { LowerBound = key };
            using Iterator iterator = database.NewIterator(family, options);
            int steps = 0;
            for (iterator.SeekToFirst(); iterator.IsValid && steps < 20; iterator.Next())
            {
                steps += iterator.Key.Length + (iterator.Value.Length >= 0 ? 0 : 1);
            }
        }
    }
}
