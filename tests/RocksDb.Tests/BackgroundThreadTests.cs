using System.Globalization;
using System.Runtime.InteropServices;
using Branching.RocksDb.Files;

namespace Branching.RocksDb.Tests;

public sealed partial class BackgroundThreadTests
{
    [Fact]
    public async Task Work_runs_on_a_thread_that_others_may_interrupt_and_its_result_arrives()
    {
        (ulong slice, int nice, bool pooled) = await BackgroundThread.RunAsync(
            "test", static () =>
                (SliceOfThisThread(), NiceOfThisThread(), Thread.CurrentThread.IsThreadPoolThread));

        // Kernels before 6.12 take the call, and tell nothing.
        Assert.True(slice is 100_000_000 or 0, $"{slice} ns");
        Assert.Equal(NiceOfThisThread(), nice);
        Assert.False(pooled);
    }

    [Fact]
    public void A_thread_that_lowers_its_priority_lowers_no_other()
    {
        int nice = -1;
        Thread thread = new(() =>
        {
            Assert.True(BackgroundThread.TryLowerPriority());
            nice = NiceOfThisThread();
        });
        thread.Start();
        thread.Join();

        Assert.Equal(10, nice);
        Assert.Equal(0, NiceOfThisThread());
    }

    [Fact]
    public void A_thread_gets_the_time_slice_it_asks_for_and_keeps_its_share()
    {
        (ulong? whole, ulong? brief, int nice) = (null, null, -1);
        Thread thread = new(() =>
        {
            Assert.True(TimeSlices.TryUseLong());
            whole = SliceOfThisThread();
            Assert.True(TimeSlices.TryUseShort());
            brief = SliceOfThisThread();
            nice = NiceOfThisThread();
        });
        thread.Start();
        thread.Join();

        // Kernels before 6.12 take the call, and tell nothing.
        Assert.True(whole is 100_000_000 or 0, $"{whole} ns");
        Assert.True(brief is 100_000 or 0, $"{brief} ns");
        Assert.Equal(NiceOfThisThread(), nice);
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

    private static ulong SliceOfThisThread()
    {
        const int Bytes = 48, Runtime = 24; // Of struct sched_attr, sched_setattr(2).
        byte[] attributes = new byte[Bytes];
        int call = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 275 : 315; // sched_getattr(2)
        Assert.Equal(0, syscall(call, 0, attributes, Bytes, 0));
        return BitConverter.ToUInt64(attributes, Runtime);
    }

    [LibraryImport("libc")]
    private static partial nint syscall(
        nint call, int thread, [Out] byte[] attributes, uint bytes, uint flags);

    // Field 19 of proc_pid_stat(5), counted from behind the name, which may hold spaces.
    private static int NiceOfThisThread()
    {
        string stat = File.ReadAllText("/proc/thread-self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[16], CultureInfo.InvariantCulture);
    }
}
