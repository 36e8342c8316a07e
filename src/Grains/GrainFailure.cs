using System.Diagnostics.CodeAnalysis;
using Branching.Storage;

namespace Branching.Grains;

/// <summary>The one place where failures of Storage become failures of the wire contract.</summary>
internal static class GrainFailure
{
    /// <summary>The same kind number, message and transience.</summary>
    public static BranchingException From(StorageException failure) =>
        new((FailureKind)(int)failure.Kind, failure.Message, failure.IsTransient);

    /// <summary>A refusal of bad input.</summary>
    public static StorageException Refused(string why) => new(Storage.FailureKind.InvalidArgument, why);

    /// <summary>Throws when an argument is missing.</summary>
    public static void ThrowIfMissing([NotNull] object? value, string what)
    {
        if (value is null)
        {
            throw Refused($"{what} is missing.");
        }
    }

    /// <summary>Throws when a count is outside of 1 to <paramref name="most"/>.</summary>
    public static void ThrowIfOutside(int count, int most, string what)
    {
        if (count < 1 || count > most)
        {
            throw Refused($"{what}: {count} is outside of 1 to {most:N0}.");
        }
    }
}
