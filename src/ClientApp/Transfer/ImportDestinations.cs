using Branching.Grains;

namespace Branching.ClientApp.Transfer;

/// <summary>What an import does with the records of its file.</summary>
internal interface IImportDestination
{
    /// <summary>Takes a batch of puts; they may be used again after it.</summary>
    Task SendAsync(IReadOnlyList<WriteOperation> puts);

    /// <summary>After the last batch.</summary>
    /// <param name="records">Records that were taken.</param>
    /// <param name="isWhole">Whether these were all; otherwise the import has failed.</param>
    Task EndAsync(long records, bool isWhole);
}

/// <summary>Writes each batch without waiting for the disk, and flushes once.</summary>
internal sealed class WrittenImport(IStoreGrain store) : IImportDestination
{
    public async Task SendAsync(IReadOnlyList<WriteOperation> puts) => await store.WriteAsync(
        new WriteRequest(puts, null, WriteDurability.Buffered), CancellationToken.None);

    public async Task EndAsync(long records, bool isWhole)
    {
        if (records > 0)
        {
            await store.FlushAsync(CancellationToken.None);
        }
    }
}

/// <summary>Has the store sort the records into table files and take those over: everything at once, or
/// nothing.</summary>
internal sealed class BulkImport(IStoreGrain store, string? columnFamily) : IImportDestination
{
    private Guid? _load;
    private long _parts;

    public async Task SendAsync(IReadOnlyList<WriteOperation> puts)
    {
        _load ??= await store.BeginBulkLoadAsync(new BulkLoadRequest(columnFamily), CancellationToken.None);
        Entry[] entries = new Entry[puts.Count];
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = new Entry(puts[i].Key, puts[i].Value);
        }

        await store.AddToBulkLoadAsync(
            new BulkLoadPart(_load.Value, ++_parts, entries), CancellationToken.None);
    }

    public async Task EndAsync(long records, bool isWhole)
    {
        if (_load is not { } load)
        {
            return;
        }

        if (isWhole)
        {
            await store.CompleteBulkLoadAsync(load, CancellationToken.None);
        }
        else
        {
            await store.AbandonBulkLoadAsync(load, CancellationToken.None);
        }
    }
}
