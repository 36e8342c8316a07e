namespace Branching.Storage.Tests.Contract;

/// <summary>The contract in memory: sorted dictionaries, no file, no thread.</summary>
public sealed class ModelStore : IContractStore
{
    private const int MaxKeyBytes = 65536;
    private const int MaxRequestBytes = 4 << 20;

    private readonly SortedDictionary<string, SortedDictionary<byte[], byte[]>> _families =
        new(StringComparer.Ordinal) { ["default"] = NewFamily() };

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
            Find(operation.ColumnFamily); // All of them before the first is applied.
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
        return Find(family).GetValueOrDefault(key);
    }

    public IReadOnlyList<ReadOnlyMemory<byte>?> MultiGet(string? family, IReadOnlyList<ReadOnlyMemory<byte>> keys)
    {
        foreach (ReadOnlyMemory<byte> key in keys)
        {
            CheckKey(key.Length);
        }

        return keys.Count == 0
            ? []
            : [.. keys.Select(key => Find(family).TryGetValue(key.ToArray(), out byte[]? value)
                ? (ReadOnlyMemory<byte>?)value
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

        IEnumerable<KeyValuePair<byte[], byte[]>> all = Find(request.ColumnFamily)
            .Where(entry => IsIn(request.Range, entry.Key));
        if (request.Reverse)
        {
            all = all.Reverse();
        }

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
        return Find(family).Keys.LongCount(key => IsIn(range, key));
    }

    public void CreateFamily(string name)
    {
        CheckName(name);
        if (!_families.TryAdd(name, NewFamily()))
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

    private static SortedDictionary<byte[], byte[]> NewFamily() => new(Comparer<byte[]>.Create(Compare));

    private static int Compare(byte[] a, byte[] b) => a.AsSpan().SequenceCompareTo(b);

    private static bool IsIn(KeyRange range, byte[] key)
    {
        int from = range.From.IsEmpty ? 1 : Compare(key, range.From.ToArray());
        int to = range.To.IsEmpty ? -1 : Compare(key, range.To.ToArray());
        return (range.FromExclusive ? from > 0 : from >= 0) && (range.ToInclusive ? to <= 0 : to < 0);
    }

    private SortedDictionary<byte[], byte[]> Find(string? family) =>
        _families.TryGetValue(family ?? "default", out SortedDictionary<byte[], byte[]>? found)
            ? found
            : throw new StorageException(FailureKind.ColumnFamilyNotFound, family!);

    private bool Holds(Precondition condition)
    {
        byte[]? value = Find(condition.ColumnFamily).GetValueOrDefault(condition.Key.ToArray());
        return condition.Kind switch
        {
            PreconditionKind.KeyAbsent => value is null,
            PreconditionKind.KeyPresent => value is not null,
            _ => value is not null && condition.Value.Span.SequenceEqual(value),
        };
    }

    private void Apply(WriteOperation operation)
    {
        SortedDictionary<byte[], byte[]> family = Find(operation.ColumnFamily);
        Sequence++;
        switch (operation.Kind)
        {
            case WriteKind.Put:
                family[operation.Key.ToArray()] = operation.Value.ToArray();
                break;
            case WriteKind.Delete:
                family.Remove(operation.Key.ToArray());
                break;
            default:
                KeyRange range = new(operation.Key, operation.Value);
                foreach (byte[] key in family.Keys.Where(key => IsIn(range, key)).ToList())
                {
                    family.Remove(key);
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
            if (operation.Kind is not (WriteKind.Put or WriteKind.Delete or WriteKind.DeleteRange))
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
