using Branching.Storage.Transactions;

namespace Branching.Storage;

public sealed partial class StorageException
{
    /// <summary>What a transaction lost against; <see langword="null"/> for every other failure.</summary>
    public TransactionConflict? Conflict { get; private init; }

    /// <summary>A conflict that ends a transaction by force; <paramref name="what"/> names the one that lost.</summary>
    internal static StorageException From(TransactionConflict conflict, FailureKind kind, string what) => new(
        kind, $"{Capitalized(what)} lost: {conflict.Describe()}. Nothing was applied; roll it back and run it again.")
    {
        Conflict = conflict,
    };

    /// <summary>Every attempt of a transaction lost.</summary>
    internal static StorageException From(TransactionConflict conflict, FailureKind kind, string what, int attempts) =>
        new(kind,
            $"{Capitalized(what)} was given up after {attempts} attempts (MaxAttempts). At the last one " +
            $"{conflict.Describe()}. Nothing was applied; try later, or let fewer writers change that key.")
        {
            Conflict = conflict,
        };

    private static string Capitalized(string what) => char.ToUpperInvariant(what[0]) + what[1..];
}
