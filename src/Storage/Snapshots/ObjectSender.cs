using System.Collections.Concurrent;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>
/// Puts files on shared storage as objects during one tenure, each content once, however many snapshots of however many
/// branches want it at the same time. Thread-safe.
/// </summary>
/// <remarks>
/// What was sent stays known for the whole tenure, also when the snapshot it was sent for failed; what was sent in part
/// keeps its name, so that the storage can go on where it stopped.
/// </remarks>
internal sealed class ObjectSender(ISharedStorage shared, Tenure tenure)
{
    private readonly ConcurrentDictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _replaced = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<Task<SentObject>>> _sending = new(StringComparer.Ordinal);

    public Tenure Tenure => tenure;

    /// <summary>The object that holds this content already.</summary>
    public string? Find(Publication publication, string sha256) =>
        _replaced.TryGetValue(sha256, out string? again) ? again : publication.FindObject(sha256);

    /// <summary>
    /// Sends the content unless an object is known by now; concurrent calls for one content send it once.
    /// </summary>
    /// <param name="publication">The publication it is sent for.</param>
    /// <param name="file">The file.</param>
    /// <param name="again">The known object is gone: another one is made.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The object, and whether this very call sent it.</returns>
    public async Task<SentObject> SendAsync(
        Publication publication, FileToSend file, bool again, CancellationToken cancellationToken)
    {
        while (true)
        {
            Lazy<Task<SentObject>> mine = new(() => PutAsync(publication, file, again, cancellationToken));
            Lazy<Task<SentObject>> task = _sending.GetOrAdd(file.Sha256, mine);
            bool isMine = ReferenceEquals(task, mine);
            try
            {
                // The one who began it stays until it has ended: the file it reads is removed afterwards.
                (string name, bool sent) = await (isMine ? task.Value : task.Value.WaitAsync(cancellationToken))
                    .ConfigureAwait(false);
                return new SentObject(name, sent && isMine);
            }
            catch (Exception) when (!isMine && !cancellationToken.IsCancellationRequested)
            {
                // The other snapshot's attempt failed or was given up; this one makes its own.
                _sending.TryRemove(new(file.Sha256, task));
            }
            finally
            {
                if (isMine)
                {
                    _sending.TryRemove(new(file.Sha256, task));
                }
            }
        }
    }

    /// <summary>Objects among these that are not there with their length.</summary>
    public async Task<List<SnapshotFile>> FindMissingAsync(
        Publication publication, IReadOnlyList<SnapshotFile> files, CancellationToken cancellationToken)
    {
        IReadOnlyList<long?> lengths = await shared.FindAsync(
            [.. files.Select(file => publication.FullNameOf(file.ObjectName))], cancellationToken)
            .ConfigureAwait(false);
        return [.. files.Where((file, i) => lengths[i] != file.Bytes)];
    }

    /// <summary>Notes the object that takes the place of one that vanished.</summary>
    public void Replace(string sha256, string name) => _replaced[sha256] = name;

    private async Task<SentObject> PutAsync(
        Publication publication, FileToSend file, bool again, CancellationToken cancellationToken)
    {
        if (!again && Find(publication, file.Sha256) is { } there)
        {
            return new SentObject(there, Sent: false); // Sent for another snapshot a moment ago.
        }

        string name = _names.GetOrAdd(file.Sha256, publication.NameObject);
        if (!await shared.PutFileIfAbsentAsync(publication.FullNameOf(name), file, cancellationToken)
            .ConfigureAwait(false))
        {
            // Nobody else makes names of this tenure: an earlier attempt's answer was lost after its effect. The object
            // was put whole and checked on the way, as everything under a final name.
            List<SnapshotFile> wrong = await FindMissingAsync(
                publication, [new SnapshotFile(name, SnapshotFileRole.Table, file.Bytes, file.Sha256, name)],
                cancellationToken).ConfigureAwait(false);
            if (wrong.Count > 0)
            {
                _names.TryRemove(file.Sha256, out _);
                throw new StorageException(
                    FailureKind.Corruption,
                    $"Object '{publication.FullNameOf(name)}' on '{shared.Location}' exists with another length. " +
                    "Nobody but this owner may write there: find out who did. A later attempt uses another name.");
            }
        }

        _names.TryRemove(file.Sha256, out _);
        publication.Uploaded(file.Sha256, name);
        return new SentObject(name, Sent: true);
    }
}

/// <summary>An object that holds a content.</summary>
/// <param name="Name">Its name below the database's directory.</param>
/// <param name="Sent">Whether the call that was asked for it sent it.</param>
internal readonly record struct SentObject(string Name, bool Sent);
