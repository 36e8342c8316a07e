using System.Runtime.CompilerServices;
using Branching.Storage;

namespace Branching.Grains;

internal sealed partial class StoreCalls
{
    // A stream page ends by its bytes; this only bounds the list of very small entries.
    private const int StreamPageEntries = 10_000;

    private readonly HashSet<OpenStream> _streams = [];

    public ValueTask<ScanResponse> ScanAsync(ScanRequest request, CancellationToken cancellationToken) => ReadAsync(
        request,
        static async (self, branch, request, cancellationToken) =>
        {
            GrainFailure.ThrowIfMissing(request, "The request");
            GrainFailure.ThrowIfOutside(request.Limit, MaxItems, "The limit of a scan");
            Continuation here = new(
                branch.Database.Id,
                branch.Database.Epoch,
                branch.Lease.Branch.Id,
                Continuation.DigestOf(request.Range, request.Reverse, request.ColumnFamily),
                default);
            bool resumes = !request.Continuation.IsEmpty;
            Storage.ScanRequest scan = new(
                request.ColumnFamily,
                ToStorage(request.Range),
                request.Reverse,
                request.Limit,
                self.MaxResponseBytes,
                request.KeysOnly,
                resumes ? Continuation.Parse(request.Continuation, here).LastKey : default,
                resumes,
                request.Offset);
            if (!request.ForTransaction)
            {
                return self.Answer(await Task.Run(() => branch.Store.Scan(scan), cancellationToken), here);
            }

            Guid life = Guid.Empty;
            ScanPage page = await Task.Run(() => branch.Store.ScanForCommit(scan, out life), cancellationToken);
            return self.Answer(page, here) with { Token = TokenOf(branch, life) };
        },
        cancellationToken);

    /// <summary>One view of the range from the first page to the last; the store stays open with it.</summary>
    public async IAsyncEnumerable<IReadOnlyList<Entry>> StreamAsync(
        StreamRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        OpenStream stream = await RunAsync(
            request,
            static (self, request, cancellationToken) => self.OpenAsync(request, cancellationToken),
            cancellationToken);
        try
        {
            bool more = true;
            while (more)
            {
                (IReadOnlyList<Entry> page, more) = await RunAsync(
                    stream,
                    static (self, stream, cancellationToken) => self.ReadPageAsync(stream, cancellationToken),
                    cancellationToken);
                if (page.Count > 0)
                {
                    yield return page;
                }
            }
        }
        finally
        {
            if (_streams.Remove(stream))
            {
                await Task.Run(() => Close(stream), CancellationToken.None);
            }
        }
    }

    /// <summary>Ends the streams that are open; the store is no longer held by this grain.</summary>
    public async ValueTask CloseStreamsAsync()
    {
        EndFollowing();
        await AbandonLoadsAsync();
        OpenStream[] open = [.. _streams];
        _streams.Clear();
        if (open.Length > 0)
        {
            await Task.Run(() => Array.ForEach(open, Close));
        }
    }

    private long MaxResponseBytes => node.Options.MaxResponseBytes;

    private void Close(OpenStream stream)
    {
        node.Instruments.StreamClosed();
        try
        {
            stream.Dispose();
        }
        catch (StorageException e)
        {
            // The reader has its pages; there is nobody left to tell.
            node.Logger.StreamNotClosed(e, Label);
        }
    }

    private async ValueTask<OpenStream> OpenAsync(StreamRequest request, CancellationToken cancellationToken)
    {
        GrainFailure.ThrowIfMissing(request, "The request");
        (Database found, StoreLease lease) = await AcquireAsync(cancellationToken);
        try
        {
            if (request.KeysOnly && request.ValuesOnly)
            {
                throw GrainFailure.Refused("A stream of keys only and of values only at once would be of nothing.");
            }

            RangeOptions range = new()
            {
                ColumnFamily = request.ColumnFamily,
                Range = ToStorage(request.Range),
                Reverse = request.Reverse,
                Offset = request.Offset,
                Content = request.KeysOnly ? RangeContent.KeysOnly
                    : request.ValuesOnly ? RangeContent.ValuesOnly : RangeContent.All,
            };
            ScanCursor cursor = await Task.Run(
                () => lease.Store.OpenCursor(range, cancellationToken), cancellationToken);
            OpenStream stream = new(found, lease, cursor);
            _streams.Add(stream);
            node.Instruments.StreamOpened();
            return stream;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    private async ValueTask<(IReadOnlyList<Entry> Page, bool More)> ReadPageAsync(
        OpenStream stream, CancellationToken cancellationToken)
    {
        List<KeyValueEntry> read = [];
        bool more;
        try
        {
            more = await Task.Run(
                () => stream.ReadPage(StreamPageEntries, node.Options.StreamPageBytes, read), cancellationToken);
        }
        catch (StorageException e) when (e.Kind == Storage.FailureKind.LeaseExpired)
        {
            // The page was read and may be answered once the lease is valid again.
            more = await stream.ConfirmPageAsync(cancellationToken);
        }

        return (ToEntries(read, read.Count), more);
    }

    /// <summary>The page as far as it fits into one answer, with the token for the rest.</summary>
    private ScanResponse Answer(ScanPage page, Continuation here)
    {
        int count = Fitting(page.Entries);
        if (count == 0 && page.Entries.Count > 0)
        {
            throw TooLarge(page.Entries[0].Key.Length, page.Entries[0].Value.Length);
        }

        bool more = page.HasMore || count < page.Entries.Count;
        return new ScanResponse(
            ToEntries(page.Entries, count),
            more ? (here with { LastKey = page.Entries[count - 1].Key }).ToBytes() : default,
            page.Sequence.Value);
    }

    // Storage ends a page with the entry that reaches the limit; an answer ends before the entry that would pass it.
    private int Fitting(IReadOnlyList<KeyValueEntry> entries)
    {
        long bytes = 0;
        for (int i = 0; i < entries.Count; i++)
        {
            bytes += entries[i].Key.Length + entries[i].Value.Length;
            if (bytes > MaxResponseBytes)
            {
                return i;
            }
        }

        return entries.Count;
    }

    private static Entry[] ToEntries(IReadOnlyList<KeyValueEntry> entries, int count)
    {
        Entry[] answer = new Entry[count];
        for (int i = 0; i < count; i++)
        {
            answer[i] = new Entry(entries[i].Key, entries[i].Value);
        }

        return answer;
    }
}
