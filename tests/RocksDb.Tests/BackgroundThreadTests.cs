using System.Globalization;
using Branching.RocksDb.Files;

namespace Branching.RocksDb.Tests;

public sealed class BackgroundThreadTests
{
    [Fact]
    public async Task Work_runs_on_a_thread_of_low_priority_and_its_result_arrives()
    {
        (int nice, bool pooled) = await BackgroundThread.RunAsync(
            "test", static () => (NiceOfThisThread(), Thread.CurrentThread.IsThreadPoolThread));

        Assert.Equal(10, nice);
        Assert.False(pooled);
        Assert.Equal(0, NiceOfThisThread());
    }

    [Fact]
    public async Task What_the_work_throws_is_thrown_to_the_one_who_waits()
    {
        Task<int> work = BackgroundThread.RunAsync<int>("test", static () => throw new IOException("the disk"));

        Assert.Equal("the disk", (await Assert.ThrowsAsync<IOException>(() => work)).Message);
    }

    [Fact]
    public void Room_for_open_files_is_reserved_up_to_the_limit_of_the_process()
    {
        Assert.True(LocalFiles.TryReserveDescriptors(700));
        Assert.False(LocalFiles.TryReserveDescriptors(int.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => LocalFiles.TryReserveDescriptors(0));
    }

    // Field 19 of proc_pid_stat(5), counted from behind the name, which may hold spaces.
    private static int NiceOfThisThread()
    {
        string stat = File.ReadAllText("/proc/thread-self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[16], CultureInfo.InvariantCulture);
    }
}
