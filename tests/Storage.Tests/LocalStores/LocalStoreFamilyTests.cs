using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreFamilyTests
{
    [Fact]
    public async Task Column_families_keep_their_keys_apart_and_survive_reopening()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("k", "in default"), Put("k", "in other", "other"), Put("k2", "x", "other"));

        await test.ReopenAsync();

        Assert.Equal(["default", "other"], test.Store.ColumnFamilies, StringComparer.Ordinal);
        Assert.Equal("in default", test.Get("k"));
        Assert.Equal("in default", test.Get("k", "default"));
        Assert.Equal("in other", test.Get("k", "other"));
        Assert.Equal(2, test.Store.Count("other", KeyRange.All, CancellationToken.None));
        Assert.Equal(
            "in other", Text(test.Store.MultiGet("other", [Bytes("k")])[0]!.Value));
    }

    [Fact]
    public async Task A_dropped_column_family_is_gone_also_after_reopening_and_may_be_created_again_empty()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("k", "v", "other"));

        test.Store.DropColumnFamily("other");

        Assert.Equal(FailureKind.ColumnFamilyNotFound, KindOf(() => test.Get("k", "other")));
        await test.ReopenAsync();
        Assert.Equal(["default"], test.Store.ColumnFamilies, StringComparer.Ordinal);
        test.Store.CreateColumnFamily("other");
        Assert.Null(test.Get("k", "other"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("slash/ed")]
    [InlineData("umläut")]
    [InlineData("newline\n")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    public async Task A_name_outside_the_rules_is_refused(string name)
    {
        await using TestStore test = new();

        Assert.Equal(FailureKind.InvalidName, KindOf(() => test.Store.CreateColumnFamily(name)));
        Assert.Equal(FailureKind.InvalidName, KindOf(() => test.Store.DropColumnFamily(name)));
    }

    [Fact]
    public async Task Creating_what_exists_and_dropping_what_does_not_are_named_failures()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");

        Assert.Equal(FailureKind.ColumnFamilyExists, KindOf(() => test.Store.CreateColumnFamily("other")));
        Assert.Equal(FailureKind.ColumnFamilyExists, KindOf(() => test.Store.CreateColumnFamily("default")));
        Assert.Equal(FailureKind.ColumnFamilyNotFound, KindOf(() => test.Store.DropColumnFamily("absent")));
        Assert.Equal(FailureKind.InvalidArgument, KindOf(() => test.Store.DropColumnFamily("default")));
        Assert.True(test.Store.Health.IsHealthy);
    }

    [Fact]
    public async Task Writes_across_families_while_one_is_dropped_apply_whole_or_not_at_all()
    {
        await using TestStore test = new();
        for (int round = 0; round < 10; round++)
        {
            test.Store.CreateColumnFamily("other");
            int written = 0;
            Task<int> writer = Task.Run(async () =>
            {
                try
                {
                    while (true)
                    {
                        await test.WriteAsync(Put("count", $"{written + 1}"), Put("k", "v", "other"));
                        written++;
                    }
                }
                catch (StorageException e) when (e.Kind == FailureKind.ColumnFamilyNotFound)
                {
                    return written;
                }
            });

            await Waiting.UntilAsync(() => test.Get("count") is not null, "the first write");

            test.Store.DropColumnFamily("other");

            Assert.Equal($"{await writer.WaitAsync(Waiting.Deadline)}", test.Get("count"));
            Assert.True(test.Store.Health.IsHealthy);
            await test.WriteAsync(Delete("count"));
        }
    }

    [Fact]
    public async Task Readers_inside_a_dropped_family_finish()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("a", "1", "other"), Put("b", "2", "other"));
        using ScanCursor cursor = test.Store.OpenCursor(All() with { ColumnFamily = "other" });
        List<KeyValueEntry> entries = [];
        cursor.ReadPage(1, 1000, entries);

        test.Store.DropColumnFamily("other");
        cursor.ReadPage(10, 1000, entries);

        Assert.Equal(["a", "b"], Keys(entries), StringComparer.Ordinal);
    }

    private static FailureKind KindOf(Action action) => Assert.Throws<StorageException>(action).Kind;
}
