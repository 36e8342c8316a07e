using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Branching.Storage.Changes;

/// <summary>Brings a log in step with its store, before either is written.</summary>
/// <remarks>
/// May be killed anywhere and run again: first what the store does not have is cut off, then the new history is
/// recorded, then the file is made that has it and whatever the log lacks. A log that ends with its closing frame where
/// the store ends goes on as it is.
/// </remarks>
internal sealed class ChangeRecovery(
    ChangeLogPlace place, string label, IChangeSource store, ILogger logger, TimeProvider time)
{
    private bool _isClosed;
    private bool _lostTail;

    public List<ChangeFile> Files { get; private set; } = [];

    public List<ChangeHistory> Histories { get; private set; } = [];

    public List<ConsumerDocument> Consumers { get; private set; } = [];

    /// <summary>The last sequence that the log has.</summary>
    public ulong End { get; private set; }

    /// <summary>The time of its last entry.</summary>
    public long Ticks { get; private set; }

    /// <summary>Whether it was closed in good order.</summary>
    public bool WasClean { get; private set; }

    private Disk Disk => place.Disk;

    public void Run()
    {
        CreateDirectory();
        ReadState();
        Files = ChangeFiles.List(place, label);
        foreach (ChangeHistory history in Files.Select(f => f.History).OfType<ChangeHistory>())
        {
            if (Histories.All(known => known.Id != history.Id))
            {
                Histories.Add(history);
            }
        }

        Histories.Sort(static (left, right) => left.Number.CompareTo(right.Number));
        bool isNew = Files.Count == 0 && Histories.Count == 0;
        RemoveFilesBehindTheStore();
        ReadLastFile();
        WasClean = _isClosed && End == store.Sequence && Files.Count > 0
            && Files[^1].History?.Id == Histories[^1].Id;
        if (!WasClean)
        {
            BeginHistory(isNew);
        }
    }

    private void CreateDirectory()
    {
        if (Directory.Exists(place.Directory))
        {
            return;
        }

        string parent = Path.GetDirectoryName(place.Directory)!;
        if (!Directory.Exists(parent))
        {
            Disk.CreateDirectory(parent);
            Disk.FlushDirectory(Path.GetDirectoryName(parent)!);
        }

        Disk.CreateDirectory(place.Directory);
        Disk.FlushDirectory(parent);
    }

    private void ReadState()
    {
        if (ChangeState.TryRead(place) is not { } state)
        {
            return;
        }

        if (state.Database != place.Database.ToString() || state.Store != place.Store.ToString())
        {
            throw new StorageException(
                FailureKind.UnknownStore,
                $"'{place.Directory}' is the change log of store {state.Store} of database {state.Database}, not of " +
                $"{label}, which is store {place.Store}. It is not read and not touched; move it away.");
        }

        Histories = [.. state.Histories];
        Consumers = [.. state.Consumers];
    }

    private void RemoveFilesBehindTheStore()
    {
        bool removed = false;
        while (Files.Count > 0 && Files[^1].First > store.Sequence + 1)
        {
            Disk.DeleteFile(Files[^1].Path);
            Disk.Reach(ChangeStep.RecoveryRemoved);
            Files.RemoveAt(Files.Count - 1);
            removed = true;
        }

        if (removed)
        {
            Disk.FlushDirectory(place.Directory);
            logger.ChangeLogCut(label, place.Directory, store.Sequence);
        }
    }

    private void ReadLastFile()
    {
        if (Files.Count == 0)
        {
            End = store.Sequence;
            return;
        }

        ChangeFile last = Files[^1];
        using ChangeFileReader reader = ChangeFileReader.Open(last.Path);
        Ticks = last.CreatedTicks;
        End = last.First - 1;
        if (reader.Header is null || last.History is null)
        {
            PutAside(last);
            return;
        }

        long cut = ReadFrames(reader, last);
        if (cut < reader.End)
        {
            Cut(last, cut);
        }

        last.Bytes = cut;
    }

    /// <summary>Reads to the end or to what the store does not have.</summary>
    /// <returns>Where the file must end.</returns>
    private long ReadFrames(ChangeFileReader reader, ChangeFile file)
    {
        long keep = ChangeFormat.FileHeaderBytes;
        file.Entries = 0;
        while (true)
        {
            FrameResult result = reader.Read();
            if (result == FrameResult.End)
            {
                return keep;
            }

            if (result == FrameResult.Damage)
            {
                FrameFault fault = reader.Fault!;
                logger.ChangeLogDamaged(label, reader.Path, fault.Offset, fault.Bytes, fault.Reason);
                _lostTail |= fault.Last is null;
                continue;
            }

            if (reader.Frame.HasSequences && reader.Frame.Last > store.Sequence)
            {
                _isClosed = false;
                return keep;
            }

            Accept(reader, file);
            keep = reader.Offset;
        }
    }

    private void Accept(ChangeFileReader reader, ChangeFile file)
    {
        FrameHeader frame = reader.Frame;
        _isClosed = frame.Kind == FrameKind.Closed;
        _lostTail = false;
        if (frame.HasSequences)
        {
            End = frame.Last;
        }

        Ticks = frame.Ticks;
        if (frame.Kind == FrameKind.Batch)
        {
            file.Entries += FrameDecoder.CountEntries(reader.Payload);
        }
    }

    private void Cut(ChangeFile file, long bytes)
    {
        logger.ChangeLogTailCut(label, file.Path, bytes, End);
        using SafeFileHandle handle = Disk.OpenForWriting(file.Path);
        Disk.Truncate(handle, file.Path, bytes);
        Disk.Reach(ChangeStep.RecoveryCut);
        Disk.Flush(handle, file.Path);
        _isClosed = false;
    }

    /// <summary>A last file without a header says nothing, and the next file may need its name.</summary>
    private void PutAside(ChangeFile file)
    {
        logger.ChangeLogDamaged(label, file.Path, 0, file.Bytes, "its header is damaged");
        for (int n = 1; ; n++)
        {
            string aside = $"{file.Path}{ChangeFormat.Damaged}-{n}";
            if (!File.Exists(aside))
            {
                Disk.Rename(file.Path, aside);
                break;
            }
        }

        Disk.FlushDirectory(place.Directory);
        Files.RemoveAt(Files.Count - 1);
        _lostTail = true;
        if (Files.Count > 0)
        {
            Ticks = Math.Max(Ticks, Files[^1].CreatedTicks);
        }
    }

    private void BeginHistory(bool isNew)
    {
        ulong start = store.Sequence;
        ulong number = Histories.Count == 0 ? 1 : Histories[^1].Number + 1;
        ulong id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        List<ConsumerDocument> consumers = [];
        foreach (ConsumerDocument consumer in Consumers)
        {
            // One that has read what did not last keeps its old history, and is told so.
            consumers.Add(
                ChangeHistories.Problem(Histories, consumer.History, consumer.Sequence) is null
                    && consumer.Sequence <= start
                    ? consumer with { History = id }
                    : consumer);
        }

        Consumers = consumers;
        Histories.Add(new ChangeHistory(id, number, start));
        if (Histories.Count > ChangeState.KeptHistories)
        {
            Histories.RemoveRange(0, Histories.Count - ChangeState.KeptHistories);
        }

        ChangeState.Write(place, new ChangeStateDocument(
            ChangeState.Format, place.Database.ToString(), place.Store.ToString(), Histories, Consumers));
        Disk.Reach(ChangeStep.RecoveryRecorded);
        if (isNew)
        {
            logger.ChangeLogBegun(label, place.Directory, start);
        }
        else
        {
            logger.ChangeLogHistoryBegun(label, place.Directory, number, start);
        }

        AddFile(Histories[^1]);
    }

    private void AddFile(ChangeHistory history)
    {
        Ticks = Math.Max(Ticks, time.GetUtcNow().UtcTicks);
        FileHeader header = new(
            place.Database, place.Store, End + 1, history.Id, history.Number, history.Start, Ticks);
        using FrameBuffer buffer = new();
        buffer.AddHeader(header);
        long entries = End < history.Start ? FillUpTo(history, buffer) : 0;

        // A file of that name holds nothing but frames without sequences, or the log could not end before it.
        if (Files.Count > 0 && Files[^1].First == header.First)
        {
            Files.RemoveAt(Files.Count - 1);
        }

        Files.Add(ChangeFileWriter.Publish(place, buffer, header, entries));
        End = history.Start;
    }

    /// <summary>Whether readers will understand a batch: one of RocksDB's own transactions has other records.</summary>
    private static bool IsReadable(CommittedBatch batch, IReadOnlyDictionary<uint, FamilyIdentity> families)
    {
        ReadOnlyMemory<byte> rest = batch.Records;
        uint count = 0;
        string? why;
        while (BatchDecoder.TryRead(ref rest, families, out _, out why))
        {
            count++;
        }

        return why is null && count == batch.Count;
    }

    /// <summary>Adds what the store has and the log does not: batches of RocksDB's own log, or a gap.</summary>
    private long FillUpTo(ChangeHistory history, FrameBuffer buffer)
    {
        bool wasOff = _isClosed && !_lostTail;
        ulong next = End + 1;
        long entries = 0;
        if (!wasOff)
        {
            buffer.AddFamilies(store.Families, End, Ticks, history.Id);
            Dictionary<uint, FamilyIdentity> families = store.Families.ToDictionary(
                static family => family.Key, static family => FamilyIdentity.Parse(family.Value));
            foreach (CommittedBatch batch in store.BatchesFrom(next))
            {
                ulong last = batch.First + batch.Count - 1;
                if (batch.First < next || batch.Count == 0 || last > history.Start
                    || !IsReadable(batch, families))
                {
                    break;
                }

                if (batch.First > next)
                {
                    AddGap(buffer, history, next, batch.First - 1, ChangeGapReason.LostTail);
                }

                buffer.Begin();
                buffer.AddNumber(1);
                buffer.AddNumber(batch.Count);
                buffer.AddBytes(batch.Records.Span);
                buffer.End(FrameKind.Batch, batch.First, last, Ticks, history.Id);
                next = last + 1;
                entries++;
            }
        }

        if (next <= history.Start)
        {
            AddGap(
                buffer, history, next, history.Start,
                wasOff ? ChangeGapReason.NotLogged : ChangeGapReason.LostTail);
        }

        if (entries > 0)
        {
            logger.ChangeLogFilled(label, place.Directory, entries, End + 1, history.Start);
        }

        return entries;
    }

    private void AddGap(FrameBuffer buffer, ChangeHistory history, ulong first, ulong last, ChangeGapReason reason)
    {
        buffer.AddGap(first, last, reason, Ticks, history.Id);
        logger.ChangeLogGap(label, place.Directory, first, last, reason);
    }
}

/// <summary>Which positions still mean what they meant.</summary>
internal static class ChangeHistories
{
    /// <summary>Why a sequence of a history is none of the newest one; <see langword="null"/>: it is.</summary>
    public static string? Problem(IReadOnlyList<ChangeHistory> histories, ulong history, ulong sequence)
    {
        int at = -1;
        for (int i = 0; i < histories.Count; i++)
        {
            at = histories[i].Id == history ? i : at;
        }

        if (at < 0)
        {
            return "it is of a history that this log does not know";
        }

        for (int i = at + 1; i < histories.Count; i++)
        {
            if (histories[i].Start < sequence)
            {
                return $"what was read behind sequence {histories[i].Start} did not last: it was lost with the power " +
                    "or by a restore, and other writes have its sequences now";
            }
        }

        return null;
    }
}
