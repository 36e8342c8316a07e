using System.Security.Cryptography;

namespace Branching.Storage.Shared;

/// <summary>One child of a directory on shared storage.</summary>
/// <param name="Name">Its own name, without the directory.</param>
/// <param name="IsDirectory">Whether it holds other entries.</param>
/// <param name="Bytes">Length of its content; 0 for directories.</param>
/// <param name="ModifiedAt">When its content was last changed, by the storage's own clock.</param>
public readonly record struct SharedEntry(string Name, bool IsDirectory, long Bytes, DateTimeOffset ModifiedAt);

/// <summary>A local file to be sent to shared storage.</summary>
/// <param name="LocalPath">Where it is; it must not change while it is sent.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its digest, 64 lower-case hexadecimal digits; checked while it is sent.</param>
/// <param name="Rate">How fast it may go; <see langword="null"/> for no limit.</param>
/// <param name="Progress">Told the bytes sent since the last call.</param>
public sealed record FileToSend(
    string LocalPath, long Bytes, string Sha256, RateLimit? Rate = null, IProgress<long>? Progress = null);

/// <summary>What became of a file that was sent without its digest being known.</summary>
/// <param name="Sha256">The digest that was found, 64 lower-case hexadecimal digits.</param>
/// <param name="IsNew"><see langword="false"/>: the name was taken; nothing was changed.</param>
public readonly record struct SentFile(string Sha256, bool IsNew);

/// <summary>Where a fetched file goes.</summary>
/// <param name="LocalPath">The new file; nothing may stand there.</param>
/// <param name="Rate">How fast it may come; <see langword="null"/> for no limit.</param>
/// <param name="Progress">Told the bytes fetched since the last call.</param>
public sealed record FileToFetch(string LocalPath, RateLimit? Rate = null, IProgress<long>? Progress = null);

/// <summary>What was fetched.</summary>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Its digest, 64 lower-case hexadecimal digits.</param>
public readonly record struct FetchedFile(long Bytes, string Sha256);

/// <summary>The few steps that everything on shared storage is made of.</summary>
/// <remarks>
/// <para>
/// Names are relative: segments of <c>A-Z a-z 0-9 . _ -</c> that do not begin with a dot, separated by <c>/</c>. Any
/// other name is refused (<see cref="FailureKind.InvalidArgument"/>). Directories come with their first entry.
/// </para>
/// <para>
/// Every answered change is durable and visible to everybody who asks afterwards. A change that failed has an unknown
/// outcome: it happened, or not, or will happen a moment later. Thread-safe.
/// </para>
/// <para>
/// Failures are <see cref="StorageException"/>s of the kinds <see cref="FailureKind.DiskFull"/>,
/// <see cref="FailureKind.PermissionDenied"/>, <see cref="FailureKind.Io"/> and
/// <see cref="FailureKind.SharedStorageUnavailable"/>, which name the storage, the object and the step.
/// </para>
/// </remarks>
public interface ISharedStorage
{
    /// <summary>Where the storage is, for messages.</summary>
    string Location { get; }

    /// <summary>Creates an object. Of several that race for one name, exactly one succeeds.</summary>
    /// <returns><see langword="false"/>: the name is taken; nothing was changed.</returns>
    Task<bool> PutIfAbsentAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Creates an object or puts another content in its place, in one step.</summary>
    Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Reads an object of at most 64 MiB.</summary>
    /// <returns>Its content; <see langword="null"/> when it does not exist.</returns>
    Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken);

    /// <summary>The children of a directory, ordered by name; none when it does not exist.</summary>
    /// <param name="directory">Its name; empty for the top.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StorageException">It cannot be read: that is never taken for an empty directory.</exception>
    Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken);

    /// <summary>Looks for objects whose names are known.</summary>
    /// <remarks>A storage that has no shorter way lists each of their directories once.</remarks>
    /// <param name="names">Their names.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>For each its length in bytes, <see langword="null"/> when it does not exist; in order.</returns>
    /// <exception cref="StorageException">As <see cref="ListAsync"/>.</exception>
    async Task<IReadOnlyList<long?>> FindAsync(IReadOnlyList<string> names, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(names);
        Dictionary<string, long> there = new(StringComparer.Ordinal);
        foreach (string directory in names.Select(DirectoryOf).Distinct(StringComparer.Ordinal))
        {
            foreach (SharedEntry entry in await ListAsync(directory, cancellationToken).ConfigureAwait(false))
            {
                if (!entry.IsDirectory)
                {
                    there[directory.Length == 0 ? entry.Name : $"{directory}/{entry.Name}"] = entry.Bytes;
                }
            }
        }

        return [.. names.Select(name => there.TryGetValue(name, out long bytes) ? bytes : (long?)null)];

        static string DirectoryOf(string name) => name[..Math.Max(0, name.LastIndexOf('/'))];
    }

    /// <summary>Deletes an object.</summary>
    /// <returns><see langword="false"/>: it did not exist.</returns>
    Task<bool> DeleteAsync(string name, CancellationToken cancellationToken);

    /// <summary>Creates an object from a local file; a former attempt with the same content is continued.</summary>
    /// <returns><see langword="false"/>: the name is taken; nothing was changed.</returns>
    /// <exception cref="StorageException">Also <see cref="FailureKind.Corruption"/>: the file is not what
    /// <paramref name="file"/> says; nothing was created.</exception>
    Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken);

    /// <summary>
    /// Creates an object from a local file whose digest, and so the object's name, is only found while it is sent.
    /// </summary>
    /// <remarks>A storage that has no shorter way reads the file twice.</remarks>
    /// <param name="nameOf">The name of the object with that digest.</param>
    /// <param name="file">The file; its digest is not looked at.</param>
    /// <param name="cancellationToken">Ends it; nothing is created then.</param>
    /// <exception cref="StorageException">Also <see cref="FailureKind.Corruption"/>: the file has another length;
    /// nothing was created.</exception>
    async Task<SentFile> PutNewFileAsync(
        Func<string, string> nameOf, FileToSend file, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(nameOf);
        ArgumentNullException.ThrowIfNull(file);
        string sha256;
        using (FileStream content = File.OpenRead(file.LocalPath))
        {
            sha256 = Convert.ToHexStringLower(
                await SHA256.HashDataAsync(content, cancellationToken).ConfigureAwait(false));
        }

        bool isNew = await PutFileIfAbsentAsync(nameOf(sha256), file with { Sha256 = sha256 }, cancellationToken)
            .ConfigureAwait(false);
        return new SentFile(sha256, isNew);
    }

    /// <summary>Writes an object to a new local file, durably; the caller compares the digest.</summary>
    /// <exception cref="StorageException">Also <see cref="FailureKind.SnapshotDamaged"/>: there is no such
    /// object.</exception>
    Task<FetchedFile> FetchFileAsync(string name, FileToFetch file, CancellationToken cancellationToken);

    /// <summary>Bytes that may still be written; <see langword="null"/> when unknown.</summary>
    Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken);
}
