using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Lets a process end with databases open.</summary>
/// <remarks>
/// At the end of a process the C library destroys what RocksDB keeps for the whole process, while threads may still be
/// inside RocksDB: it then aborts ("pthread lock: Invalid argument"), and what was an orderly end has exit code 134.
/// So when databases are open, the process ends without that. Nothing is lost by it: every write that was answered is
/// with the operating system, or on the disk where it was asked for.
/// </remarks>
internal static unsafe class ProcessEnd
{
    private static int _open;

    static ProcessEnd() => AppDomain.CurrentDomain.ProcessExit += static (_, _) => SkipDestruction();

    /// <summary>A database was opened.</summary>
    public static void NoteOpened() => Interlocked.Increment(ref _open);

    /// <summary>A database was closed.</summary>
    public static void NoteClosed() => Interlocked.Decrement(ref _open);

    /// <summary>
    /// What is registered last runs first: <c>_exit</c>, with the status the process ends with, before anything is
    /// destroyed. Handlers of .NET's own event are not skipped by it.
    /// </summary>
    private static void SkipDestruction()
    {
        const string C = "libc";
        if (Volatile.Read(ref _open) > 0 && OperatingSystem.IsLinux()
            && NativeLibrary.TryLoad(C, typeof(ProcessEnd).Assembly, null, out nint library)
            && NativeLibrary.TryGetExport(library, "_exit", out nint end)
            && NativeLibrary.TryGetExport(library, "on_exit", out nint register)) // GNU's only.
        {
            _ = ((delegate* unmanaged<nint, nint, int>)register)(end, 0);
        }
    }
}
