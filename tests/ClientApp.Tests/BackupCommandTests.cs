using System.Text.Json;

namespace Branching.ClientApp.Tests;

public sealed class BackupCommandTests : CliTest
{
    private string Place => Path.Combine(Scratch, "backups");

    [Fact]
    public async Task A_branch_comes_back_from_a_backup_and_a_directory_is_a_store()
    {
        await KeepAsync("create", "shop");
        await KeepAsync("put", "shop", "apple", "3");
        JsonElement made = (await KeepAsync(
            "backup", "create", "shop", "--label", "before", "--metadata", "ticket=7", "--json")).Json;
        await KeepAsync("put", "shop", "apple", "4");
        await KeepAsync("backup", "create", "shop");

        await KeepAsync("backup", "restore", "shop", "1", "--into-branch", "yesterday");
        CliResult taken = await RunKeptAsync("backup", "restore", "shop", "1", "--into-branch", "yesterday");
        await KeepAsync("backup", "restore", "shop", "2", "--into-branch", "yesterday", "--replace", "--yes");
        string restored = Path.Combine(Scratch, "restored");
        await KeepAsync("backup", "restore", "shop", "1", "--to", restored);
        JsonElement compared = (await KeepAsync(
            "backup", "restore", "shop", "1", "--to", restored, "--verify-only", "--json")).Json;
        CliResult refused = await RunKeptAsync("backup", "restore", "shop", "1", "--to", restored);

        Assert.Equal(1, made.GetProperty("backup").GetProperty("backup").GetInt32());
        Assert.Equal("7", made.GetProperty("backup").GetProperty("metadata").GetProperty("ticket").GetString());
        Assert.Equal(ExitCode.Precondition, taken.ExitCode);
        Assert.Equal("4", (await KeepAsync("get", "shop", "apple", "--branch", "yesterday")).Output.Trim());
        Assert.True(File.Exists(Path.Combine(restored, "CURRENT")));
        Assert.Equal(0, compared.GetProperty("findings").GetArrayLength());
        Assert.Equal(ExitCode.Precondition, refused.ExitCode);
        Assert.Contains("is not empty", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_backup_is_shown_and_found_and_purging_asks()
    {
        await KeepAsync("create", "shop");
        for (int i = 0; i < 3; i++)
        {
            await KeepAsync("put", "shop", "apple", $"{i}");
            await KeepAsync("backup", "create", "shop", "--flush");
        }

        string manifest = Directory.GetFiles(
            Path.Combine(Place, "databases", "shop", "backups")).Order(StringComparer.Ordinal).First();
        await File.AppendAllTextAsync(manifest, " ");

        CliResult listed = await KeepAsync("backup", "list", "shop");
        CliResult verified = await RunKeptAsync("backup", "verify", "shop", "1");
        CliResult asked = await RunKeptAsync("backup", "purge", "shop", "--keep", "1");
        JsonElement purged = (await KeepAsync("backup", "purge", "shop", "--keep", "1", "--yes", "--json")).Json;
        await KeepAsync("backup", "delete", "shop", "1", "--yes");
        JsonElement left = (await KeepAsync("backup", "list", "shop", "--json")).Json;

        Assert.Contains("damaged", listed.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, verified.ExitCode);
        Assert.Equal(ExitCode.Refused, asked.ExitCode);
        Assert.Equal(2, purged.GetProperty("deleted")[0].GetInt32());
        Assert.Equal(3, Assert.Single(left.EnumerateArray()).GetProperty("backup").GetInt32());
        Assert.Equal(ExitCode.Ok, (await KeepAsync("backup", "verify", "shop", "--open")).ExitCode);
    }

    [Fact]
    public async Task A_tar_brings_a_backup_to_another_directory_and_a_cut_one_is_refused()
    {
        await KeepAsync("create", "shop");
        await KeepAsync("put", "shop", "apple", "3");
        await KeepAsync("backup", "create", "shop");
        string tar = Path.Combine(Scratch, "shop.tar");
        string other = Path.Combine(Scratch, "other");

        await KeepAsync("backup", "export", "shop", "--output", tar);
        byte[] bytes = await File.ReadAllBytesAsync(tar);
        await File.WriteAllBytesAsync(tar + ".cut", bytes[..(bytes.Length / 2)]);
        await SucceedAsync("backup", "import", "shop", tar, "--backups", other);
        CliResult cut = await Cli.RunAsync(
            [], ["backup", "import", "shop", tar + ".cut", "--backups", other, "--data", Data]);
        JsonElement listed = (await SucceedAsync("backup", "list", "shop", "--backups", other, "--json")).Json;

        Assert.Equal(ExitCode.Failed, cut.ExitCode);
        Assert.Contains("cut, altered", cut.Error, StringComparison.Ordinal);
        Assert.Single(listed.EnumerateArray());
        await SucceedAsync("backup", "restore", "shop", "--into-branch", "moved", "--backups", other);
        Assert.Equal("3", (await SucceedAsync("get", "shop", "apple", "--branch", "moved")).Output.Trim());
    }

    [Fact]
    public async Task Without_a_directory_of_backups_it_is_said_what_to_give()
    {
        await SucceedAsync("create", "shop");

        CliResult result = await Cli.RunAsync([], ["backup", "list", "shop", "--data", Data]);

        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains("--backups DIR", result.Error, StringComparison.Ordinal);
    }

    private Task<CliResult> KeepAsync(params string[] words) => SucceedAsync([.. words, "--backups", Place]);

    private Task<CliResult> RunKeptAsync(params string[] words) =>
        Cli.RunAsync([], [.. words, "--backups", Place, "--data", Data]);
}
