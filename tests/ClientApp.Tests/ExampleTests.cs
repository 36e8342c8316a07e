using System.CommandLine;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Tests.Documents;
using Branching.Grains;
using Branching.Silo;

namespace Branching.ClientApp.Tests;

/// <summary>Every example of every command's help is run to the letter, where what it names is there.</summary>
[Collection(WorkingDirectoryTests.Name)]
public sealed class ExampleTests(ExampleScene scene) : IClassFixture<ExampleScene>
{
    // What runs elsewhere or needs more than a directory.
    private static readonly string[] _notHere =
    [
        "demo", // DemoTests runs it.
        "serve", // ServerTests and ClusterProcessTests do; it needs Orleans.
    ];

    // Other programs that an example pipes into.
    private static readonly string[] _others = ["jq", "gzip", "zcat"];

    // Nobody can be asked here, so what asks refuses.
    private static readonly string[] _asking =
    [
        "drop", "branch delete", "snapshot delete", "gc", "cluster drain", "quarantine delete", "column drop",
        "column clear",
    ];

    public static TheoryData<string> Commands =>
        [.. All().Where(command => !_notHere.Contains(command.Name, StringComparer.Ordinal)).Select(Path)];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task The_examples_of_a_command_run(string command)
    {
        foreach (string example in ((ExampledCommand)All().Single(one => Path(one) == command)).Examples)
        {
            using var directory = new WorkingDirectory();
            if (command != "create")
            {
                scene.CopyTo(directory.FullPath);
            }

            string line = string.Join(" | ", example.Split(" | ").Where(
                stage => !_others.Contains(stage.Split(' ')[0], StringComparer.Ordinal)));
            line = line.Replace("/srv/", "srv/", StringComparison.Ordinal);
            string[] words = line.Split(' ');
            bool asks = _asking.Contains(command, StringComparer.Ordinal)
                && !words.Contains("--yes", StringComparer.Ordinal)
                && !words.Contains("--dry-run", StringComparer.Ordinal);
            await using EmbeddedClusterNodes? nodes = words is ["branching", "cluster", ..]
                ? await ExampleScene.StartNodesAsync(directory.FullPath)
                : null;
            var shell = new DocumentShell(
                nodes is null ? null : (_, _) => Task.FromResult<ISession>(new NodesSession(nodes)),
                name => name == GlobalOptions.SharedStorageVariable ? ExampleScene.Shared : null);

            if (words is ["branching", "branch", "create", "shop", "topic" or "review", ..])
            {
                await shell.RunAsync($"branching branch delete shop {words[4]} --yes");
            }

            (int exitCode, string shown) = await shell.RunAsync(line);

            Assert.True((asks ? ExitCode.Refused : ExitCode.Ok) == exitCode, $"{line} exits with {exitCode}: {shown}");
        }
    }

    private static IEnumerable<Command> All()
    {
        using var host = new CommandHost { Input = Stream.Null, Output = Stream.Null, Error = TextWriter.Null };
        return [.. Below(CommandLine.CreateRoot(host))];
    }

    private static IEnumerable<Command> Below(Command command)
        => command.Subcommands.Where(child => !child.Hidden).SelectMany(child => Below(child).Prepend(child));

    private static string Path(Command command)
        => string.Join(' ', command.Parents.OfType<Command>().Where(parent => parent is not RootCommand)
            .Select(parent => parent.Name).Append(command.Name));

    private sealed class NodesSession(EmbeddedClusterNodes nodes) : ISession
    {
        public IGrainFactory Grains => nodes.Grains;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>What the examples speak of, made once and copied for each of them.</summary>
public sealed class ExampleScene : IAsyncLifetime
{
    internal const string Shared = "./shared";

    private const int TryAgain = 6; // docs/cli.md: exit codes.

    private readonly string _directory = Directory.CreateTempSubdirectory("branching-examples-").FullName;

    public async Task InitializeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "products.csv"), "sku,name,price\nA-1,Apple,3\n");
        await File.WriteAllTextAsync(Path.Combine(_directory, "users.ndjson"), "{\"id\":\"u1\",\"name\":\"Ada\"}\n");
        await File.WriteAllTextAsync(Path.Combine(_directory, "photo.jpg"), "not really one");
        await File.WriteAllTextAsync(Path.Combine(_directory, "dump.tsv"), "apple\t3\n");
        string[] commands =
        [
            "create shop", "changes enable shop", "changes consumers shop --create indexer",
            "column create shop users", "put shop apple 3", "put shop user/1 Ada", "put shop photo x",
            "column create shop counters --merge add", "column create shop sessions --expires",
            "put shop visits 7 --column-family counters", "put shop s1 Ada --column-family sessions --ttl 1h",
            "branch create shop topic", "branch create shop review", "snapshot take shop --verify",
            "backup create shop", "backup create shop",
            $"backup export shop --output {Path.Combine(_directory, "backup.tar")}",
        ];
        foreach (string command in commands)
        {
            CliResult result = await RunAsync(command);
            for (int attempt = 1; attempt < 20 && result.ExitCode == TryAgain; attempt++)
            {
                // On a slow machine the schedule takes a snapshot meanwhile.
                await Task.Delay(TimeSpan.FromSeconds(1));
                result = await RunAsync(command);
            }

            Assert.True(result.ExitCode == 0, $"{command}: {result.Error}");
        }

        await SetAsideAsync("20261122T101500Z-1b2c3d4e");
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_directory, recursive: true);
        return Task.CompletedTask;
    }

    /// <summary>Something that a start set aside.</summary>
    private async Task SetAsideAsync(string id)
    {
        string place = Path.Combine(_directory, "branching-data", "databases", "shop", "quarantine", id);
        Directory.CreateDirectory(Path.Combine(place, "notes"));
        await File.WriteAllTextAsync(Path.Combine(place, "notes", "text"), "x");
        await File.WriteAllTextAsync(
            Path.Combine(place, "reason.json"),
            """{"from":"building/notes","reason":"not named as ours","at":"2026-11-22T10:15:00+00:00"}""");
    }

    private Task<CliResult> RunAsync(string command) => Cli.RunAsync(
        [],
        [
            .. command.Split(' '), "--data", Path.Combine(_directory, "branching-data"),
            "--shared-storage", Path.Combine(_directory, "shared"),
            "--backups", Path.Combine(_directory, "backups"),
        ]);

    internal void CopyTo(string target)
    {
        foreach (string path in Directory.EnumerateFiles(_directory, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(target, Path.GetRelativePath(_directory, path));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(path, copy);
        }
    }

    /// <summary>Three nodes over the scene's shared storage; the first one has the scene's data root.</summary>
    internal static async Task<EmbeddedClusterNodes> StartNodesAsync(string directory)
    {
        Directory.Move(Path.Combine(directory, GlobalOptions.DefaultDataRoot), Path.Combine(directory, "node-a"));
        Directory.CreateDirectory(Path.Combine(directory, GlobalOptions.DefaultDataRoot));
        EmbeddedClusterNodes nodes = await EmbeddedClusterNodes.StartAsync(directory, ["node-a", "node-b", "node-c"]);
        await nodes.Grains.GetDatabase("shop").DescribeAsync();
        return nodes;
    }
}
