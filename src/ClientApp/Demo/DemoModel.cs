using Branching.Grains;

namespace Branching.ClientApp.Demo;

/// <summary>Byte order: the order of keys in a store.</summary>
internal sealed class ByteOrder : IComparer<byte[]>
{
    public static ByteOrder Instance { get; } = new();

    public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
}

/// <summary>A key whose value in the store is not the one in the model.</summary>
/// <param name="Key">The key.</param>
/// <param name="Expected">What the model says; null for nothing.</param>
/// <param name="Actual">What the store says; null for nothing.</param>
internal readonly record struct Difference(byte[] Key, byte[]? Expected, byte[]? Actual);

/// <summary>What a store must hold, kept in memory beside it.</summary>
internal sealed class DemoModel
{
    private readonly SortedDictionary<byte[], byte[]> _entries;

    public DemoModel(SortedDictionary<byte[], byte[]> entries) => _entries = entries;

    public int Count => _entries.Count;

    public IEnumerable<byte[]> Keys => _entries.Keys;

    /// <summary>What a branch begins with. The values are shared, they never change.</summary>
    public DemoModel Branch() => new(new SortedDictionary<byte[], byte[]>(_entries, ByteOrder.Instance));

    public void Apply(WriteOperation operation)
    {
        if (operation.Kind == WriteOperationKind.Put)
        {
            _entries[operation.Key.ToArray()] = operation.Value.ToArray();
        }
        else
        {
            _entries.Remove(operation.Key.ToArray());
        }
    }

    /// <summary>Compares every key and every value, both ways.</summary>
    public async Task<List<Difference>> CompareAsync(IStoreGrain store, CancellationToken cancellationToken)
    {
        List<Difference> differences = [];
        using SortedDictionary<byte[], byte[]>.Enumerator expected = _entries.GetEnumerator();
        bool more = expected.MoveNext();
        var everything = new StreamRequest(KeyRange.All);
        await foreach (IReadOnlyList<Entry> page in store.StreamAsync(everything, cancellationToken))
        {
            foreach (Entry actual in page)
            {
                int order = -1;
                while (more && (order = expected.Current.Key.AsSpan().SequenceCompareTo(actual.Key.Span)) < 0)
                {
                    differences.Add(new Difference(expected.Current.Key, expected.Current.Value, null));
                    more = expected.MoveNext();
                }

                bool same = more && order == 0;
                if (!same)
                {
                    differences.Add(new Difference(actual.Key.ToArray(), null, actual.Value.ToArray()));
                    continue;
                }

                if (!actual.Value.Span.SequenceEqual(expected.Current.Value))
                {
                    differences.Add(
                        new Difference(expected.Current.Key, expected.Current.Value, actual.Value.ToArray()));
                }

                more = expected.MoveNext();
            }
        }

        for (; more; more = expected.MoveNext())
        {
            differences.Add(new Difference(expected.Current.Key, expected.Current.Value, null));
        }

        return differences;
    }
}
