namespace Branching.RocksDb.Interop;

/// <summary>What names and paths must be before they cross the border as zero-terminated text.</summary>
internal static class NameRules
{
    /// <exception cref="ArgumentException">Empty, or with a zero character.</exception>
    public static void RequireFamilyName(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("The name of a column family cannot contain a zero character.", nameof(name));
        }
    }

    /// <summary>The full path; <see cref="Path.GetFullPath(string)"/> refuses zero characters.</summary>
    public static string RequirePath(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
    }
}
