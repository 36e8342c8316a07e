namespace Branching.Storage.Tests.Contract;

/// <summary>The contract in memory: sorted dictionaries, no file, no thread, a time that only tests move.</summary>
public sealed partial class ModelStore : IContractStore
{
    private const int MaxKeyBytes = 65536;
    private const int MaxRequestBytes = 4 << 20;

    private readonly SortedDictionary<string, Family> _families =
        new(StringComparer.Ordinal) { ["default"] = new Family(FamilySettings.Plain) };

    private TimeSpan _now;

    public ulong Sequence { get; private set; }

    public IReadOnlyList<string> Families => [.. _families.Keys];

    public Task<WriteResult> WriteAsync(WriteRequest request)
    {
        Check(request);
        for (int i = 0; i < (request.Preconditions?.Count ?? 0); i++)
        {
            if (!Holds(request.Preconditions![i]))
            {
                return Task.FromResult(new WriteResult(false, new Sequence(Sequence), i));
            }
        }

        foreach (WriteOperation operation in request.Operations)
        {
            CheckTaken(operation, Find(operation.ColumnFamily)); // All of them before the first is applied.
        }

        foreach (WriteOperation operation in request.Operations)
        {
            Apply(operation);
        }

        return Task.FromResult(new WriteResult(true, new Sequence(Sequence), -1));
    }

    public byte[]? Get(string? family, byte[] key)
    {
        CheckKey(key.Length);
        return Read(family, key)?.Value;
    }

    public IReadOnlyList<ReadOnlyMemory<byte>?> MultiGet(string? family, IReadOnlyList<ReadOnlyMemory<byte>> keys)
    {
        foreach (ReadOnlyMemory<byte> key in keys)
        {
            CheckKey(key.Length);
        }

        return keys.Count == 0
            ? []
            : [.. keys.Select(key => Read(family, key.ToArray()) is { } kept
                ? (ReadOnlyMemory<byte>?)kept.Value
                : null)];
    }

    public ScanPage Scan(ScanRequest request)
    {
        CheckRange(request.Range);
        if (request.Limit < 1 || request.MaxBytes < 1
            || (request.HasResume && request.ResumeAfter.Length is 0 or > MaxKeyBytes))
        {
            throw Refused();
        }

        IEnumerable<KeyValuePair<byte[], byte[]>> all = Walk(request.ColumnFamily, request.Range, request.Reverse);
        if (request.HasResume)
        {
            byte[] last = request.ResumeAfter.ToArray();
            all = all.Where(entry => request.Reverse ? Compare(entry.Key, last) < 0 : Compare(entry.Key, last) > 0);
        }

        List<KeyValueEntry> page = [];
        long bytes = 0;
        foreach ((byte[] key, byte[] value) in all)
        {
            if (page.Count == request.Limit || bytes >= request.MaxBytes)
            {
                return new ScanPage(page, HasMore: true, new Sequence(Sequence));
            }

            page.Add(new KeyValueEntry(key, request.KeysOnly ? default(ReadOnlyMemory<byte>) : value));
            bytes += key.Length + (request.KeysOnly ? 0 : value.Length);
        }

        return new ScanPage(page, HasMore: false, new Sequence(Sequence));
    }

    public long Count(string? family, KeyRange range)
    {
        CheckRange(range);
        return Walk(family, range, reverse: false).LongCount();
    }

    public void CreateFamily(string name, FamilySettings? settings = null)
    {
        CheckName(name);
        if (!_families.TryAdd(name, new Family(settings ?? FamilySettings.Plain)))
        {
            throw new StorageException(FailureKind.ColumnFamilyExists, name);
        }
    }

    public void DropFamily(string name)
    {
        CheckName(name);
        if (name == "default")
        {
            throw Refused();
        }

        if (!_families.Remove(name))
        {
            throw new StorageException(FailureKind.ColumnFamilyNotFound, name);
        }
    }

    public Task ReopenAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static int Compare(byte[] a, byte[] b) => a.AsSpan().SequenceCompareTo(b);

    private static bool IsIn(KeyRange range, byte[] key)
    {
        int from = range.From.IsEmpty ? 1 : Compare(key, range.From.ToArray());
        int to = range.To.IsEmpty ? -1 : Compare(key, range.To.ToArray());
        return (range.FromExclusive ? from > 0 : from >= 0) && (range.ToInclusive ? to <= 0 : to < 0);
    }

    private Family Find(string? family) =>
        _families.TryGetValue(family ?? "default", out Family? found)
            ? found
            : throw new StorageException(FailureKind.ColumnFamilyNotFound, family!);

    private bool Holds(Precondition condition)
    {
        byte[]? value = Read(condition.ColumnFamily, condition.Key.ToArray())?.Value;
        return condition.Kind switch
        {
            PreconditionKind.KeyAbsent => value is null,
            PreconditionKind.KeyPresent => value is not null,
            _ => value is not null && condition.Value.Span.SequenceEqual(value),
        };
    }

    private void Apply(WriteOperation operation)
    {
        Family family = Find(operation.ColumnFamily);
        byte[] key = operation.Key.ToArray();
        Sequence++;
        switch (operation.Kind)
        {
            case WriteKind.Put:
                family.Entries[key] = new Kept(operation.Value.ToArray(), EndOf(operation, family));
                break;
            case WriteKind.Delete:
                family.Entries.Remove(key);
                break;
            case WriteKind.Merge:
            case WriteKind.Append:
                Kept? before = Read(operation.ColumnFamily, key);
                TimeSpan? end = before is not null && operation.TimeToLive == default
                    ? before.End
                    : EndOf(operation, family);
                family.Entries[key] = new Kept(Join(operation, family, before?.Value), end);
                break;
            default:
                KeyRange range = new(operation.Key, operation.Value);
                foreach (byte[] removed in family.Entries.Keys.Where(one => IsIn(range, one)).ToList())
                {
                    family.Entries.Remove(removed);
                }

                break;
        }
    }

    private static void Check(WriteRequest request)
    {
        long bytes = 0;
        foreach (WriteOperation operation in request.Operations)
        {
            bytes += operation.Key.Length + operation.Value.Length;
            if (!Enum.IsDefined(operation.Kind)
                || (operation.TimeToLive != default && operation.Kind is WriteKind.Delete or WriteKind.DeleteRange)
                || (operation.TimeToLive < default(TimeSpan) && operation.TimeToLive != Timeout.InfiniteTimeSpan))
            {
                throw Refused();
            }

            CheckKey(operation.Key.Length);
            if (operation.Kind == WriteKind.DeleteRange)
            {
                CheckKey(operation.Value.Length);
                if (operation.Key.Span.SequenceCompareTo(operation.Value.Span) > 0)
                {
                    throw Refused();
                }
            }
        }

        foreach (Precondition condition in request.Preconditions ?? [])
        {
            bytes += condition.Key.Length + condition.Value.Length;
            CheckKey(condition.Key.Length);
            if (!Enum.IsDefined(condition.Kind))
            {
                throw Refused();
            }
        }

        if (!Enum.IsDefined(request.Durability))
        {
            throw Refused();
        }

        if (bytes > MaxRequestBytes)
        {
            throw new StorageException(FailureKind.RequestTooLarge, "too large");
        }
    }

    private static void CheckKey(int length)
    {
        if (length is 0 or > MaxKeyBytes)
        {
            throw Refused();
        }
    }

    private static void CheckRange(KeyRange range)
    {
        if (range.From.Length > MaxKeyBytes || range.To.Length > MaxKeyBytes)
        {
            throw Refused();
        }
    }

    private static void CheckName(string name)
    {
        bool legal = name.Length is > 0 and <= 64
            && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-');
        if (!legal)
        {
            throw new StorageException(FailureKind.InvalidName, name);
        }
    }

    private static StorageException Refused() => new(FailureKind.InvalidArgument, "refused");
}
