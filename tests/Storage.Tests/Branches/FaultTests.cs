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
        { 122, FailureKind.DiskFull }, // EDQUOT
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
                Assert.Contains("'doomed'", failure.Message, StringComparison.Ordinal);
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
    public async Task After_a_deletion_that_failed_at_any_step_a_restart_finds_all_of_it_or_nothing(
        int errno, FailureKind kind)
    {
        for (int n = 0; n < MostSteps; n++)
        {
            bool fired;
            StorageException? failure;
            await using (DataRoot root = await OpenAsync(errno))
            {
                Database shop = n == 0
                    ? await PrepareAsync(root)
                    : await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
                await shop.BranchAsync("doomed", "base");
                _left = n;
                failure = await FailureOfAsync(() => shop.DeleteBranchAsync(BranchName.Parse("doomed"), default));
                fired = _left < 0;
                _left = -1;
                Assert.True(failure is null || failure.Kind == kind, failure?.ToString());
            }

            await using DataRoot again = await OpenAsync(errno);
            Database same = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);
            bool there = same.TryGetBranch(BranchName.Parse("doomed"), out _);
            Assert.Equal(failure is not null, there);
            if (there)
            {
                Assert.Equal("a=1", await same.ReadAllAsync("doomed"));
                await same.DeleteBranchAsync(BranchName.Parse("doomed"), default);
            }

            AssertNoDebris(stores: 2);
            if (!fired)
            {
                Assert.InRange(n, 6, MostSteps);
                return;
            }
        }

        Assert.Fail("The deletion never ran to its end.");
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task A_drop_that_fails_at_any_step_is_named_and_can_be_repeated(int errno, FailureKind kind)
    {
        await using DataRoot root = await OpenAsync(errno);
        int failures = 0;
        for (int n = 0; n < MostSteps; n++)
        {
            Database shop = await PrepareAsync(root);
            _left = n;
            StorageException? failure = await FailureOfAsync(() => root.DropDatabaseAsync(TemporaryRoot.Shop, default));
            bool fired = _left < 0;
            _left = -1;
            if (failure is not null)
            {
                failures++;
                Assert.Equal(kind, failure.Kind);
                Assert.Contains("'shop'", failure.Message, StringComparison.Ordinal);
                if (root.Contains(TemporaryRoot.Shop))
                {
                    Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
                    Assert.Equal("a=1", await shop.ReadAllAsync("base"));
                }

                await root.DropDatabaseAsync(TemporaryRoot.Shop, default);
            }

            Assert.False(root.Contains(TemporaryRoot.Shop));
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.Path, "databases")));
            if (!fired)
            {
                Assert.InRange(failures, 3, MostSteps);
                return;
            }

            // Only a deletion that was refused by itself may leave its remains to the next start.
            Assert.True(failure is null || Directory.GetDirectories(Path.Combine(_root.Path, "trash")).Length == 0);
            foreach (string left in Directory.GetDirectories(Path.Combine(_root.Path, "trash")))
            {
                Directory.Delete(left, recursive: true);
            }
        }

        Assert.Fail("The drop never ran to its end.");
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task After_a_drop_that_failed_at_any_step_a_restart_finds_the_whole_database_or_nothing(
        int errno, FailureKind kind)
    {
        for (int n = 0; n < MostSteps; n++)
        {
            bool fired;
            StorageException? failure;
            await using (DataRoot root = await OpenAsync(errno))
            {
                await PrepareAsync(root);
                _left = n;
                failure = await FailureOfAsync(() => root.DropDatabaseAsync(TemporaryRoot.Shop, default));
                fired = _left < 0;
                _left = -1;
                Assert.True(failure is null || failure.Kind == kind, failure?.ToString());
            }

            await using DataRoot again = await OpenAsync(errno);
            if (again.Contains(TemporaryRoot.Shop))
            {
                Assert.NotNull(failure);
                Database same = await again.GetDatabaseAsync(TemporaryRoot.Shop, default);
                Assert.Equal("a=1 b=2", await same.ReadAllAsync("main"));
                Assert.Equal("a=1", await same.ReadAllAsync("base"));
                await again.DropDatabaseAsync(TemporaryRoot.Shop, default);
            }

            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.Path, "databases")));
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.Path, "trash")));
            if (!fired)
            {
                Assert.InRange(n, 4, MostSteps);
                return;
            }
        }

        Assert.Fail("The drop never ran to its end.");
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task A_start_that_fails_at_any_step_changes_no_data_and_can_be_repeated(int errno, FailureKind kind)
    {
        await using (DataRoot root = await OpenAsync(errno))
        {
            await PrepareAsync(root);
        }

        for (int n = 0; n < MostSteps; n++)
        {
            LeaveDebris();
            _left = n;
            StorageException? failure = await FailureOfAsync(async () =>
            {
                await using DataRoot root = await OpenAsync(errno);
                await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
            });
            bool fired = _left < 0;
            _left = -1;
            Assert.True(failure is null || failure.Kind == kind, failure?.ToString());
            await using (DataRoot root = await OpenAsync(errno))
            {
                Database shop = await root.GetDatabaseAsync(TemporaryRoot.Shop, default);
                Assert.Equal("a=1 b=2", await shop.ReadAllAsync("main"));
                Assert.Equal("a=1", await shop.ReadAllAsync("base"));
            }

            AssertNoDebris(stores: 2);
            if (!fired)
            {
                Assert.InRange(n, 8, MostSteps);
                return;
            }
        }

        Assert.Fail("The start never ran to its end.");
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

    /// <summary>What a crash may leave: unfinished and half-deleted work, and a torn catalog.</summary>
    private void LeaveDebris()
    {
        string id = StoreId.New(TimeProvider.System).ToString();
        string catalog = Directory.GetFiles(Path.Combine(_root.DatabasePath, "catalog"), "*.log").Max()!;
        Directory.CreateDirectory(Path.Combine(_root.DatabasePath, "building", id + ".tmp"));
        Directory.CreateDirectory(Path.Combine(_root.DatabasePath, "trash", id));
        Directory.CreateDirectory(Path.Combine(_root.Path, "building", id));
        Directory.CreateDirectory(Path.Combine(_root.Path, "trash", id));
        File.AppendAllText(catalog, "01234567 {\"torn");
    }

    private void AssertNoDebris(int stores)
    {
        Assert.Equal(stores, Directory.GetFileSystemEntries(Path.Combine(_root.DatabasePath, "stores")).Length);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.DatabasePath, "building")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_root.DatabasePath, "trash")));
    }
}
