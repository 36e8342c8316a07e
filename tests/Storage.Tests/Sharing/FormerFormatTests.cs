using Branching.Storage.Tests.Branches;
using static Branching.Storage.Tests.Branches.DatabaseShortcuts;

namespace Branching.Storage.Tests.Sharing;

/// <summary>A data root as 0.1 wrote it: without id, durability and ownership.</summary>
public sealed class FormerFormatTests
{
    [Fact]
    public async Task A_root_of_the_former_version_opens_gets_an_id_and_keeps_it()
    {
        using TemporaryRoot root = new();
        await MakeFormerAsync(root);

        string first, second;
        await using (DataRoot opened = await root.OpenAsync())
        {
            first = opened.NodeId;
            Database shop = await opened.GetDatabaseAsync(TemporaryRoot.Shop, default);
            Assert.Equal("a=1", await shop.ReadAllAsync("preview"));
            Assert.Equal(BranchDurability.Durable, shop.GetBranch(Name("preview")).Durability);
            Assert.Equal(OwnedBy.OneNode, shop.OwnedBy);
            Assert.False(shop.SurvivesItsNode);
        }

        await using (DataRoot again = await root.OpenAsync())
        {
            second = again.NodeId;
        }

        Assert.Equal(first, second);
        Assert.Equal(32, first.Length);
        string identity = await File.ReadAllTextAsync(Path.Combine(root.DatabasePath, "database.json"));
        Assert.Contains("\"format\":1,", identity, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_of_the_former_version_is_put_on_shared_storage_in_a_format_that_it_refuses()
    {
        await using SharedNodes nodes = new();
        TemporaryRoot root = nodes.NewRoot();
        await MakeFormerAsync(root);
        SharedNode one = await nodes.StartAsync("one", root);

        Database shop = await one.OwnAsync();

        Assert.Equal(OwnedBy.Adoption, shop.OwnedBy);
        Assert.Equal("a=1", await shop.ReadAllAsync("preview"));
        string identity = await File.ReadAllTextAsync(Path.Combine(root.DatabasePath, "database.json"));
        Assert.Contains("\"format\":2,", identity, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_root_whose_id_is_not_one_is_refused_and_left()
    {
        using TemporaryRoot root = new();
        string file = Path.Combine(root.Path, "root.json");
        await File.WriteAllTextAsync(file, """{"format":1,"id":"mine"}""");

        Assert.Equal(FailureKind.Corruption, await KindOfAsync(() => root.OpenAsync()));
        Assert.Equal("""{"format":1,"id":"mine"}""", await File.ReadAllTextAsync(file));
    }

    private static async Task MakeFormerAsync(TemporaryRoot root)
    {
        await using (DataRoot opened = await root.OpenAsync())
        {
            Database shop = await opened.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
            await shop.PutAsync("main", "a", "1");
            await shop.BranchAsync("preview");
        }

        // Byte for byte what 0.1 wrote: neither file had other fields then.
        await File.WriteAllTextAsync(Path.Combine(root.Path, "root.json"), "{\"format\":1}\n");
        Directory.Delete(Path.Combine(root.Path, "quarantine"));
        string identity = await File.ReadAllTextAsync(Path.Combine(root.DatabasePath, "database.json"));
        Assert.DoesNotContain("shared", identity, StringComparison.Ordinal);
        Assert.DoesNotContain("claiming", identity, StringComparison.Ordinal);
        string catalog = Assert.Single(Directory.GetFiles(Path.Combine(root.DatabasePath, "catalog")));
        Assert.DoesNotContain("durability", await File.ReadAllTextAsync(catalog), StringComparison.Ordinal);
    }
}
