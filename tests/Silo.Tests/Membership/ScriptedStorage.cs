using System.Collections.Concurrent;
using Branching.Storage;
using Branching.Storage.Shared;

namespace Branching.Silo.Tests.Membership;

/// <summary>Shared storage in memory that a test can stop, break and make forgetful at every step.</summary>
internal sealed class ScriptedStorage : ISharedStorage
{
    private readonly ConcurrentDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);

    public string Location => "memory";

    /// <summary>Runs before a step: its name and the object's. May wait or throw.</summary>
    public Func<string, string, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Runs after the effect of a step, before its answer.</summary>
    public Func<string, string, Task> After { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Names that a listing does not show yet.</summary>
    public Func<string, bool> Hidden { get; set; } = _ => false;

    public IEnumerable<string> Names => _objects.Keys.Order(StringComparer.Ordinal);

    public void Put(string name, byte[] content) => _objects[name] = content;

    public async Task<bool> PutIfAbsentAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await Before("put", name);
        bool put = _objects.TryAdd(name, content.ToArray());
        await After("put", name);
        return put;
    }

    public async Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await Before("replace", name);
        _objects[name] = content.ToArray();
        await After("replace", name);
    }

    public async Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken)
    {
        await Before("read", name);
        return _objects.GetValueOrDefault(name);
    }

    public async Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken)
    {
        await Before("list", directory);
        string prefix = directory + "/";
        return [.. Names
            .Where(name => name.StartsWith(prefix, StringComparison.Ordinal) && !Hidden(name))
            .Select(name => name[prefix.Length..].Split('/'))
            .Select(parts => new SharedEntry(parts[0], parts.Length > 1, 0, DateTimeOffset.UnixEpoch))
            .Distinct()];
    }

    public async Task<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        await Before("delete", name);
        return _objects.TryRemove(name, out _);
    }

    public Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    public Task<FetchedFile> FetchFileAsync(string name, FileToFetch file, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken) => Task.FromResult<long?>(null);

    public static StorageException Broken(string step)
        => new(FailureKind.SharedStorageUnavailable, $"the test broke '{step}'");
}
