using System.Security.Cryptography;
using Branching.Storage.Shared;

namespace Branching.Storage.Tests.Shared;

/// <summary>One step on shared storage, as faults see it.</summary>
internal readonly record struct SharedStep(string Kind, string Name);

/// <summary>
/// Shared storage in memory, with the faults of a real one: a step may fail before or after its effect, take its time,
/// tear what it writes; what was not answered may be lost with the power; listings may be old.
/// </summary>
internal sealed class MemorySharedStorage(TimeProvider? time = null) : ISharedStorage
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Item> _live = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Item?> _volatile = new(StringComparer.Ordinal);
    private SortedDictionary<string, Item>? _old;
    private long _ticks;

    public string Location => "memory";

    /// <summary>Awaited before the effect of each step; may throw.</summary>
    public Func<SharedStep, Task>? BeforeEffect { get; set; }

    /// <summary>Awaited after the effect and before the answer; may throw.</summary>
    public Func<SharedStep, Task>? AfterEffect { get; set; }

    /// <summary>How many bytes of a content are written before the step fails.</summary>
    public int? TearNextAt { get; set; }

    /// <summary>Listings show the state of the moment in which this was set.</summary>
    public bool ListsStale
    {
        get => _old is not null;
        set
        {
            lock (_lock)
            {
                _old = value ? new SortedDictionary<string, Item>(_live, StringComparer.Ordinal) : null;
            }
        }
    }

    public bool IsFull { get; set; }

    public bool IsReadOnly { get; set; }

    public bool IsGone { get; set; }

    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_lock)
            {
                return [.. _live.Keys];
            }
        }
    }

    public Task<bool> PutIfAbsentAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        ChangeAsync("PutIfAbsent", name, isPut: true, () =>
        {
            if (_live.ContainsKey(name))
            {
                return false;
            }

            Put(name, content.ToArray());
            return true;
        });

    public Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        ChangeAsync("Replace", name, isPut: true, () =>
        {
            Put(name, content.ToArray());
            return true;
        });

    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken) =>
        ChangeAsync("Delete", name, isPut: false, () =>
        {
            Remember(name);
            return _live.Remove(name);
        });

    public async Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken)
    {
        SharedNames.Check(name);
        SharedStep step = new("Read", name);
        await Before(step).ConfigureAwait(false);
        byte[]? content;
        lock (_lock)
        {
            content = _live.TryGetValue(name, out Item? item) ? [.. item.Content] : null;
        }

        await After(step).ConfigureAwait(false);
        return content;
    }

    public async Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken)
    {
        SharedNames.CheckDirectory(directory);
        SharedStep step = new("List", directory);
        await Before(step).ConfigureAwait(false);
        List<SharedEntry> entries = [];
        lock (_lock)
        {
            string prefix = directory.Length == 0 ? "" : directory + "/";
            foreach ((string name, Item item) in _old ?? _live)
            {
                if (name == directory)
                {
                    throw SharedFailures.Failed("List", Location, directory, new IOException("Not a directory."));
                }

                if (!name.StartsWith(prefix, StringComparison.Ordinal))
                {
                    continue;
                }

                string rest = name[prefix.Length..];
                int slash = rest.IndexOf('/', StringComparison.Ordinal);
                SharedEntry entry = slash < 0
                    ? new SharedEntry(rest, false, item.Content.Length, item.At)
                    : new SharedEntry(rest[..slash], true, 0, item.At);
                if (entries.Count == 0 || entries[^1].Name != entry.Name)
                {
                    entries.Add(entry);
                }
            }
        }

        await After(step).ConfigureAwait(false);
        entries.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return entries;
    }

    public async Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken)
    {
        byte[] content = await File.ReadAllBytesAsync(file.LocalPath, cancellationToken);
        if (content.Length != file.Bytes || Convert.ToHexStringLower(SHA256.HashData(content)) != file.Sha256)
        {
            throw new StorageException(FailureKind.Corruption, $"'{file.LocalPath}' is not what its digest says.");
        }

        bool put = await PutIfAbsentAsync(name, content, cancellationToken);
        file.Progress?.Report(content.Length);
        return put;
    }

    public async Task<FetchedFile> FetchFileAsync(
        string name, FileToFetch file, CancellationToken cancellationToken)
    {
        byte[] content = await TryReadAsync(name, cancellationToken)
            ?? throw SharedFailures.ObjectMissing(Location, name);
        await using FileStream target = new(file.LocalPath, FileMode.CreateNew);
        await target.WriteAsync(content, cancellationToken);
        file.Progress?.Report(content.Length);
        return new FetchedFile(content.Length, Convert.ToHexStringLower(SHA256.HashData(content)));
    }

    /// <summary>What the storage says is free; null: it does not say.</summary>
    public long? FreeBytes { get; set; }

    public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken) => Task.FromResult(FreeBytes);

    /// <summary>The power fails: changes that were not answered yet never happened.</summary>
    public void LosePower()
    {
        lock (_lock)
        {
            foreach ((string name, Item? before) in _volatile)
            {
                _live.Remove(name);
                if (before is not null)
                {
                    _live.Add(name, before);
                }
            }

            _volatile.Clear();
        }
    }

    /// <summary>Changes an object behind everybody's back.</summary>
    public void Damage(string name, Func<byte[], byte[]> change)
    {
        lock (_lock)
        {
            Item item = _live[name];
            _live[name] = new Item(change([.. item.Content]), Now());
        }
    }

    /// <summary>Looks at an object without a step.</summary>
    public byte[]? Peek(string name)
    {
        lock (_lock)
        {
            return _live.TryGetValue(name, out Item? item) ? item.Content : null;
        }
    }

    private async Task<bool> ChangeAsync(string kind, string name, bool isPut, Func<bool> effect)
    {
        SharedNames.Check(name);
        SharedStep step = new(kind, name);
        await Before(step).ConfigureAwait(false);
        Refuse(isPut, step);
        bool result;
        lock (_lock)
        {
            result = effect();
        }

        await After(step).ConfigureAwait(false);
        lock (_lock)
        {
            _volatile.Remove(name); // Answered: durable.
        }

        return result;
    }

    private void Refuse(bool isPut, SharedStep step)
    {
        if (IsReadOnly)
        {
            throw SharedFailures.Failed(step.Kind, Location, step.Name, new IOException("Read-only.", 30));
        }

        if (IsFull && isPut)
        {
            throw SharedFailures.Failed(step.Kind, Location, step.Name, new IOException("No space.", 28));
        }
    }

    private Task Before(SharedStep step) => IsGone
        ? throw SharedFailures.Failed(step.Kind, Location, step.Name, new IOException("Stale handle.", 116))
        : BeforeEffect?.Invoke(step) ?? Task.CompletedTask;

    private Task After(SharedStep step) => AfterEffect?.Invoke(step) ?? Task.CompletedTask;

    private void Put(string name, byte[] content)
    {
        Remember(name);
        if (TearNextAt is { } at)
        {
            TearNextAt = null;
            _live[name] = new Item(content[..Math.Min(at, content.Length)], Now());
            throw SharedFailures.Failed("Put", Location, name, new IOException("Torn.", 5));
        }

        _live[name] = new Item(content, Now());
    }

    private void Remember(string name) =>
        _volatile.TryAdd(name, _live.TryGetValue(name, out Item? item) ? item : null);

    // Never the same twice, as on a file system that counts nanoseconds.
    private DateTimeOffset Now() =>
        (time?.GetUtcNow() ?? DateTimeOffset.UnixEpoch) + TimeSpan.FromTicks(_ticks++ % 1000);

    private sealed record Item(byte[] Content, DateTimeOffset At);
}
