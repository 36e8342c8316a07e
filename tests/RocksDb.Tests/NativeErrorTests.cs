using Branching.RocksDb.Interop;

namespace Branching.RocksDb.Tests;

public sealed class NativeErrorTests
{
    [Theory]
    [InlineData("NotFound: ", RocksDbStatus.NotFound)]
    [InlineData("Corruption: block checksum mismatch", RocksDbStatus.Corruption)]
    [InlineData("Not implemented: Supported only by secondary instance", RocksDbStatus.NotSupported)]
    [InlineData("Invalid argument: Column families not opened: g", RocksDbStatus.InvalidArgument)]
    [InlineData("Column family dropped: ", RocksDbStatus.InvalidArgument)]
    [InlineData("Result incomplete: no blocking io", RocksDbStatus.Incomplete)]
    [InlineData("Result incomplete: Write stall", RocksDbStatus.Incomplete)]
    [InlineData("Shutdown in progress: ", RocksDbStatus.ShutdownInProgress)]
    [InlineData("Operation timed out: Mutex", RocksDbStatus.TimedOut)]
    [InlineData("Operation aborted: Background error", RocksDbStatus.Aborted)]
    [InlineData("Resource busy: ", RocksDbStatus.Busy)]
    [InlineData("Resource busy: Deadlock", RocksDbStatus.Deadlock)]
    [InlineData("Resource busy: Failed to acquire lock due to max_num_locks limit", RocksDbStatus.LockLimit)]
    [InlineData("Operation timed out: Timeout waiting to lock key", RocksDbStatus.LockTimedOut)]
    [InlineData("Operation expired: ", RocksDbStatus.Expired)]
    [InlineData("Operation failed. Try again.: ", RocksDbStatus.TryAgain)]
    [InlineData("IO error: While read: /x: Input/output error", RocksDbStatus.IOError)]
    [InlineData("IO error: No space left on device: While appending: /x", RocksDbStatus.NoSpace)]
    [InlineData("IO error: While appending to file: /x: Disk quota exceeded", RocksDbStatus.NoSpace)]
    [InlineData("IO error: No such file or directory: While mkdir: /x", RocksDbStatus.PathNotFound)]
    [InlineData("IO error: While mkdir if missing: /x: Permission denied", RocksDbStatus.PermissionDenied)]
    [InlineData("IO error: While open: /x: Read-only file system", RocksDbStatus.PermissionDenied)]
    [InlineData("IO error: While open a file: /x: Too many open files", RocksDbStatus.TooManyOpenFiles)]
    [InlineData("IO error: While lock file: /x/LOCK: Resource temporarily unavailable", RocksDbStatus.LockHeld)]
    [InlineData(
        "IO error: lock hold by current process, acquire time 1 acquiring thread 2: /x/LOCK: No locks available",
        RocksDbStatus.LockHeld)]
    [InlineData("IO error: While lock file: /x/LOCK: Permission denied", RocksDbStatus.PermissionDenied)]
    [InlineData("IO error: While read: /Permission denied/y: Input/output error", RocksDbStatus.IOError)]
    [InlineData("Something new: entirely", RocksDbStatus.Unknown)]
    [InlineData("", RocksDbStatus.Unknown)]
    public void The_text_of_a_status_has_one_meaning(string text, RocksDbStatus status)
    {
        Assert.Equal(status, NativeError.Classify(text));
    }

    [Fact]
    public void No_error_is_no_exception()
    {
        NativeError.ThrowIfSet(0, "put", "/x");
    }

    [Fact]
    public void The_message_has_the_operation_the_path_and_the_native_text()
    {
        RocksDbException failure = new(RocksDbStatus.IOError, "put", "/data/db", "IO error: broken");

        Assert.Equal("put failed on /data/db: IO error: broken", failure.Message);
        Assert.Equal("put", failure.Operation);
        Assert.Equal(RocksDbStatus.Unknown, new RocksDbException("text").Status);
    }

    [Fact]
    public void The_numbers_of_statuses_do_not_change()
    {
        string numbers = string.Join(
            ' ', Enum.GetValues<RocksDbStatus>().Select(status => $"{status}={(int)status}"));

        Assert.Equal(
            "Ok=0 NotFound=1 Corruption=2 NotSupported=3 InvalidArgument=4 IOError=5 NoSpace=6 PathNotFound=7 "
            + "LockHeld=8 PermissionDenied=9 TooManyOpenFiles=10 Busy=11 TimedOut=12 Aborted=13 TryAgain=14 "
            + "Incomplete=15 ShutdownInProgress=16 Unknown=17 MergeFailed=18 Deadlock=19 LockTimedOut=20 LockLimit=21 "
            + "Expired=22",
            numbers);
    }
}
