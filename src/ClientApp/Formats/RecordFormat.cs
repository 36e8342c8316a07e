namespace Branching.ClientApp.Formats;

/// <summary>A file format of <c>import</c> and <c>export</c> (docs/cli.md defines them).</summary>
internal enum RecordFormat
{
    Tsv,
    Ndjson,
    Csv,
}

/// <summary>What reading the next record came to.</summary>
internal enum ReadOutcome
{
    Record,
    Malformed,
    End,
}

/// <summary>A place in an imported file that cannot be read.</summary>
/// <param name="Line">Counted from 1.</param>
/// <param name="Column">Characters from the beginning of the line, counted from 1.</param>
/// <param name="Reason">What is wrong there.</param>
internal sealed record MalformedRecord(long Line, int Column, string Reason)
{
    public override string ToString() => $"line {Line}, column {Column}: {Reason}";
}

/// <summary>The sizes that a record may have.</summary>
internal static class RecordLimits
{
    /// <summary>The store's limit for a key.</summary>
    public const int MaxKeyBytes = 64 * 1024;

    /// <summary>
    /// Key and value together. The limit of a request is 4 MiB by default; 64 KiB of it are left to its frame.
    /// </summary>
    public const int MaxRecordBytes = (4 * 1024 * 1024) - (64 * 1024);

    /// <summary>
    /// The longest line that is read. JSON writes a zero byte in six characters, so the largest record fits whatever it
    /// holds.
    /// </summary>
    public const int MaxLineBytes = 32 * 1024 * 1024;
}
