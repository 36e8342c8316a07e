namespace Branching.Storage.Tests.Branches;

/// <summary>What a start makes of files that are damaged, foreign, missing or of another version.</summary>
public sealed class DamageTests : IDisposable
{
    private readonly TemporaryRoot _root = new();

    public void Dispose() => _root.Dispose();

    private string CatalogPath => Directory.GetFiles(Path.Combine(_root.DatabasePath, "catalog")).Single();

    [Fact]
    public async Task A_flipped_bit_anywhere_in_the_catalog_is_damage_and_never_fewer_branches()
    {
        await PrepareAsync();
        string path = CatalogPath;
        byte[] whole = await File.ReadAllBytesAsync(path);
        for (int i = 0; i < whole.Length; i += 7)
        {
            byte[] damaged = [.. whole];
            damaged[i] ^= 0x01;
            await File.WriteAllBytesAsync(path, damaged);

            Assert.Equal(FailureKind.Corruption, await KindAtStartAsync());
            Assert.Equal(damaged, await File.ReadAllBytesAsync(path));
        }
    }

    [Fact]
    public async Task A_catalog_cut_inside_its_last_line_loses_only_that_unanswered_change()
    {
        await PrepareAsync();
        string path = CatalogPath;
        byte[] whole = await File.ReadAllBytesAsync(path);
        await File.WriteAllBytesAsync(path, [.. whole, .. whole.AsSpan(whole.Length - 200, 100)]);

        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);

        Assert.Equal("b main", string.Join(' ', shop.ListBranches().Select(b => b.Name)));
        Assert.Contains(root.Reconciliation.Findings, finding => finding.Contains("torn", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_missing_catalog_is_rebuilt_from_the_marks_and_an_empty_one_is_damage()
    {
        await PrepareAsync();
        string path = CatalogPath;
        File.Delete(path);
        await using (DataRoot root = await _root.OpenAsync())
        {
            Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
            Assert.Equal("a=1", await shop.ReadAllAsync("b"));
            Assert.Equal(2, root.Reconciliation.AdoptedBranches);
        }

        await File.WriteAllBytesAsync(CatalogPath, []);
        Assert.Equal(FailureKind.Corruption, await KindAtStartAsync());
    }

    [Theory]
    [InlineData("database.json", 3, FailureKind.FormatTooNew)]
    [InlineData("database.json", 0, FailureKind.FormatTooOld)]
    [InlineData("../../root.json", 9, FailureKind.FormatTooNew)]
    public async Task Another_format_is_refused_and_left_as_it_is(string file, int format, FailureKind kind)
    {
        await PrepareAsync();
        string path = Path.Combine(_root.DatabasePath, file);
        string text = (await File.ReadAllTextAsync(path))
            .Replace("\"format\":1", $"\"format\":{format}", StringComparison.Ordinal);
        await File.WriteAllTextAsync(path, text);

        Assert.Equal(kind, await KindAtStartAsync());
        Assert.Equal(text, await File.ReadAllTextAsync(path));
    }

    [Fact]
    public async Task A_missing_store_is_listed_refused_and_never_created_empty()
    {
        string store = await PrepareAsync();
        Directory.Move(store, Path.Combine(_root.Path, "elsewhere"));

        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);

        Assert.Equal(BranchState.Missing, shop.GetBranch(BranchName.Parse("b")).State);
        Assert.Equal(FailureKind.MissingStore, await DatabaseShortcuts.KindOfAsync(() => shop.ReadAllAsync("b")));
        Assert.False(Directory.Exists(store));
        await shop.DeleteBranchAsync(BranchName.Parse("b"), default);
        await shop.BranchAsync("b");
        Assert.Equal("a=1", await shop.ReadAllAsync("b"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("{\"format\":1,")]
    [InlineData("other")]
    public async Task A_store_without_a_mark_of_ours_is_refused_and_not_touched(string? mark)
    {
        string store = await PrepareAsync();
        string path = Path.Combine(store, "branch.json");
        string text = await File.ReadAllTextAsync(path);
        string strangers = DatabaseId.New(TimeProvider.System).ToString();
        File.Delete(path);
        if (mark is not null)
        {
            string ours = text.Split("\"database\":\"")[1][..32];
            string written = mark == "other" ? text.Replace(ours, strangers, StringComparison.Ordinal) : mark;
            await File.WriteAllTextAsync(path, written);
        }

        string[] files = [.. Directory.GetFiles(store).Order(StringComparer.Ordinal)];
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);

        Assert.Equal(FailureKind.UnknownStore, await DatabaseShortcuts.KindOfAsync(() => shop.ReadAllAsync("b")));
        Assert.Equal("a=1", await shop.ReadAllAsync("main"));
        Assert.Equal(files, Directory.GetFiles(store).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_mark_that_names_another_parent_is_damage_and_the_store_is_set_aside_not_deleted()
    {
        string store = await PrepareAsync();
        string path = Path.Combine(store, "branch.json");
        string text = await File.ReadAllTextAsync(path);
        string parent = text.Split("\"parent\":\"")[1][..32];
        string other = StoreId.New(TimeProvider.System).ToString();
        await File.WriteAllTextAsync(path, text.Replace(parent, other, StringComparison.Ordinal));
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);

        Assert.Equal(FailureKind.Corruption, await DatabaseShortcuts.KindOfAsync(() => shop.ReadAllAsync("b")));
        Assert.Equal(FailureKind.Corruption, await DatabaseShortcuts.KindOfAsync(() => shop.BranchAsync("c", "b")));
        Assert.Equal(BranchState.Damaged, shop.GetBranch(BranchName.Parse("b")).State);
        await shop.DeleteBranchAsync(BranchName.Parse("b"), default);

        string[] kept = Directory.GetFiles(
            Path.Combine(_root.DatabasePath, "quarantine"), "branch.json", SearchOption.AllDirectories);
        Assert.Contains(other, await File.ReadAllTextAsync(Assert.Single(kept)), StringComparison.Ordinal);
        Assert.False(Directory.Exists(store));
        await shop.BranchAsync("b");
        Assert.Equal("a=1", await shop.ReadAllAsync("b"));
    }

    [Fact]
    public async Task A_circle_in_the_lineage_ends_the_ancestors_and_keeps_nothing_from_serving()
    {
        await PrepareAsync();
        DatabaseId id;
        BranchRecord main, branch;
        await using (DataRoot root = await _root.OpenAsync())
        {
            Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
            (id, main, branch) = (shop.Id, shop.GetBranch(BranchName.Main), shop.GetBranch(BranchName.Parse("b")));
        }

        using (Catalog catalog = Catalog.Load(new Disk(), Path.Combine(_root.DatabasePath, "catalog"), id))
        {
            catalog.Set(main with { ParentId = branch.Id, ParentName = branch.Name });
        }

        await using DataRoot again = await _root.OpenAsync();
        Database same = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);

        Assert.Equal("main b", string.Join(' ', same.GetAncestors(branch.Name).Select(r => r.Name)));
        Assert.Equal("a=1", await same.ReadAllAsync("b"));
    }

    [Fact]
    public async Task A_stranger_s_directory_among_the_stores_is_left_and_reported()
    {
        await PrepareAsync();
        string stranger = Path.Combine(_root.DatabasePath, "stores", StoreId.New(TimeProvider.System).ToString());
        Directory.CreateDirectory(stranger);
        await File.WriteAllTextAsync(Path.Combine(stranger, "CURRENT"), "MANIFEST-000001\n");

        await using DataRoot root = await _root.OpenAsync();

        Assert.Equal(1, root.Reconciliation.UnknownEntries);
        Assert.Equal("MANIFEST-000001\n", await File.ReadAllTextAsync(Path.Combine(stranger, "CURRENT")));
    }

    private async Task<string> PrepareAsync()
    {
        await using DataRoot root = await _root.OpenAsync();
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        BranchRecord branch = await shop.BranchAsync("b");
        return Path.Combine(_root.DatabasePath, "stores", branch.Id.ToString());
    }

    private async Task<FailureKind> KindAtStartAsync() => await DatabaseShortcuts.KindOfAsync(async () =>
    {
        await using DataRoot root = await _root.OpenAsync();
        await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
    });
}
