namespace Branching.Storage.Shared;

/// <summary>What the protocol adds to single steps.</summary>
internal static class SharedSteps
{
    /// <summary>
    /// Puts an object whose bytes nobody else would put. A failed attempt may have had its effect, so it is repeated
    /// once: a name taken by the same bytes is ours, and durable, because the storage answers that only of durable
    /// names.
    /// </summary>
    /// <returns><see langword="false"/>: somebody else has the name.</returns>
    public static async Task<bool> PutOursAsync(
        this ISharedStorage shared, string name, byte[] content, CancellationToken cancellationToken)
    {
        bool put;
        try
        {
            put = await shared.PutIfAbsentAsync(name, content, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Kind is FailureKind.Io or FailureKind.SharedStorageUnavailable)
        {
            put = await shared.PutIfAbsentAsync(name, content, cancellationToken).ConfigureAwait(false);
        }

        if (put)
        {
            return true;
        }

        byte[]? found = await shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
        return found is not null && found.AsSpan().SequenceEqual(content);
    }

    /// <summary>Deletes all objects of a directory and below it.</summary>
    public static async Task DeleteTreeAsync(
        this ISharedStorage shared, string directory, CancellationToken cancellationToken)
    {
        foreach (SharedEntry entry in await shared.ListAsync(directory, cancellationToken).ConfigureAwait(false))
        {
            string name = $"{directory}/{entry.Name}";
            if (entry.IsDirectory)
            {
                await shared.DeleteTreeAsync(name, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await shared.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
