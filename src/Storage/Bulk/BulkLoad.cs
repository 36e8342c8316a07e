using System.Globalization;
using Branching.RocksDb;

namespace Branching.Storage.Bulk;

/// <summary>How a bulk load works.</summary>
public sealed record BulkLoadOptions
{
    /// <summary>The column family; <see langword="null"/>: the default one.</summary>
    public string? ColumnFamily { get; init; }

    /// <summary>Memory for records that are being sorted, in bytes, 64 KiB to 1 GiB. Default: 64 MiB.</summary>
    public long MemoryBytes { get; init; } = 64L << 20;

    /// <summary>Size of a table file it makes, in bytes, 64 KiB or more. Default: 64 MiB.</summary>
    public long TableBytes { get; init; } = 64L << 20;
}

/// <summary>What a bulk load did.</summary>
/// <param name="Records">Records added.</param>
/// <param name="Keys">Different keys among them: so many are in the store now.</param>
/// <param name="Tables">Table files they came in.</param>
/// <param name="Sequence">The store's sequence after the load; the one before it when there was no record.</param>
public readonly record struct BulkLoadResult(long Records, long Keys, int Tables, Sequence Sequence);

/// <summary>
/// Loads any number of records in any order, in bounded memory: sorts them into table files beside the store, and takes
/// those over in one step. Of records with one key the last wins. One caller at a time.
/// </summary>
/// <remarks>
/// Until <see cref="CompleteAsync"/> nothing is visible; after it everything is, durably, and nothing went through the
/// write-ahead log. Killed or disposed before, nothing is left of it.
/// </remarks>
public sealed class BulkLoad : IAsyncDisposable
{
    // Open at the same time while they are merged; more are merged into one first.
    private const int MostRuns = 64;
    private const long SmallestBytes = 64 << 10;
    private const long LargestMemoryBytes = 1L << 30;

    private readonly LocalStore _store;
    private readonly BulkLoadOptions _options;
    private readonly string _directory;
    private readonly IDisposable? _lease;
    private readonly Action<CrashPoint> _reach;
    private readonly FamilyTraits? _traits;
    private readonly SortBuffer _buffer;
    private List<string> _runs = [];
    private int _files;
    private long _records;
    private bool _ended;

    internal BulkLoad(
        LocalStore store, BulkLoadOptions options, string directory, IDisposable? lease, Action<CrashPoint> reach)
    {
        _store = store;
        _reach = reach;
        _options = options;
        _directory = directory;
        _lease = lease;
        _traits = store.TraitsOf(options.ColumnFamily);
        _buffer = new SortBuffer(options.MemoryBytes);
    }

    /// <summary>Adds a record. Blocking: writes what is sorted to the disk when memory is full.</summary>
    /// <param name="key">1 byte to 64 KiB; copied.</param>
    /// <param name="value">Possibly empty; copied.</param>
    /// <param name="timeToLive">As <see cref="WriteOperation.TimeToLive"/>, from now on.</param>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>; or the disk failed.</exception>
    public void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TimeSpan timeToLive = default)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        _store.CheckRecord(_traits, key, value, timeToLive);
        int stored = value.Length + (_traits is { Expires: true } ? ExpiryStamp.Bytes : 0);
        if (!_buffer.HasRoom(key.Length + stored) && _buffer.Count > 0)
        {
            Spill();
        }

        Span<byte> place = _buffer.Add(key, stored);
        if (_traits is { Expires: true })
        {
            ExpiryStamp.Write(place, _traits.ExpiryOf(timeToLive, _store.Now()));
            place = place[ExpiryStamp.Bytes..];
        }

        value.CopyTo(place);
        _records++;
    }

    /// <summary>Makes everything that was added visible, all at once. Durable on return.</summary>
    /// <param name="cancellationToken">Ends it before that step; then nothing was loaded.</param>
    /// <exception cref="StorageException">Nothing was loaded, unless the kind is
    /// <see cref="FailureKind.LeaseExpired"/> or <see cref="FailureKind.Fenced"/>: then nobody knows.</exception>
    public async Task<BulkLoadResult> CompleteAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        _ended = true;
        if (_records == 0)
        {
            return new BulkLoadResult(0, 0, 0, _store.LastAcknowledged);
        }

        (List<string> tables, long keys) = await Task.Run(() => OnDisk(() => MakeTables(cancellationToken)),
            cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        _reach(CrashPoint.BulkLoadSorted);
        Sequence sequence = await Task.Run(
            () => _store.Ingest(_options.ColumnFamily, tables), CancellationToken.None).ConfigureAwait(false);
        _reach(CrashPoint.BulkLoadTaken);
        return new BulkLoadResult(_records, keys, tables.Count, sequence);
    }

    /// <summary>Removes what the load has on the disk of its own.</summary>
    public async ValueTask DisposeAsync()
    {
        _ended = true;
        try
        {
            await Task.Run(() =>
            {
                if (Directory.Exists(_directory))
                {
                    Directory.Delete(_directory, recursive: true);
                }
            }).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start removes it.
            _store.NoteDebris(_directory, e);
        }
        finally
        {
            _lease?.Dispose();
        }
    }

    internal static void Check(BulkLoadOptions options)
    {
        if (options.MemoryBytes is < SmallestBytes or > LargestMemoryBytes || options.TableBytes < SmallestBytes)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"A bulk load asks for {options.MemoryBytes} bytes of memory and tables of {options.TableBytes}; " +
                $"memory is {SmallestBytes} to {LargestMemoryBytes}, tables have at least {SmallestBytes}.");
        }
    }

    private void Spill() => OnDisk(() =>
    {
        using (RunWriter writer = new(NextFile("run")))
        {
            _buffer.WriteSorted(writer);
            _runs.Add(writer.Path);
        }

        if (_runs.Count == MostRuns)
        {
            MergeRuns();
        }

        _reach(CrashPoint.BulkLoadSpilled);
        return true;
    });

    private void MergeRuns()
    {
        List<string> before = _runs;
        using (RunWriter writer = new(NextFile("run")))
        {
            using RunMerge merge = new(before);
            while (merge.MoveNext())
            {
                writer.Add(merge.Key, merge.Value);
            }

            _runs = [writer.Path];
        }

        before.ForEach(File.Delete);
    }

    private (List<string> Tables, long Keys) MakeTables(CancellationToken cancellationToken)
    {
        using TableOutput output = new(_store, _options, () => NextFile("sst"), cancellationToken);
        if (_runs.Count == 0)
        {
            _buffer.WriteSorted(output);
        }
        else
        {
            if (_buffer.Count > 0)
            {
                Spill();
            }

            using RunMerge merge = new(_runs);
            while (merge.MoveNext())
            {
                output.Add(merge.Key, merge.Value);
            }
        }

        _buffer.Release();
        output.Finish();
        return (output.Tables, output.Keys);
    }

    private string NextFile(string kind) =>
        Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"{++_files:000000}.{kind}"));

    private T OnDisk<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LocalStoreFailure.From(e, $"A bulk load into {_store.Label} in {_directory}");
        }
        catch (RocksDbException e)
        {
            throw LocalStoreFailure.From(e, $"Making a table file for {_store.Label}");
        }
    }
}
