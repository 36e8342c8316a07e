using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.Options;

namespace Branching.Silo;

/// <summary>Finds why a node did not start, below whatever the host wrapped around it.</summary>
internal static class StartFailure
{
    /// <summary>The failure as callers know it; null when the cause is none of ours.</summary>
    public static BranchingException? Of(Exception exception)
    {
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case BranchingException failure:
                    return failure;
                case StorageException failure:
                    return new BranchingException(
                        (Grains.FailureKind)(int)failure.Kind, failure.Message, failure.IsTransient);
                case OptionsValidationException invalid:
                    return new BranchingException(
                        Grains.FailureKind.InvalidArgument,
                        $"The options are not valid: {string.Join(" ", invalid.Failures)}");
                case AggregateException { InnerExceptions.Count: > 1 } several:
                    return several.InnerExceptions.Select(Of).FirstOrDefault(found => found is not null);
                default:
                    break;
            }
        }

        return null;
    }
}
