namespace Branching.Storage.Tests.Branches;

/// <summary>
/// Every file step of an operation fails in turn: a typed error, nothing left behind, and a retry works.
/// </summary>
public sealed class FaultTests : IDisposable
{
    private const int MostSteps = 60;
    private readonly TemporaryRoot _root = new();
    private int _left = -1;
    private int _errno;

    public static TheoryData<int, FailureKind> Errors => new()
    {
        { 5, FailureKind.Io },
        { 28, FailureKind.DiskFull },
        { 13, FailureKind.PermissionDenied },
    };

    public void Dispose() => _root.Dispose();

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task A_creation_that_fails_at_any_step_leaves_nothing_and_can_be_repeated(int errno, FailureKind kind)
    {
        await using DataRoot root = await OpenAsync(errno);
        Database shop = await PrepareAsync(root);
        int failures = 0;
        for (int n = 0; n < MostSteps; n++)
        {
            _left = n;
            StorageException? failure = await FailureOfAsync(() => shop.BranchAsync("fresh", "base"));
            bool fired = _left < 0;
            _left = -1;
            if (failure is not null)
            {
                failures++;
                Assert.Equal(kind, failure.Kind);
                Assert.Contains("'fresh'", failure.Message, StringComparison.Ordinal);
                AssertNoDebris(stores: 2);
                await shop.BranchAsync("fresh", "base");
            }

            Assert.Equal("a=1", await shop.ReadAllAsync("fresh"));
            Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
            await shop.DeleteBranchAsync(BranchName.Parse("fresh"), default);
            if (!fired)
            {
                Assert.InRange(failures, 7, MostSteps);
                return;
            }
        }

        Assert.Fail("The creation never ran to its end.");
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task A_deletion_that_fails_at_any_step_leaves_the_branch_whole(int errno, FailureKind kind)
    {
        await using DataRoot root = await OpenAsync(errno);
        Database shop = await PrepareAsync(root);
        int failures = 0;
        for (int n = 0; n < MostSteps; n++)
        {
            await shop.BranchAsync("doomed", "base");
            _left = n;
            StorageException? failure = await FailureOfAsync(
                () => shop.DeleteBranchAsync(BranchName.Parse("doomed"), default));
            bool fired = _left < 0;
            _left = -1;
            if (failure is not null)
            {
                failures++;
                Assert.Equal(kind, failure.Kind);
                Assert.Equal("a=1", await shop.ReadAllAsync("doomed"));
                await shop.DeleteBranchAsync(BranchName.Parse("doomed"), default);
            }

            Assert.False(shop.TryGetBranch(BranchName.Parse("doomed"), out _));
            Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
            if (!fired)
            {
                Assert.InRange(failures, 5, MostSteps);
                return;
            }
        }

        Assert.Fail("The deletion never ran to its end.");
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task A_database_whose_creation_fails_at_any_step_leaves_nothing(int errno, FailureKind kind)
    {
        await using DataRoot root = await OpenAsync(errno);
        for (int n = 0; n < MostSteps; n++)
        {
            _left = n;
            StorageException? failure = await FailureOfAsync(
                () => root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default));
            _left = -1;
            if (failure is null)
            {
                Assert.InRange(n, 15, MostSteps);
                return;
            }

            Assert.Equal(kind, failure.Kind);
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.Path, "databases")));
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.Path, "building")));
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.Path, "trash")));
        }

        Assert.Fail("The creation never ran to its end.");
    }

    private static async Task<StorageException?> FailureOfAsync(Func<Task> action)
    {
        try
        {
            await action();
            return null;
        }
        catch (StorageException e)
        {
            return e;
        }
    }

    private static async Task<Database> PrepareAsync(DataRoot root)
    {
        Database shop = await root.CreateDatabaseAsync(TemporaryRoot.Shop, "tests", default);
        await shop.PutAsync("main", "a", "1");
        await shop.BranchAsync("base");
        await shop.PutAsync("main", "b", "2");
        return shop;
    }

    private Task<DataRoot> OpenAsync(int errno)
    {
        _errno = errno;
        return _root.OpenAsync(new Disk { BeforeStep = FailWhenDue });
    }

    private void FailWhenDue(DiskStep step)
    {
        if (_left >= 0 && _left-- == 0)
        {
            throw new IOException($"injected into {step.Kind}", _errno);
        }
    }

    private void AssertNoDebris(int stores)
    {
        Assert.Equal(stores, Directory.GetFileSystemEntries(Path.Combine(_root.DatabasePath, "stores")).Length);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.DatabasePath, "building")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.DatabasePath, "trash")));
    }
}
