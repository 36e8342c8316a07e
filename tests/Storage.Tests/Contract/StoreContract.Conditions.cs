using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Contract;

/// <content>Preconditions, sequences, families and what is refused.</content>
public abstract partial class StoreContract
{
    /// <summary>What the key is before, what is asked of it, and whether that holds.</summary>
    public static TheoryData<string, PreconditionKind, bool, string?> Conditions()
    {
        TheoryData<string, PreconditionKind, bool, string?> all = [];
        foreach (string? family in (string?[])[null, "second"])
        {
            foreach (string state in (string[])["absent", "deleted", "empty", "equal", "different"])
            {
                bool present = state is not ("absent" or "deleted");
                all.Add(state, PreconditionKind.KeyAbsent, !present, family);
                all.Add(state, PreconditionKind.KeyPresent, present, family);
                all.Add(state, PreconditionKind.ValueEquals, state == "equal", family);
            }
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(Conditions))]
    public async Task A_write_is_applied_only_when_its_condition_holds(
        string state, PreconditionKind kind, bool holds, string? family)
    {
        Store.CreateFamily("second");
        await ApplyAsync(state switch
        {
            "absent" => [],
            "deleted" => [Put("key", "old", family), Delete("key", family)],
            "empty" => [Put("key", "", family)],
            "equal" => [Put("key", "expected", family)],
            _ => [Put("key", "expected?", family)],
        });
        string? before = Get("key", family);

        WriteResult result = await TryAsync(
            [new Precondition(kind, family, Bytes("key"), Bytes("expected"))], Put("key", "new", family),
            Put("other", "new", family));

        Assert.Equal((holds, holds ? -1 : 0), (result.Applied, result.FailedPrecondition));
        Assert.Equal(holds ? "new" : before, Get("key", family));
        Assert.Equal(holds ? "new" : null, Get("other", family));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(-1)]
    public async Task The_first_condition_that_does_not_hold_is_named(int failing)
    {
        await FillAsync("a", "b", "c");
        string[] keys = ["a", "b", "c"];

        WriteResult result = await TryAsync(
            [.. keys.Select((key, i) => i >= failing && failing >= 0 ? Absent(key) : Present(key))], Put("d", "new"));

        Assert.Equal((failing < 0, failing), (result.Applied, result.FailedPrecondition));
        Assert.Equal(failing < 0 ? "new" : null, Get("d"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_without_operations_only_asks(bool holds)
    {
        await FillAsync("a");
        ulong before = Store.Sequence;

        WriteResult result = await TryAsync([holds ? Present("a") : Absent("a")]);

        Assert.Equal((holds, before), (result.Applied, Store.Sequence));
    }

    [Fact]
    public async Task Conditions_are_judged_before_the_operations_of_the_same_write()
    {
        WriteResult result = await TryAsync([Absent("a")], Put("a", "1"), Put("a", "2"));

        Assert.True(result.Applied);
        Assert.Equal("2", Get("a"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(100)]
    public async Task The_sequence_grows_by_the_operations_of_a_write(int operations)
    {
        ulong before = Store.Sequence;

        WriteResult result = await ApplyAsync(
            [.. Enumerable.Range(0, operations).Select(i => i % 3 == 0 ? Delete("k" + i) : Put("k" + i, "v"))]);

        Assert.Equal(before + (ulong)operations, result.Sequence.Value);
        Assert.Equal(result.Sequence.Value, Store.Sequence);
    }

    [Fact]
    public async Task A_write_whose_condition_fails_leaves_the_sequence()
    {
        ulong before = Store.Sequence;

        await TryAsync([Present("absent")], Put("a", "1"));

        Assert.Equal(before, Store.Sequence);
    }

    [Fact]
    public async Task Families_do_not_see_each_other()
    {
        Store.CreateFamily("second");

        await ApplyAsync(Put("a", "default"), Put("b", "second", "second"), Delete("a", "second"));

        Assert.Equal(("default", null), (Get("a"), Get("a", "second")));
        Assert.Equal((null, "second"), (Get("b"), Get("b", "second")));
        Assert.Equal((1, 1), (Store.Count(null, KeyRange.All), Store.Count("second", KeyRange.All)));
    }

    [Fact]
    public async Task The_default_family_has_a_name_too()
    {
        await ApplyAsync(Put("a", "1", "default"));

        Assert.Equal(("1", "1"), (Get("a"), Get("a", "default")));
    }

    [Fact]
    public async Task A_family_that_was_dropped_and_created_again_is_empty()
    {
        Store.CreateFamily("second");
        await ApplyAsync(Put("a", "1", "second"));

        Store.DropFamily("second");
        Refused(FailureKind.ColumnFamilyNotFound, () => Store.Get("second", Bytes("a")));
        Store.CreateFamily("second");

        Assert.Null(Get("a", "second"));
    }

    [Fact]
    public async Task A_batch_with_a_family_that_is_missing_applies_nothing()
    {
        await RefusedAsync(
            FailureKind.ColumnFamilyNotFound, new WriteRequest([Put("a", "1"), Put("b", "2", "missing")]));
    }

    [Fact]
    public void A_family_is_created_once()
    {
        Store.CreateFamily("second");

        Refused(FailureKind.ColumnFamilyExists, () => Store.CreateFamily("second"));
        Refused(FailureKind.ColumnFamilyExists, () => Store.CreateFamily("default"));
        Assert.Equal(["default", "second"], Store.Families);
    }

    [Fact]
    public void Only_a_family_that_exists_is_dropped_and_never_the_default_one()
    {
        Refused(FailureKind.ColumnFamilyNotFound, () => Store.DropFamily("missing"));
        Refused(FailureKind.InvalidArgument, () => Store.DropFamily("default"));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("é")]
    [InlineData("a\n")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void A_family_with_an_illegal_name_is_refused(string name)
    {
        Refused(FailureKind.InvalidName, () => Store.CreateFamily(name));
        Refused(FailureKind.InvalidName, () => Store.DropFamily(name));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("A.b_c-9")]
    [InlineData("..")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void A_family_with_a_legal_name_is_kept_exactly(string name)
    {
        Store.CreateFamily(name);

        Assert.Contains(name, Store.Families);
    }

    [Theory]
    [InlineData(WriteKind.Put, 0)]
    [InlineData(WriteKind.Delete, 0)]
    [InlineData(WriteKind.DeleteRange, 0)]
    [InlineData(WriteKind.Put, 65537)]
    [InlineData(WriteKind.Delete, 65537)]
    [InlineData(WriteKind.DeleteRange, 65537)]
    [InlineData((WriteKind)99, 1)]
    public Task A_write_with_an_operation_that_cannot_be_is_refused_whole(WriteKind kind, int keyBytes) => RefusedAsync(
        FailureKind.InvalidArgument,
        new WriteRequest([Put("a", "1"), new WriteOperation(kind, null, new byte[keyBytes], Bytes("z"))]));

    [Theory]
    [InlineData(0)]
    [InlineData(65537)]
    public Task A_write_with_a_condition_on_a_key_that_cannot_be_is_refused(int keyBytes) => RefusedAsync(
        FailureKind.InvalidArgument,
        new WriteRequest(
            [Put("a", "1")], [new Precondition(PreconditionKind.KeyAbsent, null, new byte[keyBytes], default)]));

    [Fact]
    public Task A_condition_of_an_unknown_kind_is_refused() => RefusedAsync(
        FailureKind.InvalidArgument,
        new WriteRequest([Put("a", "1")], [new Precondition((PreconditionKind)9, null, Bytes("k"), default)]));

    [Fact]
    public Task An_unknown_durability_is_refused() => RefusedAsync(
        FailureKind.InvalidArgument, new WriteRequest([Put("a", "1")], null, (Durability)9));

    [Fact]
    public Task A_range_that_ends_before_it_begins_is_not_deleted() => RefusedAsync(
        FailureKind.InvalidArgument,
        new WriteRequest([Put("a", "1"), WriteOperation.DeleteRange(Bytes("b"), Bytes("a"))]));

    [Fact]
    public Task A_range_without_an_end_is_not_deleted() => RefusedAsync(
        FailureKind.InvalidArgument, new WriteRequest([WriteOperation.DeleteRange(Bytes("b"), default)]));

    [Fact]
    public Task A_write_that_is_too_large_is_refused() => RefusedAsync(
        FailureKind.RequestTooLarge, new WriteRequest([WriteOperation.Put(Bytes("a"), new byte[4 << 20])]));

    [Theory]
    [InlineData(0)]
    [InlineData(65537)]
    public void A_key_that_cannot_be_is_not_read(int bytes)
    {
        Refused(FailureKind.InvalidArgument, () => Store.Get(null, new byte[bytes]));
        Refused(FailureKind.InvalidArgument, () => Store.MultiGet(null, [Bytes("a"), new byte[bytes]]));
    }

    [Fact]
    public void Nothing_is_read_from_a_family_that_is_missing()
    {
        Refused(FailureKind.ColumnFamilyNotFound, () => Store.Get("missing", Bytes("a")));
        Refused(FailureKind.ColumnFamilyNotFound, () => Store.MultiGet("missing", [Bytes("a")]));
        Refused(FailureKind.ColumnFamilyNotFound, () => Store.Scan(All() with { ColumnFamily = "missing" }));
        Refused(FailureKind.ColumnFamilyNotFound, () => Store.Count("missing", KeyRange.All));
    }
}
