using System.Collections.Concurrent;
using Xunit.Abstractions;

namespace Branching.Cluster.Tests;

/// <summary>
/// Clients run random transactions with ranges beside plain writes; afterwards everything that committed must be
/// explained by running it alone, in the order of the sequences: a write that was missed, or a key that appeared
/// unnoticed, is a difference. BRANCHING_SEED repeats a run.
/// </summary>
public sealed class TransactionScanModelTests(SharedCluster cluster, ITestOutputHelper output)
    : IClassFixture<SharedCluster>
{
    private const int Clients = 4, Rounds = 60, Keys = 12;

    [Fact]
    public async Task What_committed_with_ranges_is_explained_by_running_it_alone_in_sequence_order()
    {
        output.WriteLine($"BRANCHING_SEED={Waiting.Seed}");
        IDatabaseGrain store = cluster.Grains.GetDatabase(await cluster.CreateDatabaseAsync());
        ConcurrentBag<Done> done = [];

        await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => Task.Run(async () =>
        {
            Random random = new(Waiting.Seed + client);
            for (int i = 0; i < Rounds; i++)
            {
                if (await TransactAsync(store, random, $"{client}.{i}") is { } one)
                {
                    done.Add(one);
                }
            }
        }))).WaitAsync(Waiting.Deadline);

        output.WriteLine($"{done.Count} of {Clients * Rounds} committed");
        Assert.InRange(done.Count, Clients, Clients * Rounds);
        SortedDictionary<string, string> model = new(StringComparer.Ordinal);
        foreach (Done one in done.OrderBy(one => one.Sequence).ThenBy(one => one.IsReadOnly))
        {
            foreach (Step step in one.Steps)
            {
                string expected = step.Run(model);
                Assert.True(step.Seen == expected, $"{one.Sequence}: {step}, alone it sees {expected}");
            }
        }

        ScanResponse all = await store.ScanAsync(new ScanRequest(KeyRange.All));
        Assert.Equal(
            model.Select(entry => $"{entry.Key}={entry.Value}"),
            all.Entries.Select(entry => $"{Bytes.Text(entry.Key)}={Bytes.Text(entry.Value)}"));
    }

    private static async Task<Done?> TransactAsync(IStoreGrain store, Random random, string name)
    {
        OptimisticTransaction transaction = new(store, WriteDurability.Buffered);
        List<Step> steps = [];
        int count = random.Next(1, 6);
        for (int i = 0; i < count; i++)
        {
            Step step = new(random.Next(6), Key(random), Key(random), random.Next(1, 5), $"<{name}.{i}>");
            steps.Add(step with { Seen = await RunAsync(transaction, step) });
        }

        CommitResponse answer = await transaction.CommitAsync();
        return answer.Committed ? new Done(answer.Sequence, transaction.WriteCount == 0, steps) : null;
    }

    private static async Task<string> RunAsync(OptimisticTransaction transaction, Step step)
    {
        ReadOnlyMemory<byte> key = Bytes.Of(step.Key);
        switch (step.Kind)
        {
            case 0:
                transaction.Put(key, Bytes.Of(step.Value));
                return "";
            case 1:
                transaction.Append(key, Bytes.Of(step.Value));
                return "";
            case 2:
                transaction.Delete(key);
                return "";
            case 3:
                GetResponse found = await transaction.GetAsync(key);
                return found.Found ? Bytes.Text(found.Value) : "-";
            default:
                // The limit of a whole scan is one of its pages.
                bool reverse = step.Kind == 5;
                ScanRequest request = new(new KeyRange(key, Bytes.Of(step.To)), step.Limit, reverse);
                List<Entry> seen = [];
                int pages = step.Limit % 2 == 0 ? int.MaxValue : 1;
                do
                {
                    ScanResponse page = await transaction.ScanAsync(request);
                    seen.AddRange(page.Entries);
                    request = request with { Continuation = page.Continuation };
                }
                while (!request.Continuation.IsEmpty && --pages > 0);
                return string.Join(
                    ' ', seen.Select(entry => $"{Bytes.Text(entry.Key)}={Bytes.Text(entry.Value)}"));
        }
    }

    private static string Key(Random random) => $"k{random.Next(Keys):D2}";

    private sealed record Done(ulong Sequence, bool IsReadOnly, List<Step> Steps);

    private sealed record Step(int Kind, string Key, string To, int Limit, string Value)
    {
        public string Seen { get; init; } = "";

        /// <summary>What it sees when it runs alone.</summary>
        public string Run(SortedDictionary<string, string> model)
        {
            switch (Kind)
            {
                case 0:
                    model[Key] = Value;
                    return "";
                case 1:
                    model[Key] = model.GetValueOrDefault(Key, "") + Value;
                    return "";
                case 2:
                    model.Remove(Key);
                    return "";
                case 3:
                    return model.GetValueOrDefault(Key, "-");
                default:
                    IEnumerable<string> range = model
                        .Where(entry => string.CompareOrdinal(entry.Key, Key) >= 0
                            && string.CompareOrdinal(entry.Key, To) < 0)
                        .Select(entry => $"{entry.Key}={entry.Value}");
                    range = Kind == 5 ? range.Reverse() : range;
                    return string.Join(' ', Limit % 2 == 0 ? range : range.Take(Limit));
            }
        }
    }
}
