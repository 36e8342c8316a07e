using System.Collections.Concurrent;
using System.Globalization;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Branches;

/// <summary>
/// A child process does one operation and is killed (SIGKILL) at every crash point of it in turn; the root is then
/// opened twice and must be as before or as after the operation. BRANCHING_CRASH_STEPS=all adds every file step.
/// </summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, string> _before = new(StringComparer.Ordinal)
    {
        ["create-branch"] = "shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
        ["delete-branch"] = "shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
        ["bulk-load"] = "shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
        ["create-database"] = "shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
        ["drop-database"] = "shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
        ["open"] = "shop[adopted:a=1|keep:a=1 b=2|main:a=1]",
        ["close"] = "shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
    };

    private static readonly Dictionary<string, string> _after = new(StringComparer.Ordinal)
    {
        ["create-branch"] = "shop[doomed:a=1|fresh:a=1 b=2|keep:a=1 b=2|main:a=1]",
        ["delete-branch"] = "shop[keep:a=1 b=2|main:a=1]",
        ["bulk-load"] = "shop[doomed:a=1|keep:a=1 b=2 c=3999 d=3999|main:a=1]",
        ["create-database"] = "other[main:] shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
        ["drop-database"] = "",
        ["open"] = "shop[adopted:a=1|keep:a=1 b=2|main:a=1]",
        ["close"] = "shop[doomed:a=1|keep:a=1 b=2|main:a=1]",
    };

    [Fact]
    public async Task Killed_at_any_crash_point_everything_is_as_before_or_as_after()
    {
        using TemporaryRoot template = new();
        await PrepareAsync(template);
        using TemporaryRoot debris = new();
        await PrepareDebrisAsync(debris, template);
        ConcurrentBag<string> killedAt = [];

        await Parallel.ForEachAsync(_before.Keys, async (scenario, _) =>
        {
            int killed = await KillAtEachAsync(scenario, scenario == "open" ? debris : template, killedAt);
            output.WriteLine($"{scenario}: killed at {killed} points");
        });

        Kills.AssertAtEvery<CrashPoint>("point", killedAt);
    }

    [Fact]
    public async Task Killed_at_any_moment_every_acknowledged_write_and_branch_is_there()
    {
        int rounds = int.Parse(
            Environment.GetEnvironmentVariable("BRANCHING_CRASH_ROUNDS") ?? "3", CultureInfo.InvariantCulture);
        int seed = int.Parse(Environment.GetEnvironmentVariable("BRANCHING_SEED") ?? "7", CultureInfo.InvariantCulture);
        output.WriteLine($"BRANCHING_SEED={seed}");
        Random random = new(seed);
        using TemporaryRoot root = new();
        await PrepareAsync(root);
        for (int round = 0; round < rounds; round++)
        {
            IReadOnlyList<string> lines = await KillAfterLinesAsync(root.Path, random.Next(5, 80));
            await using DataRoot opened = await root.OpenAsync();
            Database shop = await opened.GetDatabaseAsync(TemporaryRoot.Shop, default);
            await AssertAcknowledgedAsync(shop, lines);
            foreach (BranchRecord record in shop.ListBranches().Where(b => b.Name.Value[0] == 'r'))
            {
                await shop.DeleteBranchAsync(record.Name, default);
            }
        }
    }

    private static async Task AssertAcknowledgedAsync(Database shop, IReadOnlyList<string> lines)
    {
        Dictionary<string, Dictionary<string, string>> model = new(StringComparer.Ordinal);
        string? touched = null;
        foreach (string[] words in lines.Select(line => line.Split(' ')))
        {
            touched = words[1];
            switch (words[0])
            {
                case "branch":
                    model.Add(words[1], new(StringComparer.Ordinal) { ["a"] = "1", ["b"] = "2" });
                    break;
                case "put":
                    model[words[1]][words[2]] = words[3];
                    break;
                default:
                    model.Remove(words[1]);
                    break;
            }
        }

        foreach ((string name, Dictionary<string, string> content) in model)
        {
            bool there = shop.TryGetBranch(BranchName.Parse(name), out _);
            if (!there && name == touched)
            {
                continue; // Its deletion had reached the commit point and was not yet answered.
            }

            Assert.True(there, name);
            string actual = await shop.ReadAllAsync(name);
            Assert.All(content, pair => Assert.Contains($"{pair.Key}={pair.Value}", actual, StringComparison.Ordinal));
        }

        Assert.Equal("a=1 b=2", await shop.ReadAllAsync("keep"));
    }

    private static Task<int> KillAtEachAsync(
        string scenario, TemporaryRoot template, ConcurrentBag<string> killedAt) =>
        new Kills<TemporaryRoot>
        {
            Scenario = scenario,
            Make = () =>
            {
                TemporaryRoot root = new();
                TemporaryRoot.CopyTree(template.Path, root.Path);
                return root;
            },
            Arguments = (root, n) => [root.Path, scenario, $"{n}", Kills.Kinds],
            Look = (root, ended, where) => AssertBeforeOrAfterAsync(root, scenario, ended.Finished, where),
            KilledAt = killedAt,
        }.RunAsync();

    private static async Task AssertBeforeOrAfterAsync(TemporaryRoot root, string scenario, bool finished, string where)
    {
        string first = await DescribeAsync(root, where);
        string[] tree = Tree(root.Path);
        string second = await DescribeAsync(root, where + ", opened again");

        string[] allowed = finished ? [_after[scenario]] : [_before[scenario], _after[scenario]];
        Assert.True(allowed.Contains(first, StringComparer.Ordinal), $"{where}: {first}");
        Assert.Equal(first, second);
        Assert.Equal(string.Join('\n', tree), string.Join('\n', Tree(root.Path)));
    }

    /// <summary>Every database, branch and key, in one line. Also asserts that nothing half-done is left.</summary>
    private static async Task<string> DescribeAsync(TemporaryRoot root, string where)
    {
        await using DataRoot opened = await root.OpenAsync();
        Assert.True(opened.Reconciliation.FailedDatabases == 0, where + string.Join('\n',
            opened.Reconciliation.Findings));
        List<string> databases = [];
        foreach (DatabaseName name in opened.ListDatabases())
        {
            Database database = await opened.GetDatabaseAsync(name, default);
            List<string> branches = [];
            foreach (BranchRecord branch in database.ListBranches())
            {
                branches.Add($"{branch.Name}:{await database.ReadAllAsync(branch.Name.Value)}");
            }

            databases.Add($"{name}[{string.Join('|', branches)}]");
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root.Path, "databases", name.Value, "building")));
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root.Path, "databases", name.Value, "trash")));
        }

        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root.Path, "building")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root.Path, "trash")));
        return string.Join(' ', databases);
    }

    private static async Task PrepareAsync(TemporaryRoot root)
    {
        await using DataRoot opened = await root.OpenAsync();
        Database shop = await opened.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("keep");
        await shop.PutAsync("keep", "b", "2");
        await shop.BranchAsync("doomed");
    }

    /// <summary>A root with something of each kind for the start to reconcile.</summary>
    private static async Task PrepareDebrisAsync(TemporaryRoot root, TemporaryRoot template)
    {
        TemporaryRoot.CopyTree(template.Path, root.Path);
        string database = root.DatabasePath;
        string stores = Path.Combine(database, "stores");
        string catalog = Directory.GetFiles(Path.Combine(database, "catalog")).Single();
        byte[] withoutAdopted = await File.ReadAllBytesAsync(catalog);
        string adopted, stale, doomed;
        await using (DataRoot opened = await root.OpenAsync())
        {
            Database shop = await opened.GetDatabaseAsync(TemporaryRoot.Shop, default);
            doomed = shop.GetBranch(BranchName.Parse("doomed")).Id.ToString();
            stale = (await shop.BranchAsync("keep2")).Id.ToString();
            adopted = (await shop.BranchAsync("adopted")).Id.ToString();
        }

        // 'adopted' is published, not recorded; 'stale' claims a name another store has; 'doomed' is half deleted.
        string mark = Path.Combine(stores, stale, "branch.json");
        string text = await File.ReadAllTextAsync(mark);
        await File.WriteAllTextAsync(mark, text.Replace("\"keep2\"", "\"keep\"", StringComparison.Ordinal));
        await File.WriteAllBytesAsync(catalog, [.. withoutAdopted, .. "01234567 {\"torn"u8]);
        Directory.Move(Path.Combine(stores, doomed), Path.Combine(database, "trash", doomed));
        Directory.CreateDirectory(Path.Combine(database, "building", adopted + ".tmp"));
        Directory.CreateDirectory(Path.Combine(root.Path, "building", adopted));
    }

    private static async Task<IReadOnlyList<string>> KillAfterLinesAsync(string root, int count)
    {
        Ended ended = await ChildProcess.RunAsync(ChildProcess.Storage(root, "write"), (child, lines) =>
        {
            lines.RemoveAll(line => line.StartsWith("point", StringComparison.Ordinal));
            if (lines.Count == count)
            {
                child.Kill();
            }
        });
        Assert.True(ended.Exit == 137, ended.ToString());
        return ended.Lines;
    }

    /// <summary>The entries that the data root itself names; not the files of RocksDB, which renews them.</summary>
    private static string[] Tree(string root) =>
        [.. Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(root, path))
            .Where(path => !path.Contains("stores/", StringComparison.Ordinal) || path.Count(c => c == '/') <= 3)
            .Where(path => !path.Contains("quarantine/", StringComparison.Ordinal) || path.Count(c => c == '/') <= 3)
            .Order(StringComparer.Ordinal)];
}
