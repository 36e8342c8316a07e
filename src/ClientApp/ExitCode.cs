namespace Branching.ClientApp;

/// <summary>What the process answers to its caller (docs/cli.md has the table). The numbers never change.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>A failure that none of the others names.</summary>
    public const int Failed = 1;

    /// <summary>The command line, or a name or size in it, is wrong.</summary>
    public const int Usage = 2;

    /// <summary>A database, branch, column family, key or file that does not exist.</summary>
    public const int NotFound = 3;

    /// <summary>
    /// Something of that name exists already, or a condition of a write did not hold. Nothing was changed.
    /// </summary>
    public const int Precondition = 4;

    /// <summary>Needs a confirmation that was not given. Nothing was changed.</summary>
    public const int Refused = 5;

    /// <summary>Held by another process, overloaded, or timed out: worth repeating.</summary>
    public const int Busy = 6;

    /// <summary>The imported file has records that cannot be read. Nothing was imported.</summary>
    public const int Malformed = 7;

    /// <summary>Interrupted by Ctrl-C or SIGTERM.</summary>
    public const int Interrupted = 130;
}
