using System.Text.RegularExpressions;

namespace Branching.Storage.Tests.Shared;

/// <summary>
/// What a loss of power leaves of a directory, by the system calls that a process really made (the output of
/// <c>strace -f -y</c>): the content of a file is safe from its fsync on, a name with the fsync of its directory.
/// </summary>
/// <remarks>
/// A name that was not fsynced may be there or not, whichever is worse. So a file must not have a name that others look
/// for before its content is safe, and an answer needs both to be safe.
/// </remarks>
internal sealed partial class TracedDisk(string root)
{
    private readonly Dictionary<string, Inode> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Inode> _durable = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _unfinished = new(StringComparer.Ordinal);

    /// <summary>What is wrong at any moment, a sentence each.</summary>
    public List<string> Problems { get; } = [];

    /// <summary>Changes of the directory that were seen.</summary>
    public int Changes { get; private set; }

    /// <summary>A directory or file that is there from the beginning.</summary>
    public void Has(string path, bool isDurable)
    {
        Inode inode = new(Directory.Exists(path)) { IsDirty = !isDurable };
        _names[path] = inode;
        if (isDurable)
        {
            _durable[path] = inode;
        }
    }

    /// <summary>Takes the next line of the trace.</summary>
    /// <returns>What the process said with it; <see langword="null"/>: nothing.</returns>
    public string? Take(string line)
    {
        if (Complete(line) is not { } call || CallPattern().Match(call) is not { Success: true } match
            || match.Groups["result"].Value.StartsWith('-'))
        {
            return null;
        }

        string name = match.Groups["name"].Value;
        string arguments = match.Groups["arguments"].Value;
        if (name == "write" && SaidPattern().Match(arguments) is { Success: true } said)
        {
            return said.Groups["text"].Value;
        }

        Apply(name, arguments);
        return null;
    }

    /// <summary>Whether a file survives a loss of power now; else why not.</summary>
    public string? WhyLost(string path)
    {
        if (!_durable.TryGetValue(path, out Inode? inode))
        {
            return $"the name '{path}' is not durable";
        }

        for (string parent = Path.GetDirectoryName(path)!; parent.Length > root.Length;
            parent = Path.GetDirectoryName(parent)!)
        {
            if (!_durable.ContainsKey(parent))
            {
                return $"the name of its directory '{parent}' is not durable";
            }
        }

        return inode.IsDirty ? $"the content of '{path}' is not durable"
            : _names.GetValueOrDefault(path) != inode ? $"what took the place of '{path}' is not durable"
            : null;
    }

    /// <summary>Whether a name may be there after a loss of power.</summary>
    public bool MayBeThere(string path) => _names.ContainsKey(path) || _durable.ContainsKey(path);

    /// <summary>A call that another thread's came in the middle of is shown in two lines.</summary>
    private string? Complete(string line)
    {
        Match match = LinePattern().Match(line);
        string process = match.Groups["process"].Value;
        string rest = match.Groups["rest"].Value;
        const string Unfinished = " <unfinished ...>";
        if (rest.EndsWith(Unfinished, StringComparison.Ordinal))
        {
            _unfinished[process] = rest[..^Unfinished.Length];
            return null;
        }

        return ResumedPattern().Match(rest) is { Success: true } resumed
            && _unfinished.Remove(process, out string? begun) ? begun + resumed.Groups["rest"].Value : rest;
    }

    private void Apply(string name, string arguments)
    {
        string[] paths = [.. PathPattern().Matches(arguments).Select(path => path.Groups["path"].Value)];
        string? open = DescriptorPattern().Match(arguments) is { Success: true } descriptor
            ? descriptor.Groups["path"].Value
            : null;
        switch (name)
        {
            case "openat" or "open" when IsOurs(paths[0]):
                Open(paths[0], arguments);
                break;
            case "mkdir" or "mkdirat" when IsOurs(paths[0]):
                Change();
                _names[paths[0]] = new Inode(isDirectory: true);
                break;
            case "link" or "linkat" when IsOurs(paths[1]):
                Change();
                Show(paths[1], _names[paths[0]]);
                break;
            case "rename" or "renameat" or "renameat2" when IsOurs(paths[1]):
                Change();
                Show(paths[1], _names[paths[0]]);
                _names.Remove(paths[0]);
                break;
            case "unlink" or "unlinkat" or "rmdir" when IsOurs(paths[0]):
                Change();
                _names.Remove(paths[0]);
                break;
            case "write" or "pwrite64" or "writev" or "pwritev" or "ftruncate" or "copy_file_range"
                when open is not null && _names.TryGetValue(open, out Inode? written):
                Change();
                written.IsDirty = true;
                Show(open, written);
                break;
            case "fsync" or "fdatasync" when open is not null && _names.TryGetValue(open, out Inode? flushed):
                Flush(open, flushed);
                break;
            default:
                break;
        }
    }

    private void Open(string path, string arguments)
    {
        bool creates = arguments.Contains("O_CREAT", StringComparison.Ordinal);
        if (creates && !_names.ContainsKey(path))
        {
            Change();
            Inode created = new(isDirectory: false);
            _names[path] = created;
            Show(path, created);
        }
        else if (arguments.Contains("O_TRUNC", StringComparison.Ordinal))
        {
            _names[path].IsDirty = true;
            Show(path, _names[path]);
        }
    }

    private void Flush(string path, Inode inode)
    {
        inode.IsDirty = false;
        if (!inode.IsDirectory)
        {
            return;
        }

        foreach (string gone in _durable.Keys.Where(name => IsIn(path, name)).Except(_names.Keys).ToArray())
        {
            _durable.Remove(gone);
        }

        foreach ((string name, Inode there) in _names.Where(one => IsIn(path, one.Key)))
        {
            _durable[name] = there;
        }
    }

    /// <summary>From now on a loss of power may leave this name.</summary>
    private void Show(string path, Inode inode)
    {
        _names[path] = inode;
        bool isLookedFor = !path.Contains("/.tmp/", StringComparison.Ordinal)
            && path.StartsWith(root + "/shared/", StringComparison.Ordinal);
        if (isLookedFor && inode.IsDirty)
        {
            Problems.Add($"'{path}' has a name before its content is durable");
        }
    }

    private void Change() => Changes++;

    private bool IsOurs(string path) => path.StartsWith(root + "/", StringComparison.Ordinal);

    private static bool IsIn(string directory, string path) => Path.GetDirectoryName(path) == directory;

    [GeneratedRegex(@"^(?<process>\d+) +(?<rest>.*)$", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LinePattern();

    [GeneratedRegex(@"^<\.\.\. \w+ resumed>(?<rest>.*)$", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ResumedPattern();

    [GeneratedRegex(
        @"^(?<name>\w+)\((?<arguments>.*)\) += (?<result>-?\w+)", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CallPattern();

    // Paths are absolute and quoted; descriptors are followed by theirs.
    [GeneratedRegex("\"(?<path>/[^\"]*)\"", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PathPattern();

    [GeneratedRegex(@"^\d+<(?<path>/[^>]*)>", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex DescriptorPattern();

    [GeneratedRegex(
        "^[0-9]+<pipe:[^>]*>, \"(?<text>(put|deleting|deleted) [^\"\\\\]*)", RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex SaidPattern();

    private sealed class Inode(bool isDirectory)
    {
        public bool IsDirectory { get; } = isDirectory;

        public bool IsDirty { get; set; }
    }
}
