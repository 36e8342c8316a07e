namespace Branching.Storage.Tests;

/// <summary>A fact that needs a file system of its own; where none may be mounted it is skipped and counted.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MountingFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> _reason = new(Probe);

    public MountingFactAttribute() => Skip = _reason.Value;

    private static string? Probe()
    {
        string directory = Directory.CreateTempSubdirectory("branching-mount-").FullName;
        try
        {
            if (!ChildProcess.Succeeds(out string answer, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory))
            {
                return $"This user may not mount a tmpfs. {answer}";
            }

            return ChildProcess.Succeeds(out answer, "umount", directory) ? null : answer;
        }
        finally
        {
            Directory.Delete(directory);
        }
    }
}

/// <summary>A fact about refused access: needs root, who can run a child as a user that is refused it.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class OtherUserFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> _reason = new(Probe);

    public OtherUserFactAttribute() => Skip = _reason.Value;

    private static string? Probe()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return "Needs root, to run a child process as another user.";
        }

        string directory = Directory.CreateTempSubdirectory("branching-nobody-").FullName;
        try
        {
            Access.Allow(directory);
            string[] child = ChildProcess.AsNobody(ChildProcess.Storage(Path.Combine(directory, "root"), "none"));
            return ChildProcess.Succeeds(out string answer, child)
                ? null
                : $"The user 65534 cannot run this test's child process. {answer}";
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}

/// <summary>As <see cref="OtherUserFactAttribute"/>, for theories.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class OtherUserTheoryAttribute : TheoryAttribute
{
    public OtherUserTheoryAttribute() => Skip = new OtherUserFactAttribute().Skip;
}

/// <summary>A fact about system calls: needs strace, and a process that may trace its children.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class TracingFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> _reason = new(Probe);

    public TracingFactAttribute() => Skip = _reason.Value;

    private static string? Probe() =>
        ChildProcess.Succeeds(out string answer, "strace", "-f", "-y", "-qq", "-e", "trace=fsync", "true")
            ? null
            : $"System calls cannot be traced here; 'strace' shows their order. {answer}";
}

/// <summary>A fact about a file that has as many names as it may have: 65,000 on ext4, too many elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FewLinksFactAttribute : FactAttribute
{
    public FewLinksFactAttribute()
    {
        string format = new DriveInfo(Path.GetTempPath()).DriveFormat;
        if (!format.StartsWith("ext", StringComparison.Ordinal))
        {
            Skip = $"'{Path.GetTempPath()}' is on {format}, where a file may have more links than a test can make.";
        }
    }
}

/// <summary>Who may enter, read and write what a test made.</summary>
internal static class Access
{
    private const UnixFileMode All = (UnixFileMode)0x1FF; // 0777

    /// <summary>Everybody may do everything, here and below.</summary>
    public static void Allow(string path)
    {
        Set(path, All);
        if (Directory.Exists(path))
        {
            foreach (string entry in Directory.EnumerateFileSystemEntries(path, "*", SearchOption.AllDirectories))
            {
                Set(entry, All);
            }
        }
    }

    /// <summary>Others may enter and read, not write.</summary>
    public static void ForbidWriting(string path) => Set(path, (UnixFileMode)0x1ED); // 0755

    /// <summary>Only the owner may do anything.</summary>
    public static void Forbid(string path) => Set(path, (UnixFileMode)0x1C0); // 0700

    private static void Set(string path, UnixFileMode mode)
    {
        // Windows has no such modes; the facts that need them are skipped there, for lack of another user.
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }
}
