namespace Branching.Storage.Shared;

/// <summary><c>shared-storage.json</c>: the mark at the top of a shared storage, by which nodes know it again.
/// </summary>
/// <remarks>
/// The first node that uses a directory puts it there, once; it is never changed. A directory without it, where there
/// was one before, is the empty mount point of a file system that is not mounted.
/// </remarks>
internal static class SharedMark
{
    public const string Name = "shared-storage" + DatabasePaths.Suffix;

    /// <summary>The identity of the storage; <see langword="null"/>: it has no mark.</summary>
    public static async Task<string?> TryReadAsync(ISharedStorage shared, CancellationToken cancellationToken)
    {
        byte[]? bytes = await shared.TryReadAsync(Name, cancellationToken).ConfigureAwait(false);
        return bytes is null
            ? null
            : SealedDocument.Open(
                bytes, SharedDocuments.Default.SharedMarkDocument, Formats.Shared, "The mark of shared storage", Name)
                .Id;
    }

    /// <summary>Puts a mark; of several nodes that do at once, all get the same identity.</summary>
    public static async Task<string> CreateAsync(
        ISharedStorage shared, DateTimeOffset at, CancellationToken cancellationToken)
    {
        SharedMarkDocument document = new(Formats.Shared, Guid.CreateVersion7(at).ToString("N"), at);
        await shared.PutIfAbsentAsync(
            Name, SealedDocument.Seal(document, SharedDocuments.Default.SharedMarkDocument), cancellationToken)
            .ConfigureAwait(false);
        return await TryReadAsync(shared, cancellationToken).ConfigureAwait(false) ?? throw new StorageException(
            FailureKind.SharedStorageUnavailable,
            $"'{Name}', which was just put on shared storage '{shared.Location}', is not there. Check the storage.");
    }
}
