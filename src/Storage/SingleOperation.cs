using System.Collections;
using Microsoft.Extensions.ObjectPool;

namespace Branching.Storage;

/// <summary>The one operation of a request that is made for one call and used again after it.</summary>
/// <remarks>
/// It belongs to the ticket of its request, and goes back to its pool with that: when both the writer and the one who
/// waits for the answer have let go. A request that gets no ticket, or whose answer nobody takes, is left to the
/// collector.
/// </remarks>
internal sealed class SingleOperation : IReadOnlyList<WriteOperation>
{
    private static readonly ObjectPool<SingleOperation> _pool = new DefaultObjectPool<SingleOperation>(
        new DefaultPooledObjectPolicy<SingleOperation>(), maximumRetained: 1024);

    private readonly WriteRequest _synced;
    private readonly WriteRequest _buffered;
    private WriteOperation _operation;

    public SingleOperation()
    {
        _synced = new WriteRequest(this, null, Durability.Sync);
        _buffered = new WriteRequest(this, null, Durability.Buffered);
    }

    public int Count => 1;

    public WriteOperation this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(index, 0);
            return _operation;
        }
    }

    /// <summary>A request without conditions; its buffers are the caller's until the answer.</summary>
    public static WriteRequest Rent(in WriteOperation operation, Durability durability)
    {
        SingleOperation single = _pool.Get();
        single._operation = operation;
        return durability switch
        {
            Durability.Sync => single._synced,
            Durability.Buffered => single._buffered,
            _ => new WriteRequest(single, null, durability), // Will be refused, by the one place that says so.
        };
    }

    /// <summary>Nobody reads the request any more.</summary>
    public void Return()
    {
        _operation = default; // The caller's buffers are not kept alive by the pool.
        _pool.Return(this);
    }

    public IEnumerator<WriteOperation> GetEnumerator()
    {
        yield return _operation;
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
