using System.Globalization;
using Xunit.Abstractions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

/// <summary>Random requests, compared with a sorted dictionary. BRANCHING_MODEL_STEPS sets how many.</summary>
public sealed class LocalStoreModelTests(ITestOutputHelper output)
{
    private static readonly string?[] _families = [null, "second"];

    private static int Steps { get; } = int.TryParse(
        Environment.GetEnvironmentVariable("BRANCHING_MODEL_STEPS"), CultureInfo.InvariantCulture, out int steps)
        ? steps
        : 4000;

    [Fact]
    public async Task A_store_behaves_like_a_sorted_dictionary()
    {
        output.WriteLine($"BRANCHING_SEED={Seed}");
        Random random = new(Seed);
        await using TestStore test = new(options => options.MemtableBytes = 64 << 10);
        test.Store.CreateColumnFamily("second");
        Model model = new();

        for (int step = 0; step < Steps; step++)
        {
            await StepAsync(test, model, random);
        }

        await test.ReopenAsync();
        CompareAll(test, model);
    }

    private static async Task StepAsync(TestStore test, Model model, Random random)
    {
        switch (random.Next(100))
        {
            case < 60:
                WriteRequest request = RandomRequest(random, model);
                WriteResult result = await test.Store.WriteAsync(request, CancellationToken.None);
                Assert.Equal(model.Apply(request), result.FailedPrecondition);
                break;
            case < 75:
                string? family = Pick(random);
                string key = RandomKey(random);
                Assert.Equal(model[family].GetValueOrDefault(key), test.Get(key, family));
                break;
            case < 97:
                CompareScan(test, model, random);
                break;
            case < 98:
                test.Store.Flush();
                break;
            case < 99:
                test.Store.Compact(Pick(random), KeyRange.All);
                break;
            default:
                await test.ReopenAsync();
                break;
        }
    }

    private static void CompareScan(TestStore test, Model model, Random random)
    {
        string? family = Pick(random);
        string from = random.Next(5) == 0 ? "" : RandomKey(random);
        string to = random.Next(5) == 0 ? "" : RandomKey(random);
        bool fromExclusive = random.Next(2) == 0, toInclusive = random.Next(2) == 0, reverse = random.Next(2) == 0;
        int limit = random.Next(1, 40);
        KeyRange range = new(Bytes(from), Bytes(to), fromExclusive, toInclusive);
        List<string> expected = [.. model[family].Keys.Where(key =>
            InRange(key, from, to, fromExclusive, toInclusive))];
        long count = test.Store.Count(family, range, CancellationToken.None);
        if (reverse)
        {
            expected.Reverse();
        }

        ScanPage page = test.Store.Scan(new ScanRequest(family, range, reverse, limit, 1 << 20));

        Assert.Equal(expected.Count, count);
        Assert.Equal(expected.Take(limit), Keys(page.Entries), StringComparer.Ordinal);
        Assert.Equal(expected.Count > limit, page.HasMore);
        Assert.All(page.Entries, entry => Assert.Equal(model[family][Text(entry.Key)], Text(entry.Value)));
    }

    private static bool InRange(string key, string from, string to, bool fromExclusive, bool toInclusive)
    {
        int low = string.CompareOrdinal(key, from), high = string.CompareOrdinal(key, to);
        return (from.Length == 0 || low > 0 || (low == 0 && !fromExclusive))
            && (to.Length == 0 || high < 0 || (high == 0 && toInclusive));
    }

    private static void CompareAll(TestStore test, Model model)
    {
        foreach (string? family in _families)
        {
            ScanPage page = test.Store.Scan(All() with { ColumnFamily = family });
            Assert.Equal(
                model[family].Select(pair => $"{pair.Key}={pair.Value}"),
                page.Entries.Select(entry => $"{Text(entry.Key)}={Text(entry.Value)}"),
                StringComparer.Ordinal);
        }
    }

    private static WriteRequest RandomRequest(Random random, Model model)
    {
        List<WriteOperation> operations = [];
        for (int count = random.Next(1, 6); count > 0; count--)
        {
            string? family = Pick(random);
            string key = RandomKey(random);
            operations.Add(random.Next(20) switch
            {
                < 13 => Put(key, new string((char)('a' + random.Next(26)), random.Next(300)), family),
                < 19 => Delete(key, family),
                _ => RandomRange(random, family),
            });
        }

        List<Precondition> preconditions = [];
        for (int count = random.Next(4) == 0 ? random.Next(1, 3) : 0; count > 0; count--)
        {
            preconditions.Add(RandomPrecondition(random, model));
        }

        return new WriteRequest(operations, preconditions, Durability.Buffered);
    }

    private static WriteOperation RandomRange(Random random, string? family)
    {
        string a = RandomKey(random), b = RandomKey(random);
        (a, b) = string.CompareOrdinal(a, b) <= 0 ? (a, b) : (b, a);
        return WriteOperation.DeleteRange(Bytes(a), Bytes(b), family);
    }

    private static Precondition RandomPrecondition(Random random, Model model)
    {
        string? family = Pick(random);
        string key = RandomKey(random);
        return random.Next(3) switch
        {
            0 => Absent(key, family),
            1 => Present(key, family),
            _ => Equal(key, model[family].GetValueOrDefault(key, "x"), family),
        };
    }

    private static string? Pick(Random random) => _families[random.Next(_families.Length)];

    private static string RandomKey(Random random) => $"k{random.Next(300):000}";

    private sealed class Model
    {
        private readonly SortedDictionary<string, string> _default = new(StringComparer.Ordinal);
        private readonly SortedDictionary<string, string> _second = new(StringComparer.Ordinal);

        public SortedDictionary<string, string> this[string? family] => family is null ? _default : _second;

        /// <summary>Applies the request; answers the precondition that failed, or -1.</summary>
        public int Apply(WriteRequest request)
        {
            for (int i = 0; i < request.Preconditions!.Count; i++)
            {
                if (!Holds(request.Preconditions[i]))
                {
                    return i;
                }
            }

            foreach (WriteOperation operation in request.Operations)
            {
                Apply(operation);
            }

            return -1;
        }

        private bool Holds(Precondition condition)
        {
            bool present = this[condition.ColumnFamily].TryGetValue(Text(condition.Key), out string? value);
            return condition.Kind switch
            {
                PreconditionKind.KeyAbsent => !present,
                PreconditionKind.KeyPresent => present,
                _ => present && value == Text(condition.Value),
            };
        }

        private void Apply(WriteOperation operation)
        {
            SortedDictionary<string, string> family = this[operation.ColumnFamily];
            string key = Text(operation.Key), value = Text(operation.Value);
            switch (operation.Kind)
            {
                case WriteKind.Put:
                    family[key] = value;
                    break;
                case WriteKind.Delete:
                    family.Remove(key);
                    break;
                default:
                    foreach (string gone in family.Keys.Where(k => InRange(k, key, value, false, false)).ToList())
                    {
                        family.Remove(gone);
                    }

                    break;
            }
        }
    }
}
