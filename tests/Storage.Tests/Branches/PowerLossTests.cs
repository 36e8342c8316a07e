namespace Branching.Storage.Tests.Branches;

/// <summary>
/// Loss of power in a model: at each step of an operation the tree is copied and all that was not fsynced is taken
/// back, directory entries too; the root must then open as before or as after the operation, and as after it once it
/// was answered.
/// </summary>
/// <remarks>
/// Of the files that are copied for a branch nothing is durable before it was flushed, of those it shares with its
/// parent only the content. What RocksDB writes into a new main store is taken as durable; the entry of its directory
/// in its parent is not.
/// </remarks>
public sealed class PowerLossTests
{
    private const string Before = "shop[doomed:a=1|main:a=1]";
    private const string Failing = "create-branch-failing";
    private const string OpenAndCreate = "open-torn-catalog-and-create-branch";

    private static readonly Dictionary<string, string> _after = new(StringComparer.Ordinal)
    {
        ["create-branch"] = "shop[doomed:a=1|fresh:a=1|main:a=1]",
        ["delete-branch"] = "shop[main:a=1]",
        ["create-database"] = "other[main:] shop[doomed:a=1|main:a=1]",
        ["drop-database"] = "",
        [Failing] = Before,
        ["close"] = Before,
        ["open"] = Before,
        ["open-torn-catalog"] = Before,
        ["open-two-catalogs"] = Before,
        ["open-trash"] = "shop[main:a=1]",
        [OpenAndCreate] = "shop[doomed:a=1|fresh:a=1|main:a=1]",
    };

    public static TheoryData<string> Operations => [.. _after.Keys];

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Whatever_was_not_flushed_may_be_lost_at_any_step(string operation)
    {
        using TemporaryRoot root = new();
        using TemporaryRoot copies = new();
        PowerLossRecorder recorder = new(root.Path, copies.Path);

        await RecordAsync(operation, root, recorder);

        Assert.InRange(recorder.Copies.Count, 4, 60);
        string after = _after[operation];
        string[] unanswered = operation == Failing ? [Before, _after["create-branch"]] : [Before, after];
        for (int i = 0; i < recorder.Copies.Count; i++)
        {
            (string copy, string step) = recorder.Copies[i];
            string found = await DescribeAsync(copy);
            string[] allowed = i == recorder.Copies.Count - 1 ? [after] : unanswered;
            Assert.True(allowed.Contains(found, StringComparer.Ordinal), $"before {step}: '{found}'");
            Assert.Equal(found, await DescribeAsync(copy));
        }
    }

    private static async Task RecordAsync(string operation, TemporaryRoot root, PowerLossRecorder recorder)
    {
        bool failing = false;
        Disk disk = new()
        {
            BeforeStep = step =>
            {
                recorder.Before(step);
                if (failing && step.Kind == DiskStepKind.AppendFile)
                {
                    failing = false;
                    throw new IOException("injected", 5);
                }
            },
        };
        await PrepareAsync(root, operation);
        if (operation.StartsWith("open", StringComparison.Ordinal))
        {
            recorder.Start();
        }

        DataRoot opened = await root.OpenAsync(disk);
        if (operation.StartsWith("open", StringComparison.Ordinal))
        {
            if (operation == OpenAndCreate)
            {
                await (await opened.GetDatabaseAsync(TemporaryRoot.Shop, default)).BranchAsync("fresh");
            }

            recorder.Stop();
        }
        else if (operation != "close")
        {
            Database shop = await opened.GetDatabaseAsync(TemporaryRoot.Shop, default);
            recorder.Start();
            failing = operation == Failing;
            await RunAsync(operation, opened, shop);
            recorder.Stop();
        }
        else
        {
            recorder.Start();
        }

        await opened.DisposeAsync();
        if (operation == "close")
        {
            recorder.Stop();
        }
    }

    private static Task RunAsync(string operation, DataRoot root, Database shop) => operation switch
    {
        "create-branch" => shop.BranchAsync("fresh"),
        "delete-branch" => shop.DeleteBranchAsync(BranchName.Parse("doomed"), default),
        "create-database" => root.CreateDatabaseAsync(DatabaseName.Parse("other"), "tests", default),
        "drop-database" => root.DropDatabaseAsync(TemporaryRoot.Shop, default),
        Failing => Assert.ThrowsAsync<StorageException>(() => shop.BranchAsync("fresh")),
        _ => throw new ArgumentException($"No operation '{operation}'.", nameof(operation)),
    };

    private static async Task PrepareAsync(TemporaryRoot root, string operation)
    {
        string doomed;
        await using (DataRoot opened = await root.OpenAsync())
        {
            Database shop = await opened.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
            doomed = (await shop.BranchAsync("doomed")).Id.ToString();
        }

        string catalog = Assert.Single(Directory.GetFiles(Path.Combine(root.DatabasePath, "catalog")));
        switch (operation)
        {
            case "open-torn-catalog" or OpenAndCreate:
                await File.AppendAllTextAsync(catalog, "01234567 {\"torn");
                break;
            case "open-two-catalogs":
                // A crash between the new generation and the deletion of the old one.
                File.Copy(catalog, Path.Combine(Path.GetDirectoryName(catalog)!, $"{0:D20}.log"));
                break;
            case "open-trash":
                // A crash between the commit point of a deletion and its record.
                string trash = Path.Combine(root.DatabasePath, "trash", doomed);
                Directory.Move(Path.Combine(root.DatabasePath, "stores", doomed), trash);
                break;
            default:
                break;
        }
    }

    /// <summary>Every database, branch and key, in one line.</summary>
    private static async Task<string> DescribeAsync(string path)
    {
        await using DataRoot root = await DataRoot.OpenAsync(TemporaryRoot.OptionsFor(path));
        Assert.DoesNotContain(
            root.Reconciliation.Findings, finding => finding.Contains("rebuilt", StringComparison.Ordinal));
        List<string> databases = [];
        foreach (DatabaseName name in root.ListDatabases())
        {
            Database database = await root.GetDatabaseAsync(name, default);
            List<string> branches = [];
            foreach (BranchRecord branch in database.ListBranches())
            {
                branches.Add($"{branch.Name}:{await database.ReadAllAsync(branch.Name.Value)}");
            }

            databases.Add($"{name}[{string.Join('|', branches)}]");
        }

        return string.Join(' ', databases);
    }
}
