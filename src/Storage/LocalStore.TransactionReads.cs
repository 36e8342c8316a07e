using System.Buffers;
using Branching.RocksDb;
using Branching.Storage.Transactions;

namespace Branching.Storage;

/// <content>What a transaction reads of its store.</content>
public sealed partial class LocalStore
{
    internal ReadSnapshot NewSnapshot() => Inside("Snapshot", _database.NewSnapshot);

    internal bool ReadAt(
        ColumnFamily family, ReadOnlySpan<byte> key, IBufferWriter<byte> destination, ReadOptions? options)
    {
        Enter();
        try
        {
            bool found = TryRead(family, key, destination, out _, options);
            Guard?.ThrowIfInvalid();
            return found;
        }
        catch (RocksDbException e)
        {
            throw Failure("Get", e);
        }
        catch (ObjectDisposedException) when (family.IsClosed)
        {
            throw NoSuchFamily(FamilyIdentity.Parse(family.Name).Name);
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>Throws when the store would refuse an operation, whatever comes before it.</summary>
    /// <param name="family">Its family.</param>
    /// <param name="operation">What is asked for.</param>
    /// <param name="what">Who asks, as a sentence begins with it.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    internal void RequireLegal(ColumnFamily family, in WriteOperation operation, string what)
    {
        if (Check(operation, index: 0) is { } malformed)
        {
            throw malformed;
        }

        if (WriteResolution.WhyRefused(operation, TraitsOf(family)) is { } why)
        {
            throw new StorageException(
                FailureKind.InvalidArgument, $"{what} does not take a write: {why}. What it took before stands.");
        }
    }

    internal IReadOnlyList<ReadOnlyMemory<byte>?> MultiGetAt(
        ColumnFamily family, IReadOnlyList<ReadOnlyMemory<byte>> keys, ReadSnapshot? at) =>
        Answered<IReadOnlyList<ReadOnlyMemory<byte>?>>("MultiGet", () =>
        {
            using ReadSnapshot? own = at is null ? _database.NewSnapshot() : null;
            using ReadOptions options = new() { Snapshot = at ?? own };
            using MultiGetResult result = _database.MultiGet(family, keys, options);
            return CopyOut(result, TraitsOf(family));
        });

    internal ScanPage ScanMerged(
        ColumnFamily family, ScanRequest request, FamilyChanges? changes, ReadSnapshot? at) => Answered("Scan", () =>
        {
            ScanBounds bounds = ScanBounds.Of(request);
            using ReadSnapshot? own = at is null ? _database.NewSnapshot() : null;
            StoreView view = new(this, at ?? own!, Now()); // Its snapshot is not its own, so it is not disposed whole.
            using ReadOptions options = view.ReadOptions;
            RangeOptions range = new() { Range = request.Range, Reverse = request.Reverse, View = view };
            using RangeWalk walk = new(this, _database, family, range, bounds);
            walk.Begin();
            List<KeyValueEntry> entries = new(Math.Min(request.Limit, 256));
            bool more = MergedScan.ReadPage(walk, changes, bounds, request, entries);
            return new ScanPage(entries, more, view.Sequence);
        });
}
