using System.Diagnostics;
using Branching.Silo;
using Branching.Storage;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>What is the case when a row of docs/errors.md happens.</summary>
internal static class ErrorScenes
{
    private const string Root = GlobalOptions.DefaultDataRoot;

    private const string Shared = "shared";

    private static readonly string _shop = Path.Combine(Root, "databases", "shop");

    private static readonly Dictionary<string, Func<Task<IAsyncDisposable?>>> _scenes = new(StringComparer.Ordinal)
    {
        ["another process holds the data directory"] = async () =>
            await Sessions.ConnectAsync(new SessionTarget(Root, null), CancellationToken.None),
        ["the data directory was written by a newer version"] = () => Rewrite(
            Path.Combine(Root, "root.json"), text => text.Replace("1", "99", StringComparison.Ordinal)),
        ["a database was written by a newer version"] = () => Rewrite(
            Path.Combine(_shop, "database.json"), text => WithFormat(text, 99)),
        ["a database was written by a version that is no longer read"] = () => Rewrite(
            Path.Combine(_shop, "database.json"), text => WithFormat(text, 0)),
        ["the catalog of a database is damaged"] = () => Rewrite(
            Directory.GetFiles(Path.Combine(_shop, "catalog")).Single(), text => "x" + text),
        ["a database's own file is damaged"] = () => Rewrite(Path.Combine(_shop, "database.json"), text => text[..9]),
        ["the directory is a RocksDB store"] = () => Rewrite(Path.Combine("foreign", "CURRENT"), _ => "MANIFEST-1\n"),
        ["a database's own file is missing"] = () => Remove(Path.Combine(_shop, "database.json")),
        ["the directory of a branch is missing"] = () => Remove(StoreOf("taken")),
        ["a snapshot that was never taken, or is deleted"] = () => RunAsync("snapshot take shop"),
        ["a manifest is not what was written"] = async () =>
        {
            await RunAsync("snapshot take shop");
            string manifest = Directory.GetFiles(
                Shared, "*.json", SearchOption.AllDirectories).First(file => file.Contains(
                    $"{Path.DirectorySeparatorChar}snapshots{Path.DirectorySeparatorChar}", StringComparison.Ordinal));
            string store = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(manifest))!, new string('0', 32));
            Directory.CreateDirectory(store);
            await File.WriteAllTextAsync(Path.Combine(store, Path.GetFileName(manifest)), "no manifest");
            return null;
        },
        ["a file of a snapshot is not what was written"] = async () =>
        {
            await RunAsync("snapshot take shop");
            string objects = $"{Path.DirectorySeparatorChar}objects{Path.DirectorySeparatorChar}";
            foreach (string file in Directory.GetFiles(Shared, "*", SearchOption.AllDirectories).Where(
                file => file.Contains(objects, StringComparison.Ordinal)))
            {
                await File.AppendAllTextAsync(file, "x");
            }

            return null;
        },
        ["a pinned snapshot is deleted"] = () => RunAsync(
            "snapshot take shop", "snapshot pin shop main --reason release"),
        ["the node of a database was lost before its first snapshot"] = async () =>
        {
            await RunAsync("create fresh --data other");
            Directory.Delete("other", recursive: true);
            Directory.CreateDirectory("other");
            return null;
        },
        ["the node of a branch was lost before the branch's first snapshot"] = async () =>
        {
            await RunAsync("snapshot take shop", "branch create shop late");
            Directory.Delete(Root, recursive: true);
            Directory.CreateDirectory(Root);
            return null;
        },
        ["the last snapshot of a branch is deleted"] = () => RunAsync("snapshot take shop"),
        ["a database of shared storage is opened without it"] = () => RunAsync("snapshot take shop"),
        ["changes are asked for from before their log began"] = () => RunHereAsync("changes enable shop"),
        ["a position in a change log is malformed"] = () => RunHereAsync("changes enable shop"),
        ["a consumer of a change log that is not there"] = () => RunHereAsync("changes enable shop"),
        ["the mark of a branch is missing"] = () => Remove(Path.Combine(StoreOf("taken"), "branch.json")),
    };

    private static readonly Dictionary<string, Action<StorageOptions>> _options = new(StringComparer.Ordinal)
    {
        ["a database has all the branches it may have"] = options => options.MaxBranchesPerDatabase = 2,
        ["a branch would be too far from the main store"] = options => options.MaxBranchDepth = 1,
    };

    /// <summary>A database <c>shop</c> with <c>apple</c> and the branch <c>taken</c>, and files to import.</summary>
    public static async Task PrepareAsync()
    {
        Directory.CreateDirectory("foreign");
        await File.WriteAllBytesAsync("big.bin", new byte[5_000_000]);
        await File.WriteAllTextAsync("products.csv", "sku,price\nplum,4\npear,5\n");
        await File.WriteAllTextAsync("bad.csv", "sku,price\napple,3\npear\n");
        var shell = new DocumentShell();
        string[] commands = ["create shop", "put shop apple 3", "branch create shop taken"];
        foreach (string command in commands)
        {
            (int exitCode, string shown) = await shell.RunAsync("branching " + command);
            Assert.True(exitCode == 0, shown);
        }
    }

    /// <summary>Makes it so.</summary>
    /// <returns>What must end afterwards; null for nothing.</returns>
    public static Task<IAsyncDisposable?> EnterAsync(string when)
        => _scenes.TryGetValue(when, out Func<Task<IAsyncDisposable?>>? scene)
            ? scene()
            : Task.FromResult<IAsyncDisposable?>(null);

    /// <summary>How a session is opened in this case.</summary>
    public static Func<SessionTarget, CancellationToken, Task<ISession>>? ConnectionFor(string when)
        => _options.TryGetValue(when, out Action<StorageOptions>? configure)
            ? async (target, cancellationToken) => new NodeSession(
                await EmbeddedNode.StartAsync(target.DataRoot, configure, ct: cancellationToken))
            : null;

    /// <summary>Whether a small file system of our own can be mounted here; else why not.</summary>
    public static string? WhyNoMount()
    {
        string directory = Directory.CreateTempSubdirectory("branching-mount-").FullName;
        try
        {
            return Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory) && Run("umount", directory)
                ? null
                : "this user may not mount a tmpfs";
        }
        finally
        {
            Directory.Delete(directory);
        }
    }

    /// <summary>Runs a program; false when it is missing or fails.</summary>
    public static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
            })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false; // Not installed; the caller skips and says so.
        }
    }

    private static string WithFormat(string text, int format)
        => text.Replace("\"format\":1", $"\"format\":{format}", StringComparison.Ordinal);

    private static string StoreOf(string branch)
        => Directory.GetDirectories(Path.Combine(_shop, "stores")).Single(
            store => File.ReadAllText(Path.Combine(store, "branch.json"))
                .Contains($"\"name\":\"{branch}\"", StringComparison.Ordinal));

    /// <summary>Runs commands on shared storage.</summary>
    private static async Task<IAsyncDisposable?> RunAsync(params string[] commands)
    {
        foreach (string command in commands)
        {
            (int exitCode, string shown) = await new DocumentShell().RunAsync(
                $"branching {command} --shared-storage {Shared}");
            Assert.True(exitCode == 0, shown);
        }

        return null;
    }

    private static async Task<IAsyncDisposable?> RunHereAsync(string command)
    {
        (int exitCode, string shown) = await new DocumentShell().RunAsync("branching " + command);
        Assert.True(exitCode == 0, shown);
        return null;
    }

    private static Task<IAsyncDisposable?> Rewrite(string file, Func<string, string> change)
    {
        string before = File.Exists(file) ? File.ReadAllText(file) : "";
        string after = change(before);
        Assert.NotEqual(before, after);
        File.WriteAllText(file, after);
        return Task.FromResult<IAsyncDisposable?>(null);
    }

    private static Task<IAsyncDisposable?> Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else
        {
            Assert.True(File.Exists(path), path);
            File.Delete(path);
        }

        return Task.FromResult<IAsyncDisposable?>(null);
    }

    private sealed class NodeSession(EmbeddedNode node) : ISession
    {
        public IGrainFactory Grains => node.Grains;

        public ValueTask DisposeAsync() => node.DisposeAsync();
    }
}
