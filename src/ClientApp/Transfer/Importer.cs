using Branching.ClientApp.Formats;
using Branching.Grains;

namespace Branching.ClientApp.Transfer;

/// <summary>What to import.</summary>
internal sealed record ImportPlan(
    ImportFile File, RecordFormat Format, string? KeyColumn, string? ColumnFamily, bool SkipBad,
    bool IsBulk = false);

/// <summary>What the check of a file found.</summary>
/// <param name="Records">Records that can be read.</param>
/// <param name="MalformedCount">Records that cannot.</param>
/// <param name="FirstMalformed">The first of those.</param>
internal sealed record ImportCheck(long Records, long MalformedCount, IReadOnlyList<MalformedRecord> FirstMalformed);

/// <summary>How an import ended.</summary>
/// <param name="Records">Records written and flushed to the disk.</param>
/// <param name="Bytes">Their keys and values.</param>
/// <param name="Failure">Why it ended early; null when it did not.</param>
/// <param name="IsKnown">Whether it is known what of it is in the store.</param>
internal sealed record ImportOutcome(long Records, long Bytes, Exception? Failure, bool IsKnown = true);

/// <summary>
/// Imports a file in two passes: the first reads all of it and writes nothing, so that a malformed line is known before
/// anything changes. The second hands batches to a destination and ends it; only then is the import acknowledged.
/// </summary>
internal sealed class Importer(IImportDestination destination, ImportPlan plan)
{
    public const int MalformedShown = 10;

    private const int RecordsPerReport = 20_000;

    /// <summary>Reads the whole file and changes nothing.</summary>
    public static ImportCheck Check(ImportPlan plan, Action<long, long> report, CancellationToken cancellationToken)
    {
        using RecordReader reader = plan.File.Read(plan.Format, plan.KeyColumn);
        long records = 0;
        long malformed = 0;
        List<MalformedRecord> first = [];
        for (ReadOutcome outcome = reader.Read(); outcome != ReadOutcome.End; outcome = reader.Read())
        {
            if (outcome == ReadOutcome.Record)
            {
                records++;
            }
            else if (++malformed <= MalformedShown)
            {
                first.Add(reader.Malformed!);
            }

            if ((records + malformed) % RecordsPerReport == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                report(reader.BytesRead, records);
            }
        }

        return new ImportCheck(records, malformed, first);
    }

    /// <summary>
    /// Writes the file's records. One batch is on its way while the next is read: later lines win, always.
    /// </summary>
    public async Task<ImportOutcome> WriteAsync(Action<long, long> report, CancellationToken cancellationToken)
    {
        using RecordReader reader = plan.File.Read(plan.Format, plan.KeyColumn);
        var filling = new ImportBatch();
        var writing = new ImportBatch();
        Task<int>? pending = null;
        long records = 0;
        Exception? failure = null;
        long bytes = 0;
        try
        {
            bool more = MoveToRecord(reader);
            while (more || pending is not null)
            {
                bool hasBatch = more;
                if (more)
                {
                    ImportBatch target = filling;
                    (more, long added) = await Task.Run(() => Fill(reader, target), CancellationToken.None);
                    bytes += added;
                }

                if (pending is not null)
                {
                    records += await pending;
                    pending = null;
                    report(reader.BytesRead, records);
                }

                cancellationToken.ThrowIfCancellationRequested();
                if (hasBatch && filling.Count > 0)
                {
                    (filling, writing) = (writing, filling);
                    pending = SendAsync(writing);
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
        }
        catch (Exception stopped)
        {
            // Told with how much was written, which is what the user needs to know.
            failure = stopped;
        }

        (failure, bool isKnown) = await EndAsync(records, failure);
        if (failure is null)
        {
            // After a failure a request may still be under way somewhere and read its buffer.
            filling.Dispose();
            writing.Dispose();
        }

        return new ImportOutcome(records, bytes, failure, isKnown);
    }

    private async Task<(Exception? Failure, bool IsKnown)> EndAsync(long records, Exception? failure)
    {
        try
        {
            await destination.EndAsync(records, isWhole: failure is null);
            return (failure, IsKnown: true);
        }
        catch (Exception e) when (e is TimeoutException or BranchingException)
        {
            bool isKnown = e is BranchingException
            {
                Kind: not (FailureKind.TimedOut or FailureKind.LeaseExpired or FailureKind.Fenced),
            };
            return (failure ?? e, isKnown);
        }
    }

    private async Task<int> SendAsync(ImportBatch batch)
    {
        int count = batch.Count;
        await destination.SendAsync(batch.Operations);
        batch.Clear();
        return count;
    }

    /// <summary>Fills a batch, beginning with the record that the reader stands at.</summary>
    private (bool More, long Bytes) Fill(RecordReader reader, ImportBatch batch)
    {
        long bytes = 0;
        while (batch.TryAdd(reader.Key, reader.Value, plan.ColumnFamily))
        {
            bytes += reader.Key.Length + reader.Value.Length;
            if (!MoveToRecord(reader))
            {
                return (false, bytes);
            }
        }

        return (true, bytes);
    }

    private bool MoveToRecord(RecordReader reader)
    {
        ReadOutcome outcome = reader.Read();
        return outcome != ReadOutcome.End && Usable(reader, outcome);
    }

    private bool Usable(RecordReader reader, ReadOutcome outcome)
    {
        while (outcome == ReadOutcome.Malformed)
        {
            if (!plan.SkipBad)
            {
                throw new UserError(
                    ExitCode.Failed,
                    $"{plan.File.Name} changed while it was imported: {reader.Malformed}",
                    "import it again when nobody writes to it",
                    "ImportChanged");
            }

            outcome = reader.Read();
        }

        return outcome == ReadOutcome.Record;
    }
}
