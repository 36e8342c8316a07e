using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Transactions;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Transactions;

public sealed class ReadSetCommitTests
{
    [Fact]
    public async Task Reads_of_one_moment_and_writes_are_committed_in_one_step()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("second");
        await test.WriteAsync(Put("a", "1"), Put("b", "2", "second"));

        TransactionReads reads = test.Store.ReadForCommit(
            [(null, Bytes("a")), ("second", Bytes("b")), (null, Bytes("nothing"))]);
        CommitResult result = await CommitAsync(test.Store, reads, ["a", "nothing"], Put("c", "3", "second"));

        Assert.Equal(["1", "2", null], reads.Values.Select(value => value is { } bytes ? Text(bytes) : null));
        Assert.True(result.Committed);
        Assert.Equal("3", test.Get("c", "second"));
    }

    [Fact]
    public async Task A_key_that_was_read_and_written_since_refuses_the_commit()
    {
        await using TestStore test = new();
        TransactionReads reads = test.Store.ReadForCommit([(null, Bytes("a"))]);
        WriteResult other = await test.WriteAsync(Put("a", "theirs"));

        CommitResult result = await CommitAsync(test.Store, reads, ["a"], Put("b", "mine"));

        Assert.False(result.Committed);
        Assert.Equal((ConflictKind.Written, "a"), (result.Conflict!.Kind, Text(result.Conflict.Key)));
        Assert.Equal(other.Sequence, result.Conflict.Written);
        Assert.Null(test.Get("b"));
    }

    [Fact]
    public async Task What_was_read_of_a_family_that_was_dropped_and_made_anew_refuses_the_commit()
    {
        await using TestStore test = new();
        test.Store.CreateColumnFamily("orders");
        await test.WriteAsync(Put("a", "1", "orders"));
        TransactionReads reads = test.Store.ReadForCommit([("orders", Bytes("a"))]);
        ScanRequest request = new("orders", KeyRange.All, false, 10, 1 << 20);
        ScanPage page = test.Store.ScanForCommit(request, out Guid life);
        ReadSetCommit ofKeys = new(
            Guid.NewGuid(), reads.Life, [new KeyRead("orders", Bytes("a"), reads.Sequence)],
            [Put("b", "mine", "orders")], Durability.Buffered);
        ReadSetCommit ofRanges = ofKeys with
        {
            Id = Guid.NewGuid(),
            Life = life,
            Reads = [],
            Ranges = [new RangeRead("orders", default, default, page.Sequence)],
        };
        ReadSetCommit before = new(
            Guid.NewGuid(), reads.Life, ofKeys.Reads, [Put("kept", "1")], Durability.Buffered);
        CommitResult committed = await test.Store.CommitAsync(before, CancellationToken.None);

        test.Store.DropColumnFamily("orders");
        test.Store.CreateColumnFamily("orders");
        CommitResult keys = await test.Store.CommitAsync(ofKeys, CancellationToken.None);
        CommitResult ranges = await test.Store.CommitAsync(ofRanges, CancellationToken.None);
        CommitResult repeated = await test.Store.CommitAsync(
            before with { IsRepeated = true }, CancellationToken.None);
        CommitResult again = await CommitAsync(
            test.Store, test.Store.ReadForCommit([("orders", Bytes("a"))]), ["a"], Put("c", "3"));

        Assert.Equal((true, committed.Sequence), (repeated.Committed, repeated.Sequence));
        Assert.Equal((ConflictKind.TooOld, "orders"), (keys.Conflict!.Kind, keys.Conflict.ColumnFamily));
        Assert.Equal((ConflictKind.TooOld, "orders"), (ranges.Conflict!.Kind, ranges.Conflict.ColumnFamily));
        Assert.Null(test.Get("b", "orders"));
        Assert.True(again.Committed);
    }

    [Theory]
    [InlineData("b", true)]
    [InlineData("bb", true)]
    [InlineData("a", false)]
    [InlineData("c", false)]
    public async Task A_range_that_was_read_and_written_since_refuses_the_commit(string key, bool refuses)
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("b", "1"));
        ScanRequest request = new(null, new KeyRange(Bytes("b"), Bytes("c")), false, 10, 1 << 20);
        ScanPage page = test.Store.ScanForCommit(request, out Guid life);
        await test.WriteAsync(Put(key, "theirs"));
        ReadSetCommit commit = new(
            Guid.NewGuid(), life, [], [Put("z", "mine")], Durability.Buffered,
            Ranges: [new RangeRead(null, Bytes("b"), Bytes("c"), page.Sequence)]);

        CommitResult result = await test.Store.CommitAsync(commit, CancellationToken.None);

        Assert.Equal(!refuses, result.Committed);
        Assert.Equal(refuses ? key : null, result.Conflict is { } conflict ? Text(conflict.Key) : null);
        Assert.Equal(refuses ? null : "mine", test.Get("z"));
    }

    [Fact]
    public async Task A_range_that_no_scan_for_a_commit_has_read_or_that_is_of_another_opening_is_too_old()
    {
        await using TestStore test = new();
        await test.WriteAsync(Put("b", "1"));
        TransactionReads reads = test.Store.ReadForCommit([]);
        await test.WriteAsync(Put("c", "1"));
        ReadSetCommit commit = new(
            Guid.NewGuid(), reads.Life, [], [Put("z", "mine")], Durability.Buffered,
            Ranges: [new RangeRead(null, Bytes("b"), default, reads.Sequence)]);

        CommitResult unread = await test.Store.CommitAsync(commit, CancellationToken.None);
        await test.ReopenAsync();
        CommitResult reopened = await test.Store.CommitAsync(commit, CancellationToken.None);
        StorageException malformed = await Assert.ThrowsAsync<StorageException>(() => test.Store.CommitAsync(
            commit with { Ranges = [new RangeRead(null, new byte[65_538], default, default)] },
            CancellationToken.None));

        Assert.Equal(
            (ConflictKind.TooOld, ConflictKind.TooOld), (unread.Conflict!.Kind, reopened.Conflict!.Kind));
        Assert.Equal(FailureKind.InvalidArgument, malformed.Kind);
    }

    [Fact]
    public async Task Sent_again_after_a_lost_answer_the_same_answer_comes_and_nothing_is_applied_twice()
    {
        await using TestStore test = new();
        TransactionReads reads = test.Store.ReadForCommit([(null, Bytes("n"))]);
        ReadSetCommit commit = Commit(reads, ["n"], Put("n", "1"));

        CommitResult first = await test.Store.CommitAsync(commit, CancellationToken.None);
        await test.WriteAsync(Put("n", "2"));
        CommitResult second = await test.Store.CommitAsync(
            commit with { IsRepeated = true }, CancellationToken.None);

        Assert.True(first.Committed);
        Assert.Equal(first, second);
        Assert.Equal("2", test.Get("n"));
    }

    [Fact]
    public async Task A_store_that_was_opened_again_refuses_old_reads_and_does_not_know_old_commits()
    {
        await using TestStore test = new();
        TransactionReads reads = test.Store.ReadForCommit([(null, Bytes("n"))]);
        ReadSetCommit commit = Commit(reads, ["n"], Put("n", "1"));
        await test.ReopenAsync();

        CommitResult refused = await test.Store.CommitAsync(commit, CancellationToken.None);
        StorageException unknown = await Assert.ThrowsAsync<StorageException>(
            () => test.Store.CommitAsync(commit with { IsRepeated = true }, CancellationToken.None));

        Assert.Equal(ConflictKind.TooOld, refused.Conflict!.Kind);
        Assert.Equal(FailureKind.OutcomeUnknown, unknown.Kind);
        Assert.Null(test.Get("n"));
    }

    [Fact]
    public async Task One_that_may_have_been_forgotten_says_so_instead_of_being_applied_again()
    {
        await using TestStore test = new();
        TransactionReads reads = test.Store.ReadForCommit([(null, Bytes("n"))]);
        ReadSetCommit commit = Commit(reads, ["n"], Put("n", "1"));
        await test.Store.CommitAsync(commit, CancellationToken.None);
        for (int i = 0; i < 4200; i++)
        {
            await test.Store.CommitAsync(Commit(reads, [], Put("x", "y")), CancellationToken.None);
        }

        StorageException unknown = await Assert.ThrowsAsync<StorageException>(
            () => test.Store.CommitAsync(commit with { IsRepeated = true }, CancellationToken.None));

        Assert.Equal(FailureKind.OutcomeUnknown, unknown.Kind);
    }

    [Fact]
    public async Task One_that_failed_when_it_may_have_been_applied_is_not_tried_again()
    {
        using TestCommit commitStep = new() { WritesBeforeFailing = true };
        await using TestStore test = new(seams: commitStep.Seams);
        TransactionReads reads = test.Store.ReadForCommit([(null, Bytes("n"))]);
        ReadSetCommit commit = Commit(reads, ["n"], Put("n", "1"));
        commitStep.Fault = call => call == 1 ? TestCommit.Failure(RocksDb.RocksDbStatus.IOError) : null;

        StorageException first = await Assert.ThrowsAsync<StorageException>(
            () => test.Store.CommitAsync(commit, CancellationToken.None));
        StorageException second = await Assert.ThrowsAsync<StorageException>(
            () => test.Store.CommitAsync(commit with { IsRepeated = true }, CancellationToken.None));

        Assert.Equal(FailureKind.Io, first.Kind);
        Assert.Equal(FailureKind.OutcomeUnknown, second.Kind);
    }

    private static Task<CommitResult> CommitAsync(
        LocalStore store, TransactionReads reads, string[] keys, params WriteOperation[] operations) =>
        store.CommitAsync(Commit(reads, keys, operations), CancellationToken.None);

    private static ReadSetCommit Commit(TransactionReads reads, string[] keys, params WriteOperation[] operations) =>
        new(Guid.NewGuid(), reads.Life, [.. keys.Select(key => new KeyRead(null, Bytes(key), reads.Sequence))],
            operations, Durability.Buffered);
}
