namespace Branching.Storage.Shared;

/// <summary>The rule for names on shared storage.</summary>
internal static class SharedNames
{
    /// <summary>The longest segment that common file systems take, less room for a suffix.</summary>
    public const int MaxSegment = 200;

    /// <summary>Refuses a name that is not segments of <c>A-Z a-z 0-9 . _ -</c> without a leading dot.</summary>
    public static void Check(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach (Range range in name.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> segment = name.AsSpan(range);
            if (segment.IsEmpty || segment.Length > MaxSegment || segment[0] == '.'
                || segment.ContainsAnyExcept(_legal))
            {
                throw new StorageException(
                    FailureKind.InvalidArgument,
                    $"'{Names.Show(name)}' is not a name on shared storage: use segments of 1 to {MaxSegment} of " +
                    "A-Z, a-z, 0-9, '.', '_' and '-' that do not begin with '.', separated by '/'.");
            }
        }
    }

    /// <summary>As <see cref="Check"/>; the empty name is the top.</summary>
    public static void CheckDirectory(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length > 0)
        {
            Check(name);
        }
    }

    private static readonly System.Buffers.SearchValues<char> _legal = System.Buffers.SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}
