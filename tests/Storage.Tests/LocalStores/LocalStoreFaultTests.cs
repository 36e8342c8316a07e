using Branching.RocksDb;
using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.LocalStores;

public sealed class LocalStoreFaultTests
{
    [Theory]
    [InlineData(RocksDbStatus.IOError, FailureKind.Io)]
    [InlineData(RocksDbStatus.NoSpace, FailureKind.DiskFull)]
    [InlineData(RocksDbStatus.Corruption, FailureKind.Corruption)]
    public async Task A_failed_commit_fails_its_whole_group_and_poisons_the_store(
        RocksDbStatus status, FailureKind expected)
    {
        using TestCommit commit = new() { Fault = call => call == 2 ? TestCommit.Failure(status) : null };
        await using TestStore test = new(seams: commit.Seams);
        commit.Hold();
        Task<WriteResult> kept = test.WriteAsync(Put("kept", "1"));
        await commit.EnteredAsync();
        Task<WriteResult>[] group = [.. Enumerable.Range(0, 8).Select(i => test.WriteAsync(Put($"lost{i}", "1")))];

        commit.Release();

        Assert.True((await kept).Applied);
        foreach (Task<WriteResult> write in group)
        {
            StorageException failure = await Assert.ThrowsAsync<StorageException>(() => write);
            Assert.Equal(expected, failure.Kind);
            Assert.Contains("store 'store'", failure.Message, StringComparison.Ordinal);
        }

        StorageException later = await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("later", "1")));
        Assert.Equal(FailureKind.Poisoned, later.Kind);
        Assert.Equal(expected, Assert.IsType<StorageException>(later.InnerException).Kind);
        Assert.False(test.Store.Health.IsHealthy);
        Assert.Equal(2, commit.Calls);
    }

    [Fact]
    public async Task A_poisoned_store_reads_refuses_every_change_and_heals_when_reopened()
    {
        using TestCommit commit = new()
        {
            Fault = call => call == 2 ? TestCommit.Failure(RocksDbStatus.IOError) : null,
        };
        await using TestStore test = new(seams: commit.Seams);
        await test.WriteAsync(Put("k", "v"));
        await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("lost", "1")));

        Action[] changes =
        [
            () => test.Store.CreateColumnFamily("new"),
            () => test.Store.Flush(),
            () => test.Store.CreateCheckpoint(test.InRoot("checkpoint")),
            () => test.Store.ThrowIfPoisoned(),
        ];

        Assert.All(changes, change => Assert.Equal(
            FailureKind.Poisoned, Assert.Throws<StorageException>(change).Kind));
        Assert.False(Path.Exists(test.InRoot("checkpoint")));
        Assert.Equal("v", test.Get("k"));
        Assert.Single(test.Store.Scan(All()).Entries);

        await test.ReopenAsync();
        Assert.True(test.Store.Health.IsHealthy);
        Assert.True((await test.WriteAsync(Put("after", "1"))).Applied);
        Assert.Equal("v", test.Get("k"));
    }

    [Fact]
    public async Task A_write_that_failed_after_the_log_may_be_there_when_reopened_but_never_in_part()
    {
        using TestCommit commit = new()
        {
            Fault = static _ => TestCommit.Failure(RocksDbStatus.IOError),
            WritesBeforeFailing = true,
        };
        await using TestStore test = new(seams: commit.Seams);
        await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1"), Put("b", "1")));

        await test.ReopenAsync(LocalStoreSeams.Real);

        Assert.Equal(test.Get("a"), test.Get("b"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(20)]
    public async Task Whatever_commit_fails_every_acknowledged_write_is_there_after_reopening(int failing)
    {
        using TestCommit commit = new()
        {
            Fault = call => call == failing ? TestCommit.Failure(RocksDbStatus.NoSpace) : null,
        };
        await using TestStore test = new(seams: commit.Seams);
        List<string> acknowledged = [];
        List<FailureKind> failures = [];

        for (int i = 0; i < 20; i++)
        {
            try
            {
                await test.WriteAsync(Put($"k{i:00}", "1"));
                acknowledged.Add($"k{i:00}");
            }
            catch (StorageException e)
            {
                failures.Add(e.Kind);
            }
        }

        await test.ReopenAsync();
        Assert.Equal(failing - 1, acknowledged.Count);
        Assert.Equal(FailureKind.DiskFull, failures[0]);
        Assert.All(failures.Skip(1), kind => Assert.Equal(FailureKind.Poisoned, kind));
        Assert.Equal(acknowledged, Keys(test.Store.Scan(All()).Entries), StringComparer.Ordinal);
    }

    [Theory]
    [InlineData(RocksDbStatus.Busy)]
    [InlineData(RocksDbStatus.TryAgain)]
    [InlineData(RocksDbStatus.TimedOut)]
    public async Task A_commit_that_was_refused_before_the_log_poisons_nothing(RocksDbStatus status)
    {
        using TestCommit commit = new() { Fault = call => call == 1 ? TestCommit.Failure(status) : null };
        await using TestStore test = new(seams: commit.Seams);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1")));

        Assert.True(failure.IsTransient);
        Assert.True((await test.WriteAsync(Put("a", "2"))).Applied);
    }

    [Fact]
    public async Task A_defect_in_the_commit_is_answered_and_poisons_the_store()
    {
        using TestCommit commit = new() { Fault = static _ => new InvalidOperationException("defect") };
        await using TestStore test = new(seams: commit.Seams);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1")));

        Assert.Equal(FailureKind.Internal, failure.Kind);
        Assert.IsType<InvalidOperationException>(failure.InnerException);
        Assert.Equal(
            FailureKind.Poisoned,
            (await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1")))).Kind);
    }

    [Fact]
    public async Task A_request_whose_list_throws_fails_alone_and_leaves_the_store_healthy()
    {
        await using TestStore test = new();
        WriteRequest request = new(new TreacherousList(Put("a", "1"), Put("b", "1")), null, Durability.Buffered);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(
            async () => await test.Store.WriteAsync(request, CancellationToken.None));

        Assert.Equal(FailureKind.Internal, failure.Kind);
        Assert.True((await test.WriteAsync(Put("c", "1"))).Applied);
        Assert.Equal(["c"], Keys(test.Store.Scan(All()).Entries));
    }

    [Fact]
    public async Task Found_corruption_is_typed_and_poisons_the_store()
    {
        await using TestStore test = new();
        await test.WriteAsync([.. Enumerable.Range(0, 2000).Select(i => Put($"k{i:0000}", new string('v', 100)))]);
        test.Store.Flush();
        await test.Store.DisposeAsync();
        Damage(Directory.GetFiles(test.InRoot("store"), "*.sst").Single());
        await test.ReopenAsync();

        StorageException failure = Assert.Throws<StorageException>(() => test.Store.Scan(All()));

        Assert.Equal(FailureKind.Corruption, failure.Kind);
        Assert.Equal(
            FailureKind.Poisoned,
            (await Assert.ThrowsAsync<StorageException>(() => test.WriteAsync(Put("a", "1")))).Kind);
    }

    private static void Damage(string file)
    {
        using FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = 2000; // Inside a data block: the index and footer at the end stay readable.
        int old = stream.ReadByte();
        stream.Position = 2000;
        stream.WriteByte((byte)(old ^ 0xFF));
    }

    // Behaves until its second full reading, in the middle of being appended.
    private sealed class TreacherousList(params WriteOperation[] operations) : List<WriteOperation>(operations),
        IReadOnlyList<WriteOperation>
    {
        private int _reads;

        WriteOperation IReadOnlyList<WriteOperation>.this[int index] => ++_reads > 2 * Count + 1
            ? throw new InvalidOperationException("changed while it was written")
            : base[index];
    }
}
