using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Branching.ClientApp.Demo;

namespace Branching.ClientApp.Tests;

public sealed partial class DemoTests : CliTest
{
    [Fact]
    public async Task The_demo_on_a_small_file_ends_in_its_verdict()
    {
        var text = new StringBuilder("sku,name,price\n");
        for (int i = 0; i < 2000; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"sku{i:D5},\"name, {i}\",{i * 7}\n");
        }

        CliResult result = await SucceedAsync("demo", WriteFile("products.csv", text.ToString()), "--key", "sku");

        string last = result.Output.TrimEnd().Split('\n')[^1];
        Assert.Matches(Verdict(), last);
        Assert.StartsWith("demo ok: 2000 records, 3 branches, ", last, StringComparison.Ordinal);
        Assert.Contains("experiment/deep", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_framework_has_enough_records_for_the_demo()
    {
        DemoRecords records = DemoData.FromFramework();

        Assert.True(records.Records.Count >= DemoData.EnoughRecords);
    }

    [Fact]
    public async Task Package_stanzas_become_records_under_name_version_and_architecture()
    {
        using var reader = new StringReader(
            "Package: a\nVersion: 1\nArchitecture: all\n\nPackage: b\nVersion: 2\nArchitecture: amd64\n");

        SortedDictionary<byte[], byte[]> records = await DemoData.ReadStanzasAsync(reader, CancellationToken.None);

        Assert.Equal(["a 1 all", "b 2 amd64"], records.Keys.Select(Encoding.UTF8.GetString));
        Assert.Equal("Package: b\nVersion: 2\nArchitecture: amd64\n", Encoding.UTF8.GetString(records.Values.Last()));
    }

    [Fact]
    public void The_crash_verdict_tells_lost_from_unacknowledged_from_leaked()
    {
        byte[][] keys = [.. Enumerable.Range(0, 100).Select(i => Encoding.UTF8.GetBytes($"k{i:D3}"))];
        var plan = new CrashPlan(keys);
        var acknowledged = new SortedSet<int>([0, 1, 2, 4]);
        List<Difference> differences =
        [
            new(plan[1].Key.ToArray(), plan[1].Value.ToArray(), "old"u8.ToArray()),
            new(plan[3].Key.ToArray(), null, plan[3].Value.ToArray()),
            new(plan[5].Key.ToArray(), "old"u8.ToArray(), null),
            new("stranger"u8.ToArray(), null, "x"u8.ToArray()),
            new(plan[6].Key.ToArray(), null, "wrong"u8.ToArray()),
        ];

        CrashVerdict verdict = CrashVerdict.Of(plan, acknowledged, 8, differences);

        Assert.Equal(1, verdict.Lost);
        Assert.Equal(2, verdict.Unacknowledged);
        Assert.Equal(3, verdict.Unexplained.Count);
    }

    [GeneratedRegex(
        "^demo ok: [1-9][0-9]* records, 3 branches, [1-9][0-9]* acknowledged writes verified, 0 lost, 0 leaked$",
        RegexOptions.ExplicitCapture,
        1000)]
    internal static partial Regex Verdict();
}
