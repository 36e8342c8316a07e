using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Branching.RocksDb.Files;

/// <summary>
/// An exclusive, advisory lock on a file, held by one process until disposed or until the process ends.
/// </summary>
/// <remarks>
/// The lock is the operating system's (<c>flock</c>), so a killed holder leaves none behind; the file itself stays,
/// because deleting it would let two processes lock two files of one name. Its text is the holder's process id.
/// </remarks>
public sealed class DirectoryLock : IDisposable
{
    private const int WouldBlock = 11;
    private const int Interrupted = 4;
    private int _descriptor;

    private DirectoryLock(int descriptor) => _descriptor = descriptor;

    /// <summary>Takes the lock, creating the file when absent.</summary>
    /// <param name="lockFile">The file; its directory must exist.</param>
    /// <param name="holderPid">When the lock is held: the process that holds it, if the file tells.</param>
    /// <returns>The lock, or <see langword="null"/> when it is held, by another process or by this one.</returns>
    /// <exception cref="LocalFileException">The file cannot be opened, locked or written.</exception>
    public static DirectoryLock? TryAcquire(string lockFile, out int? holderPid)
    {
        holderPid = null;
        int descriptor = FileNative.open(
            lockFile, FileNative.OpenReadWrite | FileNative.OpenCreate | FileNative.OpenCloseOnExec, 0x1a4 /* 0644 */);
        if (descriptor < 0)
        {
            throw new LocalFileException("open", lockFile, Marshal.GetLastPInvokeError());
        }

        int errno = Lock(descriptor);
        if (errno == 0)
        {
            errno = WritePid(descriptor);
            if (errno == 0)
            {
                return new DirectoryLock(descriptor);
            }
        }

        if (errno == WouldBlock)
        {
            holderPid = ReadPid(descriptor);
        }

        _ = FileNative.close(descriptor);
        if (errno == WouldBlock)
        {
            return null;
        }

        throw new LocalFileException("lock", lockFile, errno);
    }

    /// <summary>Releases the lock. The file stays.</summary>
    public void Dispose()
    {
        int descriptor = Interlocked.Exchange(ref _descriptor, -1);
        if (descriptor >= 0)
        {
            // A process being started holds a copy of the descriptor until it runs its own program; closing alone would
            // leave the lock with it for that moment.
            _ = FileNative.flock(descriptor, FileNative.LockRelease);
            _ = FileNative.close(descriptor);
        }

        GC.SuppressFinalize(this);
    }

    private static int Lock(int descriptor)
    {
        while (FileNative.flock(descriptor, FileNative.LockExclusive | FileNative.LockNonBlocking) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Interrupted)
            {
                return errno;
            }
        }

        return 0;
    }

    private static unsafe int WritePid(int descriptor)
    {
        byte[] text = Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        fixed (byte* bytes = text)
        {
            // The pid only helps a person; a full disk must not keep the holder from starting, so only a
            // failing device counts.
            const int NoSpace = 28;
            const int Quota = 122;
            if (FileNative.ftruncate(descriptor, 0) != 0
                || FileNative.pwrite(descriptor, bytes, (nuint)text.Length, 0) != text.Length)
            {
                int errno = Marshal.GetLastPInvokeError();
                return errno is NoSpace or Quota ? 0 : errno;
            }
        }

        return 0;
    }

    /// <summary>
    /// The number in the file. Not read through FileStream, which takes an advisory lock of its own and is refused.
    /// </summary>
    private static unsafe int? ReadPid(int descriptor)
    {
        Span<byte> text = stackalloc byte[16];
        fixed (byte* bytes = text)
        {
            nint length = FileNative.pread(descriptor, bytes, (nuint)text.Length, 0);
            return length > 0 && Utf8Parser.TryParse(text[..(int)length], out int pid, out _) ? pid : null;
        }
    }
}
