using System.Security.Cryptography;
using System.Text.Json;
using Branching.Grains;

namespace Branching.ClientApp.Tests;

/// <summary>Commands of machines that come to shared storage, and of those that only look at it.</summary>
public sealed class SharedStorageCommandTests : CliTest
{
    private string Shared => Path.Combine(Scratch, "shared");

    [Fact]
    public async Task A_new_machine_lists_and_serves_what_shared_storage_has()
    {
        await ShareAsync("create", "shop");
        await ShareAsync("put", "shop", "apple", "3");
        await ShareAsync("snapshot", "take", "shop");
        Directory.Delete(Data, recursive: true);

        JsonElement listed = (await ShareAsync("databases", "--json")).Json;
        Directory.Delete(Data, recursive: true);
        CliResult got = await ShareAsync("get", "shop", "apple");

        Assert.Equal("shop", Assert.Single(listed.EnumerateArray()).GetProperty("name").GetString());
        Assert.Equal("at rest", listed[0].GetProperty("state").GetString());
        Assert.Equal("3", got.Output.Trim());
    }

    [Fact]
    public async Task A_database_that_nobody_can_serve_is_dropped_and_its_name_is_free()
    {
        await ShareAsync("create", "shop");
        Directory.Delete(Data, recursive: true);

        CliResult unasked = await RunSharedAsync("drop", "shop");
        CliResult dropped = await ShareAsync("drop", "shop", "--yes");

        Assert.Equal(ExitCode.Refused, unasked.ExitCode);
        Assert.Contains("which cannot be served", unasked.Error, StringComparison.Ordinal);
        Assert.Equal("dropped database shop", dropped.Output.Trim());
        await ShareAsync("create", "shop");
    }

    [Fact]
    public async Task A_database_is_not_dropped_while_its_owner_lives_elsewhere()
    {
        await ShareAsync("create", "shop");
        await using (ISession owner = await Sessions.ConnectAsync(
            new SessionTarget(Data, null, Shared), CancellationToken.None))
        {
            await owner.Grains.GetDatabase("shop").DescribeAsync();

            CliResult refused = await RunAsync(
                "drop", "shop", "--yes", "--shared-storage", Shared, "--data", Path.Combine(Scratch, "other"));

            Assert.NotEqual(ExitCode.Ok, refused.ExitCode);
            await owner.Grains.GetDatabase("shop").DescribeAsync();
        }

        await ShareAsync("put", "shop", "apple", "3");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_database_whose_main_store_is_damaged_is_dropped(bool isShared)
    {
        string[] more = isShared ? ["--shared-storage", Shared] : [];
        await SucceedAsync(["create", "shop", .. more]);
        await SucceedAsync(["put", "shop", "apple", "3", .. more]);
        string current = Assert.Single(Directory.GetFiles(
            Path.Combine(Data, "databases", "shop", "stores"), "CURRENT", SearchOption.AllDirectories));
        await File.WriteAllTextAsync(current, "nothing");

        CliResult get = await RunAsync(["get", "shop", "apple", .. more]);
        CliResult dropped = await SucceedAsync(["drop", "shop", "--yes", .. more]);

        Assert.Equal(ExitCode.Failed, get.ExitCode);
        Assert.Equal("dropped database shop", dropped.Output.Trim());
        await SucceedAsync(["create", "shop", .. more]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Looking_puts_no_database_on_shared_storage(bool othersUseIt)
    {
        if (othersUseIt)
        {
            await SucceedAsync(
                "create", "theirs", "--shared-storage", Shared, "--data", Path.Combine(Scratch, "other"));
        }

        await SucceedAsync("create", "shop");
        await SucceedAsync("put", "shop", "apple", "3");
        Dictionary<string, string> before = Files();

        JsonElement listed = (await ShareAsync("databases", "--json")).Json;
        CliResult garbage = await RunSharedAsync("gc", "shop", "--dry-run");
        CliResult restore = await RunSharedAsync("snapshot", "restore", "shop", "--replace", "--dry-run");

        JsonElement shop = listed.EnumerateArray().Single(one => one.GetProperty("name").GetString() == "shop");
        Assert.Equal("serving", shop.GetProperty("state").GetString());
        Assert.Equal(1, shop.GetProperty("sequence").GetInt32());
        Assert.Equal(othersUseIt ? 2 : 1, listed.GetArrayLength());
        Assert.Equal(ExitCode.Precondition, garbage.ExitCode);
        Assert.Contains("not on shared storage", garbage.Error, StringComparison.Ordinal);
        Assert.Contains("not on shared storage", restore.Error, StringComparison.Ordinal);
        Assert.Equal(before, Files());
        Assert.Equal("3", (await SucceedAsync("get", "shop", "apple")).Output.Trim());
    }

    /// <summary>Every file with its digest; opening a store is RocksDB's own affair, with or without shared storage.
    /// </summary>
    private Dictionary<string, string> Files() => Directory.EnumerateFiles(Scratch, "*", SearchOption.AllDirectories)
        .Where(file => !file.StartsWith(
            Path.Combine(Data, "databases", "shop", "stores") + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        .ToDictionary(file => file, file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));

    private Task<CliResult> ShareAsync(params string[] arguments)
        => SucceedAsync([.. arguments, "--shared-storage", Shared]);

    private Task<CliResult> RunSharedAsync(params string[] arguments)
        => RunAsync([.. arguments, "--shared-storage", Shared]);
}
