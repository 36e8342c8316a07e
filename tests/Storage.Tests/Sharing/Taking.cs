using Branching.Storage.Tests.Branches;

namespace Branching.Storage.Tests.Sharing;

/// <summary>Looks at what a node finds when it takes a database.</summary>
internal static class Taking
{
    /// <summary>Takes the database and gives it back; asserts that nothing half-done is left.</summary>
    public static async Task<string> DescribeAsync(
        string shared, TemporaryRoot root, string node, DatabaseName name, string where,
        DirtyStorePolicy policy = DirtyStorePolicy.Fail)
    {
        await using SharedNodes nodes = new(shared);
        SharedNode opened = await nodes.StartAsync(
            node, root, options: new SharedStorageOptions { DirtyStore = policy });
        Database database;
        try
        {
            database = await opened.Root.OwnDatabaseAsync(name, new OwnRequest(), null, default);
        }
        catch (StorageException e) when (e.Kind is FailureKind.DatabaseNotFound or FailureKind.NothingToRestore)
        {
            return "none";
        }
        catch (StorageException e)
        {
            throw new InvalidOperationException(where, e);
        }

        List<string> branches = [];
        foreach (BranchRecord branch in database.ListBranches())
        {
            branches.Add(branch.State == BranchState.Lost
                ? $"{branch.Name}!"
                : $"{branch.Name}:{await database.ReadAllAsync(branch.Name.Value)}");
        }

        string directory = Path.Combine(root.Path, "databases", name.Value);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(directory, "building")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(directory, "trash")));
        Assert.False(File.Exists(Path.Combine(directory, "restore.json")), where);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root.Path, "building")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(root.Path, "trash")));
        return string.Join('|', branches);
    }
}
