using Branching.RocksDb;

namespace Branching.Storage.Bulk;

/// <summary>Writes sorted records into table files of about one size.</summary>
internal sealed class TableOutput(
    LocalStore store, BulkLoadOptions options, Func<string> nextPath, CancellationToken cancellationToken)
    : ISortedRecords, IDisposable
{
    private const int AskInterval = 4096;

    private SstFileWriter? _writer;
    private long _bytes;

    /// <summary>The files, in the order of their keys.</summary>
    public List<string> Tables { get; } = [];

    /// <summary>Records written.</summary>
    public long Keys { get; private set; }

    public void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (Keys++ % AskInterval == 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        if (_writer is null)
        {
            string path = nextPath();
            _writer = store.CreateTable(options.ColumnFamily, path);
            Tables.Add(path);
        }

        _writer.Put(key, value);
        _bytes += key.Length + value.Length;
        if (_bytes >= options.TableBytes)
        {
            Finish();
        }
    }

    /// <summary>Completes the file that is being written.</summary>
    public void Finish()
    {
        _writer?.Finish();
        _writer?.Dispose();
        _writer = null;
        _bytes = 0;
    }

    public void Dispose() => _writer?.Dispose();
}
