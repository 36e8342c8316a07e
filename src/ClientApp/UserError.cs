namespace Branching.ClientApp;

/// <summary>A failure that is told in one line, with one line of what to do about it, and no stack trace.</summary>
internal sealed class UserError(int exitCode, string message, string? hint = null, string kind = "Usage")
    : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    public string? Hint { get; } = hint;

    /// <summary>A stable word for scripts: the name of a failure kind, or one of this program's own.</summary>
    public string Kind { get; } = kind;
}
