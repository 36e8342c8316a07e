using System.Diagnostics;
using System.Globalization;
using Branching.Grains;
using Branching.Silo;

namespace Branching.Bench;

/// <summary>Get and put through grains in one process: what a caller of the API sees, without a network.</summary>
internal sealed class GrainBench(BenchOptions options, Report report, string directory)
{
    private const int ManyCallers = 64;
    private const int BatchRecords = 1000;

    private readonly int _records = Math.Min(options.Records, 200_000);
    private int _seed = 1000;

    public async Task RunAsync()
    {
        await using EmbeddedNode node = await EmbeddedNode.StartAsync(Path.Combine(directory, "grain"));
        IDatabaseGrain database = node.Grains.GetGrain<IDatabaseGrain>("bench");
        await database.CreateAsync(new CreateDatabaseRequest("bench"));
        await LoadAsync(database);
        await database.FlushAsync();

        // The first calls compile; the same rounds are made once unmeasured.
        TimeSpan length = TimeSpan.FromSeconds(options.Seconds);
        foreach (int callers in (int[])[1, ManyCallers])
        {
            await MeasureAsync(callers, length, () => Getter(database));
            await MeasureAsync(callers, length, () => Putter(database, WriteDurability.Buffered));
        }

        foreach (int callers in (int[])[1, ManyCallers])
        {
            await RowAsync("get", callers, length, () => Getter(database));
            await RowAsync("put, buffered", callers, length, () => Putter(database, WriteDurability.Buffered));
            await RowAsync("put, synced", callers, length, () => Putter(database, WriteDurability.Sync));
        }
    }

    private async Task RowAsync(string what, int callers, TimeSpan length, Func<Func<long, Task>> client)
    {
        Samples rates = new();
        for (int run = 0; run < options.Runs; run++)
        {
            rates.Add(await MeasureAsync(callers, length, client));
        }

        report.Print(new Row("grain", $"{what}, {callers} caller{(callers == 1 ? "" : "s")}",
            callers == 1 ? "Calls one after the other." : $"{callers} callers, each one call after the other.")
        {
            Data = string.Create(CultureInfo.InvariantCulture,
                $"{_records:N0} records of 16-byte keys and 100-byte values, default options, runtime ")
                + typeof(IGrainFactory).Assembly.GetName().Name,
            WarmUp = "one run of gets and puts",
            Runs = $"{options.Runs} of {options.Seconds} seconds",
            Result = rates.Rate(),
        });
    }

    private async Task LoadAsync(IDatabaseGrain database)
    {
        Workload workload = new(seed: 31);
        for (long i = 0; i < _records; i += BatchRecords)
        {
            WriteOperation[] batch = [.. Enumerable.Range(0, BatchRecords).Select(offset => new WriteOperation(
                WriteOperationKind.Put, Workload.NewKey(i + offset), workload.Value()))];
            await database.WriteAsync(new WriteRequest(batch, Durability: WriteDurability.Buffered));
        }
    }

    private static async Task<double> MeasureAsync(int callers, TimeSpan length, Func<Func<long, Task>> client)
    {
        long[] done = new long[callers];
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(number => Task.Run(async () =>
        {
            Func<long, Task> call = client();
            while (Stopwatch.GetElapsedTime(start) < length)
            {
                await call(number);
                done[number]++;
            }
        })));
        return Comparison.PerSecond(done.Sum(), start);
    }

    private Func<long, Task> Getter(IDatabaseGrain database)
    {
        Workload workload = new(Seed());
        return async _ =>
        {
            GetResponse answer = await database.GetAsync(new GetRequest(Workload.NewKey(workload.Next(_records))));
            if (answer.Value.Length != BenchOptions.ValueBytes)
            {
                throw new InvalidOperationException("A record that was loaded is not there.");
            }
        };
    }

    private Func<long, Task> Putter(IDatabaseGrain database, WriteDurability durability)
    {
        Workload workload = new(Seed());
        return async _ =>
        {
            WriteOperation put = new(
                WriteOperationKind.Put, Workload.NewKey(workload.Next(_records)), workload.Value());
            await database.WriteAsync(new WriteRequest([put], Durability: durability));
        };
    }

    private int Seed() => Interlocked.Increment(ref _seed);
}
