using Microsoft.Extensions.Logging;

namespace Branching.Storage.Ownership;

/// <summary>Events 2100–2119: ownership.</summary>
internal static partial class Log
{
    [LoggerMessage(2100, LogLevel.Information,
        "Claimed epoch {Epoch} of database {Database}; the former owner was {Former}")]
    public static partial void Claimed(this ILogger logger, DatabaseName database, Epoch epoch, string former);

    [LoggerMessage(2101, LogLevel.Warning, "Fenced in epoch {Epoch} of database {Database}: {Cause}")]
    public static partial void Fenced(this ILogger logger, DatabaseName database, Epoch epoch, string cause);

    [LoggerMessage(2102, LogLevel.Information, "Released database {Database} (epoch {Epoch})")]
    public static partial void Released(this ILogger logger, DatabaseName database, Epoch epoch);

    [LoggerMessage(2103, LogLevel.Warning, "The lease of database {Database} (epoch {Epoch}) was not renewed")]
    public static partial void LeaseNotRenewed(
        this ILogger logger, DatabaseName database, Epoch epoch, Exception cause);
}
