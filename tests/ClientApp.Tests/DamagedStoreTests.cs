using System.Text.Json;
using Branching.ClientApp.Tests.Documents;

namespace Branching.ClientApp.Tests;

/// <summary>What the command line can do about a store or snapshot that is not what was written.</summary>
public sealed class DamagedStoreTests : CliTest
{
    private string Shared => Path.Combine(Scratch, "shared");

    private string Stores => Path.Combine(Data, "databases", "shop", "stores");

    [Fact]
    public async Task A_damaged_local_copy_is_restored_by_following_the_advice()
    {
        await SnapshotShopAsync();
        Damage(Stores);

        CliResult refused = await RunSharedAsync("get", "shop", "apple");
        CliResult restored = await RunSharedAsync("get", "shop", "apple", "--dirty-store", "restore-snapshot");

        Assert.Equal(ExitCode.Failed, refused.ExitCode);
        Assert.Contains("Branching:SharedStorage:DirtyStore", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--dirty-store restore-snapshot", refused.Error, StringComparison.Ordinal);
        Assert.True(restored.ExitCode == 0, restored.Error);
        Assert.Equal("3", restored.Output.Trim());
        Assert.Equal("3", (await ShareAsync("get", "shop", "apple")).Output.Trim());
        Assert.Single(Directory.GetDirectories(Path.Combine(Data, "quarantine")));
    }

    [Fact]
    public async Task A_setting_of_the_environment_counts_and_the_option_goes_before_it()
    {
        await SnapshotShopAsync();
        Damage(Stores);
        Dictionary<string, string> environment = new(StringComparer.Ordinal)
        {
            ["Branching__SharedStorage__DirtyStore"] = "RestoreSnapshot",
            ["Branching__SharedStorage__Directory"] = Shared,
        };

        CliResult careful = await RunWithAsync(environment, "get", "shop", "apple", "--dirty-store", "fail");
        CliResult nodes = await RunWithAsync(environment, "cluster", "nodes");
        CliResult restored = await RunWithAsync(environment, "get", "shop", "apple");

        Assert.Equal(ExitCode.Failed, careful.ExitCode);
        Assert.Contains("restore-snapshot", nodes.Output, StringComparison.Ordinal);
        Assert.Equal("3", restored.Output.Trim());
    }

    [Theory]
    [InlineData("Branching__SharedStorage__DirtyShop", "Fresh", "Branching:SharedStorage:DirtyShop")]
    [InlineData("BRANCHING__SHAREDSTORAGE__DIRTYSTORE", "Maybe", "Maybe")]
    public async Task A_setting_of_the_environment_that_there_is_not_is_told(string name, string value, string told)
    {
        Dictionary<string, string> environment = new(StringComparer.Ordinal) { [name] = value };

        CliResult result = await RunWithAsync(environment, "create", "shop");

        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains(told, result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Data));
    }

    [Fact]
    public async Task A_damaged_branch_is_restored_in_its_place_without_a_snapshot_of_it()
    {
        await ShareAsync("create", "shop");
        string[] main = Directory.GetDirectories(Stores);
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("branch", "create", "shop", "topic");
        await ShareAsync("snapshot", "take", "shop");
        string topic = Directory.GetDirectories(Stores).Except(main, StringComparer.Ordinal).Single();
        await File.WriteAllTextAsync(Path.Combine(topic, "CURRENT"), "nothing\n");

        CliResult broken = await RunSharedAsync("get", "shop", "apple", "--branch", "topic");
        CliResult restored = await RunSharedAsync("snapshot", "restore", "shop", "topic", "--replace", "--yes");

        Assert.Equal(ExitCode.Failed, broken.ExitCode);
        Assert.True(restored.ExitCode == 0, restored.Error);
        Assert.Contains(
            "no snapshot of that store was taken before, since it cannot be opened: ", restored.Output,
            StringComparison.Ordinal);
        Assert.Equal("3", (await ShareAsync("get", "shop", "apple", "--branch", "topic")).Output.Trim());
        string quarantined = Directory.GetDirectories(
            Path.Combine(Data, "databases", "shop", "quarantine"), Path.GetFileName(topic), SearchOption.AllDirectories)
            .Single();
        Assert.True(File.Exists(Path.Combine(quarantined, "CURRENT")));
    }

    [Fact]
    public async Task A_damaged_newest_snapshot_is_seen_and_an_earlier_one_is_restored_when_that_is_accepted()
    {
        await SnapshotShopAsync();
        await ShareAsync("put", "shop", "apple", "4");
        await ShareAsync("snapshot", "take", "shop");
        await LoseNewestManifestAsync();

        CliResult refused = await RunSharedAsync("get", "shop", "apple");
        JsonElement listed = (await ShareAsync("snapshot", "list", "shop", "--json")).Json;
        JsonElement whole = (await ShareAsync("snapshot", "verify", "shop", "main", "--json")).Json;
        CliResult taken = await ShareAsync("get", "shop", "apple", "--accept-older-snapshots");

        Assert.Equal(ExitCode.Failed, refused.ExitCode);
        Assert.Contains("Branching:SharedStorage:AcceptOlderSnapshots", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--accept-older-snapshots", refused.Error, StringComparison.Ordinal);
        Assert.Equal(
            [JsonValueKind.String, JsonValueKind.Null],
            listed.EnumerateArray().Select(one => one.GetProperty("problem").ValueKind));
        Assert.True(whole.GetProperty("good").GetBoolean());
        Assert.Equal("3", taken.Output.Trim());
        string used = whole.GetProperty("snapshot").GetString()!;
        Assert.Contains(
            $"is damaged and was skipped, the earlier {used} at sequence 1 is used", taken.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_whose_shared_storage_is_gone_goes_on_without_it_or_on_another_as_the_messages_say()
    {
        await SnapshotShopAsync();
        Directory.Delete(Shared, recursive: true);
        Dictionary<string, string> environment = new(StringComparer.Ordinal);

        CliResult alone = await RunAsync("get", "shop", "apple");
        CliResult detached = await RunWithAsync(Setting("ServeDetached"), "get", "shop", "apple");
        CliResult other = await MoveAsync();
        environment["Branching__SharedStorage__AcceptOther"] = "true";
        CliResult unknown = await MoveAsync();
        environment["Branching__SharedStorage__AcceptUnknown"] = "true";
        CliResult moved = await MoveAsync();

        Assert.Contains("Branching__SharedStorage__ServeDetached=true", alone.Error, StringComparison.Ordinal);
        Assert.Equal("3", detached.Output.Trim());
        Assert.Contains("Branching__SharedStorage__AcceptOther=true", other.Error, StringComparison.Ordinal);
        Assert.Contains("Branching__SharedStorage__AcceptUnknown=true", unknown.Error, StringComparison.Ordinal);
        Assert.Equal("3", moved.Output.Trim());
        Assert.Equal("3", (await ShareAsync("get", "shop", "apple")).Output.Trim());

        Task<CliResult> MoveAsync() => RunWithAsync(environment, "get", "shop", "apple", "--shared-storage", Shared);
    }

    [Fact]
    public async Task A_damaged_main_store_hides_no_branch_and_is_shown_with_what_is_wrong()
    {
        await SucceedAsync("create", "shop");
        string[] main = Directory.GetDirectories(Stores);
        await SucceedAsync("put", "shop", "apple", "3");
        await SucceedAsync("branch", "create", "shop", "topic");
        await File.WriteAllTextAsync(Path.Combine(main.Single(), "CURRENT"), "nothing\n");

        CliResult listed = await SucceedAsync("branch", "list", "shop");
        JsonElement shown = (await SucceedAsync("branch", "show", "shop", "main", "--json")).Json;
        CliResult topic = await SucceedAsync("branch", "show", "shop", "topic");
        CliResult stats = await SucceedAsync("stats", "shop", "--branch", "topic");
        CliResult health = await RunAsync("health", "shop");
        JsonElement database = (await SucceedAsync("databases", "--json")).Json[0];

        Assert.Contains(" damaged ", listed.Output, StringComparison.Ordinal);
        Assert.Contains("main: ", listed.Error, StringComparison.Ordinal);
        Assert.Equal("damaged", shown.GetProperty("state").GetString());
        Assert.Contains("CURRENT", shown.GetProperty("problem").GetString(), StringComparison.Ordinal);
        Assert.Contains("ready", topic.Output, StringComparison.Ordinal);
        Assert.Contains("topic", stats.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, health.ExitCode);
        Assert.Contains("damaged", health.Output, StringComparison.Ordinal);
        Assert.Contains("CURRENT", health.Output, StringComparison.Ordinal);
        Assert.Contains(
            "its main store is damaged", database.GetProperty("problem").GetString(), StringComparison.Ordinal);
    }

    [MountFact]
    public async Task Snapshots_on_a_read_only_mount_are_listed_verified_and_restored_as_the_hint_says()
    {
        await SnapshotShopAsync();
        Assert.True(ErrorScenes.Run("mount", "--bind", Shared, Shared));
        try
        {
            Assert.True(ErrorScenes.Run("mount", "-o", "remount,bind,ro", Shared));

            CliResult refused = await RunSharedAsync("get", "shop", "apple");
            JsonElement listed = (await ShareAsync("snapshot", "list", "shop", "--json")).Json;
            CliResult verified = await ShareAsync("snapshot", "verify", "shop", "main", "--open");
            CliResult shown = await ShareAsync("snapshot", "show", "shop", "main");
            await SucceedAsync("snapshot", "restore", "shop", "--from", Shared, "--into-database", "again");

            Assert.Equal(ExitCode.Failed, refused.ExitCode);
            Assert.Contains($"on shared storage '{Shared}'", refused.Error, StringComparison.Ordinal);
            Assert.Contains(
                $"snapshot restore shop --from {Shared} --into-database NAME", refused.Error,
                StringComparison.Ordinal);
            Assert.Equal(1, listed.GetArrayLength());
            Assert.Contains("is whole", verified.Output, StringComparison.Ordinal);
            Assert.Contains("main", shown.Output, StringComparison.Ordinal);
            Assert.Equal("3", (await SucceedAsync("get", "again", "apple")).Output.Trim());
        }
        finally
        {
            Assert.True(ErrorScenes.Run("umount", Shared));
        }
    }

    private static Dictionary<string, string> Setting(string name) => new(StringComparer.Ordinal)
    {
        [$"Branching__SharedStorage__{name}"] = "true",
    };

    private async Task LoseNewestManifestAsync()
    {
        Directory.Delete(Data, recursive: true);
        Directory.CreateDirectory(Data);
        string newest = Directory.GetFiles(Shared, "*.json", SearchOption.AllDirectories)
            .Where(file => file.Contains("/snapshots/", StringComparison.Ordinal))
            .MaxBy(Path.GetFileName, StringComparer.Ordinal)!;
        await File.WriteAllTextAsync(newest, "{");
    }

    private static void Damage(string stores)
    {
        foreach (string store in Directory.GetDirectories(stores))
        {
            File.WriteAllText(Path.Combine(store, "CURRENT"), "nothing\n");
        }
    }

    private async Task SnapshotShopAsync()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("snapshot", "take", "shop");
    }

    private Task<CliResult> ShareAsync(params string[] arguments)
        => SucceedAsync([.. arguments, "--shared-storage", Shared]);

    private Task<CliResult> RunSharedAsync(params string[] arguments)
        => RunAsync([.. arguments, "--shared-storage", Shared]);

    private Task<CliResult> RunWithAsync(IReadOnlyDictionary<string, string> settings, params string[] arguments)
        => Cli.RunAsync([], [.. arguments, "--data", Data], settings: settings);
}
