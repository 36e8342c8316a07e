using System.Text;
using Branching.Storage;
using Branching.Storage.Bulk;

namespace Branching.Grains.Tests;

public sealed class OpenBulkLoadTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    [Fact]
    public Task A_load_whose_client_is_silent_is_forgotten_also_after_a_part_that_failed() => WithLoadAsync(
        async (open, clock, forgotten) =>
        {
            Assert.Equal(_patience, clock.Due);
            await open.AddAsync(Part(open, 1, "a"), default);
            Assert.Equal(_patience, clock.Due);
            await Assert.ThrowsAsync<StorageException>(() => open.AddAsync(Part(open, 2, ""), default));
            Assert.Equal(_patience, clock.Due);
            await Assert.ThrowsAsync<StorageException>(() => open.AddAsync(Part(open, 2, "b"), default));
            Assert.Equal(_patience, clock.Due);
            Assert.Empty(forgotten);

            clock.Fire();

            Assert.Same(open, Assert.Single(forgotten));
        });

    [Fact]
    public Task While_a_part_is_taken_its_client_is_not_silent() => WithLoadAsync(async (open, clock, _) =>
    {
        await open.AddAsync(Part(open, 1, "a"), default);

        Assert.Equal([_patience, Timeout.InfiniteTimeSpan, _patience], clock.Dues);
        Assert.Equal(1, (await open.CompleteAsync(default)).Records);
    });

    /// <summary>Gives a load into a database of its own, its clock, and the loads that were forgotten.</summary>
    private static async Task WithLoadAsync(Func<OpenBulkLoad, OneTimer, List<OpenBulkLoad>, Task> test)
    {
        DirectoryInfo place = Directory.CreateTempSubdirectory("branching-load-");
        try
        {
            await using DataRoot root = await DataRoot.OpenAsync(new StorageOptions { DataRoot = place.FullName });
            Database database = await root.CreateDatabaseAsync(DatabaseName.Parse("shop"), "test", default);
            BulkLoad load = await database.BeginBulkLoadAsync(BranchName.Main, new BulkLoadOptions(), default);
            OneTimer clock = new();
            List<OpenBulkLoad> forgotten = [];
            await using OpenBulkLoad open = new(load, clock, forgotten.Add);
            await test(open, clock, forgotten);
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    private static BulkLoadPart Part(OpenBulkLoad load, long number, string key) =>
        new(load.Id, number, [new Entry(Encoding.UTF8.GetBytes(key), "value"u8.ToArray())]);

    /// <summary>A clock with one timer, which fires when it is told to.</summary>
    private sealed class OneTimer : TimeProvider
    {
        private Action _fire = static () => { };

        public List<TimeSpan> Dues { get; } = [];

        public TimeSpan Due => Dues[^1];

        public void Fire() => _fire();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _fire = () => callback(state);
            Dues.Add(dueTime);
            return new Timer(Dues);
        }

        private sealed class Timer(List<TimeSpan> dues) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                dues.Add(dueTime);
                return true;
            }

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
