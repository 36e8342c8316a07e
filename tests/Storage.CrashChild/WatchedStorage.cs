using System.Collections.Concurrent;
using Branching.Storage.Shared;

namespace Branching.Storage.CrashChild;

/// <summary>One call of a primitive of the shared storage, before or after its effect.</summary>
public readonly record struct StorageEvent(string Primitive, string Name, bool After)
{
    public override string ToString() => $"{(After ? "after" : "before")} {Primitive} {Name}";
}

/// <summary>
/// A shared storage whose every primitive is told before and after it; what is thrown then is its failure, so an error
/// before or after the effect, a delay or a kill can be put anywhere.
/// </summary>
public sealed class WatchedStorage(ISharedStorage inner) : ISharedStorage
{
    private readonly ConcurrentQueue<StorageEvent> _calls = new();

    /// <summary>Called for each event.</summary>
    public Func<StorageEvent, Task>? At { get; set; }

    /// <summary>Bytes of files and objects that were put.</summary>
    public long PutBytes { get; private set; }

    public string Location => inner.Location;

    public IReadOnlyList<StorageEvent> Calls => [.. _calls];

    /// <summary>Names of whole files that were sent, in order.</summary>
    public string[] SentFiles =>
        [.. _calls.Where(call => call is { Primitive: "put-file", After: true }).Select(call => call.Name)];

    public string[] FetchedFiles =>
        [.. _calls.Where(call => call is { Primitive: "fetch", After: true }).Select(call => call.Name)];

    public void Forget()
    {
        _calls.Clear();
        PutBytes = 0;
    }

    public async Task<bool> PutIfAbsentAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        await WatchAsync("put", name, () => Count(
            content.Length, inner.PutIfAbsentAsync(name, content, cancellationToken)));

    public async Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        await WatchAsync("replace", name, async () =>
        {
            await inner.ReplaceAsync(name, content, cancellationToken);
            return true;
        });

    public Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken) =>
        WatchAsync("read", name, () => inner.TryReadAsync(name, cancellationToken));

    public Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken) =>
        WatchAsync("list", directory, () => inner.ListAsync(directory, cancellationToken));

    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken) =>
        WatchAsync("delete", name, () => inner.DeleteAsync(name, cancellationToken));

    public Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken) =>
        WatchAsync("put-file", name, () => Count(
            file?.Bytes ?? 0, inner.PutFileIfAbsentAsync(name, file!, cancellationToken)));

    /// <summary>Told under the name of the object afterwards; before nobody knows it.</summary>
    public async Task<SentFile> PutNewFileAsync(
        Func<string, string> nameOf, FileToSend file, CancellationToken cancellationToken)
    {
        await TellAsync(new StorageEvent("put-file", "", After: false));
        SentFile sent = await inner.PutNewFileAsync(nameOf, file, cancellationToken);
        PutBytes += sent.IsNew ? file.Bytes : 0;
        await TellAsync(new StorageEvent("put-file", nameOf(sent.Sha256), After: true));
        return sent;
    }

    public Task<FetchedFile> FetchFileAsync(string name, FileToFetch file, CancellationToken cancellationToken) =>
        WatchAsync("fetch", name, () => inner.FetchFileAsync(name, file, cancellationToken));

    public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken) =>
        inner.GetFreeBytesAsync(cancellationToken);

    private async Task<bool> Count(long bytes, Task<bool> put)
    {
        bool done = await put;
        PutBytes += done ? bytes : 0;
        return done;
    }

    private async Task<T> WatchAsync<T>(string primitive, string name, Func<Task<T>> call)
    {
        await TellAsync(new StorageEvent(primitive, name, After: false));
        T result = await call();
        await TellAsync(new StorageEvent(primitive, name, After: true));
        return result;
    }

    private async Task TellAsync(StorageEvent happened)
    {
        _calls.Enqueue(happened);
        if (At is { } at)
        {
            await at(happened);
        }
    }
}
