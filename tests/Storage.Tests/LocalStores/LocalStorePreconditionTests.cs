using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStorePreconditionTests
{
    [Theory]
    [InlineData(PreconditionKind.KeyAbsent, "absent", "", true)]
    [InlineData(PreconditionKind.KeyAbsent, "k", "", false)]
    [InlineData(PreconditionKind.KeyAbsent, "empty", "", false)]
    [InlineData(PreconditionKind.KeyPresent, "k", "", true)]
    [InlineData(PreconditionKind.KeyPresent, "empty", "", true)]
    [InlineData(PreconditionKind.KeyPresent, "absent", "", false)]
    [InlineData(PreconditionKind.ValueEquals, "k", "v", true)]
    [InlineData(PreconditionKind.ValueEquals, "k", "w", false)]
    [InlineData(PreconditionKind.ValueEquals, "k", "v2", false)]
    [InlineData(PreconditionKind.ValueEquals, "empty", "", true)]
    [InlineData(PreconditionKind.ValueEquals, "absent", "", false)]
    public async Task A_write_is_applied_exactly_when_its_precondition_holds(
        PreconditionKind kind, string key, string value, bool holds)
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("k", "v"), Put("empty", ""));

        WriteResult result = await test.WriteAsync([new(kind, null, Bytes(key), Bytes(value))], Put("done", "yes"));

        Assert.Equal(holds, result.Applied);
        Assert.Equal(holds ? -1 : 0, result.FailedPrecondition);
        Assert.Equal(holds ? "yes" : null, test.Get("done"));
    }

    [Fact]
    public async Task The_first_failing_precondition_is_named_and_nothing_is_applied()
    {
        await using TestStore test = new();
        WriteResult before = await test.WriteAsync(Put("a", "1"));

        WriteResult result = await test.WriteAsync(
            [Present("a"), Equal("a", "1"), Absent("a"), Present("b")], Put("a", "2"), Put("b", "2"));

        Assert.Equal(new WriteResult(Applied: false, before.Sequence, 2), result);
        Assert.Equal("1", test.Get("a"));
        Assert.Null(test.Get("b"));
    }

    [Fact]
    public async Task Preconditions_look_into_their_own_column_family()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("other");
        await test.WriteAsync(Put("k", "v", "other"));

        WriteResult inDefault = await test.WriteAsync([Present("k")], Put("seen", "default"));
        WriteResult inOther = await test.WriteAsync([Equal("k", "v", "other")], Put("seen", "other"));

        Assert.False(inDefault.Applied);
        Assert.True(inOther.Applied);
        Assert.Equal("other", test.Get("seen"));
    }

    [Fact]
    public async Task A_precondition_sees_the_requests_before_it_in_the_same_group()
    {
        using TestCommit commit = new();
        await using TestStore test = new(seams: commit.Seams);
        await test.WriteAsync(Put("range2", "old"), Put("gone", "old"));
        commit.Hold();
        Task<WriteResult> first = test.WriteAsync(Put("first", "1"));
        await commit.EnteredAsync();
        await commit.EnteredAsync();

        // All of these wait behind the held commit and become one group.
        Task<WriteResult>[] group =
        [
            test.WriteAsync(Put("a", "1")),
            test.WriteAsync([Equal("a", "1")], Put("a", "2")),
            test.WriteAsync([Equal("a", "1")], Put("a", "lost")),
            test.WriteAsync([Absent("b")], Put("b", "1")),
            test.WriteAsync([Absent("b")], Put("b", "lost")),
            test.WriteAsync([Present("gone")], Delete("gone")),
            test.WriteAsync([Present("gone")], Put("gone", "lost")),
            test.WriteAsync(Put("range1", "x"), WriteOperation.DeleteRange(Bytes("range"), Bytes("rangf"))),
            test.WriteAsync([Absent("range1"), Absent("range2")], Put("range1", "again")),
            test.WriteAsync([Equal("range1", "again")], Put("range2", "again")),
        ];
        commit.Release();
        await first;
        List<bool> applied = [];
        foreach (Task<WriteResult> answer in group)
        {
            applied.Add((await answer).Applied);
        }

        Assert.Equal(new List<bool> { true, true, false, true, false, true, false, true, true, true }, applied);
        Assert.Equal(3, commit.Calls);
        Assert.Equal(["2", "1", null, "again", "again"],
            new[] { "a", "b", "gone", "range1", "range2" }.Select(key => test.Get(key)), StringComparer.Ordinal);
    }

    [Fact]
    public async Task Sixty_four_writers_that_compare_and_set_counters_lose_no_increment()
    {
        const int Writers = 64, Increments = 40, Counters = 4;
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, Counters).Select(i => Put($"counter{i}", "0"))]);

        async Task IncrementAsync(string key)
        {
            bool won = false;
            while (!won)
            {
                string now = test.Get(key)!;
                string next = $"{int.Parse(now, System.Globalization.CultureInfo.InvariantCulture) + 1}";
                won = (await test.WriteAsync([Equal(key, now)], Put(key, next))).Applied;
            }
        }

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (int i = 0; i < Increments; i++)
            {
                await IncrementAsync($"counter{writer % Counters}");
            }
        })));

        await test.ReopenAsync();
        Assert.All(
            Enumerable.Range(0, Counters),
            i => Assert.Equal($"{Writers * Increments / Counters}", test.Get($"counter{i}")));
    }
}
