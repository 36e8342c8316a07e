namespace Branching.Storage.Shared;

/// <summary>Shared storage in a directory that all nodes have mounted.</summary>
public sealed partial class PosixSharedStorage : ISharedStorage
{
    private readonly string _directory;

    private PosixSharedStorage(string directory) => _directory = directory;

    /// <inheritdoc/>
    public string Location => _directory;

    /// <summary>Opens the directory, creates it when absent, and checks that the file system can do what is
    /// needed: hard links, renames, fsync.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.NotSupported"/>: it cannot; or it cannot be
    /// reached.</exception>
    public static Task<PosixSharedStorage> OpenAsync(
        string directory, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public Task<bool> PutIfAbsentAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public Task<FetchedFile> FetchFileAsync(
        string name, FileToFetch file, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <inheritdoc/>
    public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
