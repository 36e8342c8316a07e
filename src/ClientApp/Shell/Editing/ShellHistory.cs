namespace Branching.ClientApp.Shell.Editing;

/// <summary>
/// Former lines, in a file of the user's configuration directory. A line that begins with a blank is not kept, nor one
/// that equals the line before it.
/// </summary>
internal sealed class ShellHistory
{
    /// <summary>Lines that are kept.</summary>
    public const int MaxLines = 1000;

    private readonly List<string> _lines = [];
    private string? _path;

    /// <summary>A history that ends with the process.</summary>
    public ShellHistory()
    {
    }

    private ShellHistory(string path) => _path = path;

    public IReadOnlyList<string> Lines => _lines;

    /// <summary>Why the file cannot be used; null when it can.</summary>
    public string? Problem { get; private set; }

    /// <summary>Where the history of this user is: <c>$XDG_CONFIG_HOME/branching/history</c>, else below
    /// <c>~/.config</c>; null when there is no home.</summary>
    public static string? PathFor(Func<string, string?> variable)
    {
        string? directory = variable("XDG_CONFIG_HOME");
        if (string.IsNullOrEmpty(directory) || !Path.IsPathRooted(directory))
        {
            directory = variable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".config") : null;
        }

        return directory is null ? null : Path.Combine(directory, "branching", "history");
    }

    /// <summary>Opens the history of a file, which need not exist. One that cannot be used is told by
    /// <see cref="Problem"/>.</summary>
    public static ShellHistory Open(string path)
    {
        var history = new ShellHistory(path);
        history.Try(() =>
        {
            if (!File.Exists(path))
            {
                return;
            }

            string[] lines = File.ReadAllLines(path);
            history._lines.AddRange(lines.TakeLast(MaxLines));
            if (lines.Length > 2 * MaxLines)
            {
                // Put in place by a rename, so that a shell that ends just now leaves the old file or the new one.
                string rewritten = path + ".new";
                File.WriteAllLines(rewritten, history._lines);
                Protect(rewritten);
                File.Move(rewritten, path, overwrite: true);
            }
        });
        return history;
    }

    /// <summary>Keeps a line.</summary>
    public void Add(string line)
    {
        line = line.TrimEnd();
        if (line.Length == 0 || line[0] == ' ' || (_lines.Count > 0 && _lines[^1] == line))
        {
            return;
        }

        _lines.Add(line);
        if (_path is { } path)
        {
            Try(() =>
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                bool fresh = !File.Exists(path);
                File.AppendAllText(path, line.ReplaceLineEndings(" ") + "\n");
                if (fresh)
                {
                    Protect(path);
                }
            });
        }
    }

    /// <summary>Goes through the lines, from the newest.</summary>
    public HistoryWalk Walk() => new(_lines);

    // Lines hold keys and values: nobody else is to read them.
    private static void Protect(string path)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    private void Try(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The shell works without; it is said once and not tried again.
            Problem = e.Message;
            _path = null;
        }
    }
}

/// <summary>One walk through former lines while a line is edited.</summary>
internal sealed class HistoryWalk(IReadOnlyList<string> lines)
{
    private int _at = lines.Count;
    private string _own = "";

    /// <summary>The line before; the same again at the oldest.</summary>
    public string Back(string current)
    {
        if (_at == 0)
        {
            return current;
        }

        if (_at == lines.Count)
        {
            _own = current;
        }

        return lines[--_at];
    }

    /// <summary>The line after; after the newest the one that was being edited.</summary>
    public string Forward(string current)
    {
        if (_at >= lines.Count)
        {
            return current;
        }

        return ++_at == lines.Count ? _own : lines[_at];
    }
}
