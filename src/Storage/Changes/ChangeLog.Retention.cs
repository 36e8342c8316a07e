namespace Branching.Storage.Changes;

/// <summary>What of a change log is to be removed; whole files only, the oldest first.</summary>
/// <param name="OlderThan">Files whose entries are all older.</param>
/// <param name="Through">Files whose entries all lie up to this sequence.</param>
/// <param name="ThroughFile">Files up to and including the one of this name.</param>
public sealed record ChangePurge(
    DateTimeOffset? OlderThan = null, Sequence? Through = null, string? ThroughFile = null);

/// <summary>What was removed.</summary>
/// <param name="Files">Files.</param>
/// <param name="Entries">Entries in them.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="KeptFor">
/// A consumer that kept more from being removed; <see langword="null"/> when none did.
/// </param>
/// <param name="DroppedConsumers">Consumers that were dropped, because they lagged too far behind.</param>
public sealed record ChangePurgeResult(
    int Files, long Entries, long Bytes, string? KeptFor, IReadOnlyList<string> DroppedConsumers);

/// <summary>What is known about a change log.</summary>
/// <param name="Files">Its files.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="First">The first sequence it has.</param>
/// <param name="Last">The last sequence it has; one less than <paramref name="First"/> when it has none.</param>
/// <param name="FirstTime">When its oldest file was begun, UTC.</param>
/// <param name="LastTime">When its last entry was written, UTC.</param>
/// <param name="Consumers">Its consumers.</param>
/// <param name="Settings">How it is kept.</param>
public sealed record ChangeLogStatistics(
    int Files, long Bytes, Sequence First, Sequence Last, DateTimeOffset FirstTime, DateTimeOffset LastTime,
    IReadOnlyList<ChangeConsumer> Consumers, ChangeLogSettings Settings);

/// <content>What is removed when.</content>
public sealed partial class ChangeLog
{
    private readonly Lock _purging = new();

    /// <summary>What is known about the log now. Cheap: no file is read.</summary>
    public ChangeLogStatistics GetStatistics()
    {
        ThrowIfClosed();
        lock (_lock)
        {
            return new ChangeLogStatistics(
                _files.Count, _files.Sum(file => file.Bytes), new Sequence(_files[0].First), new Sequence(_end),
                ChangeFormat.TimeOf(_files[0].CreatedTicks), ChangeFormat.TimeOf(_ticks), ListConsumers(), Settings);
        }
    }

    /// <summary>Removes whole files that nobody needs any more. Blocking.</summary>
    /// <remarks>
    /// Never the file that is written, never what a consumer has not acknowledged, and never what the store itself
    /// might lose with the power, because then the log must say where the store is.
    /// </remarks>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidArgument"/>: there is no file of that name, or nothing was asked for.
    /// </exception>
    public ChangePurgeResult Purge(ChangePurge purge)
    {
        ArgumentNullException.ThrowIfNull(purge);
        ThrowIfClosed();
        if (purge is { OlderThan: null, Through: null, ThroughFile: null })
        {
            throw new StorageException(
                FailureKind.InvalidArgument, "Nothing was removed: say by time, sequence or file what is to go.");
        }

        ulong through = purge.Through?.Value ?? ulong.MaxValue;
        lock (_lock)
        {
            if (purge.ThroughFile is { } name)
            {
                int at = _files.FindIndex(file => file.Name == name);
                through = at >= 0
                    ? Math.Min(through, LastOf(at))
                    : throw new StorageException(
                        FailureKind.InvalidArgument,
                        $"The change log of {Label} has no file '{Names.Show(name)}' in '{Directory}'. Nothing was " +
                        "removed.");
            }
        }

        long olderThan = purge.OlderThan?.UtcTicks ?? long.MaxValue;
        return Remove(i => LastOf(i) <= through && EndTicksOf(i) < olderThan);
    }

    /// <summary>Called about once a second by the store's upkeep.</summary>
    internal void Maintain()
    {
        ChangeLogSettings settings = Settings;
        bool due;
        lock (_lock)
        {
            due = !_closed && _files.Count > 1 && (_retentionDue || IsOver(settings, 0));
            _retentionDue = false;
        }

        if (!due)
        {
            return;
        }

        try
        {
            ChangePurgeResult result = Remove(i => IsOver(settings, i));
            if (result.Files > 0)
            {
                _logger.ChangeLogPurged(Label, Directory, result.Files, result.Entries, result.Bytes);
            }
        }
        catch (Exception e) when (e is StorageException or RocksDb.RocksDbException)
        {
            // It only takes space; the next turn tries again.
            _logger.ChangeLogNotPurged(Label, Directory, e);
        }
    }

    /// <summary>Whether retention wants the file at an index, which is the oldest left, to go.</summary>
    private bool IsOver(ChangeLogSettings settings, int index)
    {
        long bytes = 0;
        for (int i = index; i < _files.Count; i++)
        {
            bytes += _files[i].Bytes;
        }

        return bytes > settings.KeepBytes || _files.Count - index > settings.KeepFiles
            || (settings.KeepFor is { } age && EndTicksOf(index) < _time.GetUtcNow().UtcTicks - age.Ticks);
    }

    private ChangePurgeResult Remove(Func<int, bool> wanted)
    {
        lock (_purging)
        {
            ThrowIfClosed();
            IReadOnlyList<string> dropped = DropLaggards();
            string? keptFor;
            List<ChangeFile> doomed;
            bool mustSync;
            lock (_lock)
            {
                doomed = Choose(wanted, out keptFor);
                mustSync = doomed.Count > 0 && LastOf(doomed.Count - 1) > _durableEnd;
            }

            if (mustSync)
            {
                SyncStore();
            }

            long entries = 0, bytes = 0;
            foreach (ChangeFile file in doomed)
            {
                entries += CountEntries(file);
                bytes += file.Bytes;
                _disk.Reach(ChangeStep.PurgeStarted);
                lock (_lock)
                {
                    _files.Remove(file);
                }

                _disk.DeleteFile(file.Path);
                _disk.Reach(ChangeStep.PurgeRemoved);
            }

            if (doomed.Count > 0)
            {
                _disk.FlushDirectory(Directory);
            }

            return new ChangePurgeResult(doomed.Count, entries, bytes, keptFor, dropped);
        }
    }

    /// <summary>The oldest files that are wanted away and that nobody needs.</summary>
    private List<ChangeFile> Choose(Func<int, bool> wanted, out string? keptFor)
    {
        ulong free = NeededByNone();
        List<ChangeFile> chosen = [];
        keptFor = null;
        for (int i = 0; i < _files.Count - 1 && wanted(i); i++)
        {
            if (LastOf(i) > free)
            {
                keptFor = _consumers.Values.Where(Holds).MinBy(c => c.Sequence)!.Name;
                break;
            }

            chosen.Add(_files[i]);
        }

        return chosen;
    }

    private List<string> DropLaggards()
    {
        List<string> dropped = [];
        lock (_lock)
        {
            if (Settings.DropConsumersBehindBytes is not { } limit)
            {
                return dropped;
            }

            foreach (ConsumerDocument consumer in _consumers.Values.Where(Holds).ToArray())
            {
                if (BytesBehind(consumer.Sequence) > limit)
                {
                    _consumers[consumer.Name] = consumer with { DroppedAt = _time.GetUtcNow() };
                    _consumerChanges++;
                    dropped.Add(consumer.Name);
                    _logger.ConsumerDropped(consumer.Name, Label, consumer.Sequence, limit);
                }
            }
        }

        if (dropped.Count > 0)
        {
            // Durable before anything that it had not read is gone.
            Save(ulong.MaxValue);
        }

        return dropped;
    }

    /// <summary>The last sequence of the file at an index.</summary>
    private ulong LastOf(int index) => index + 1 < _files.Count ? _files[index + 1].First - 1 : _end;

    /// <summary>When the last entry of the file at an index was written, at the latest.</summary>
    private long EndTicksOf(int index) => index + 1 < _files.Count ? _files[index + 1].CreatedTicks : _ticks;

    private static long CountEntries(ChangeFile file)
    {
        if (file.Entries >= 0)
        {
            return file.Entries;
        }

        try
        {
            using ChangeFileReader reader = ChangeFileReader.Open(file.Path, file.Bytes);
            long entries = 0;
            for (FrameResult result = reader.Read(); result != FrameResult.End; result = reader.Read())
            {
                entries += result == FrameResult.Frame && reader.Frame.Kind == FrameKind.Batch
                    ? FrameDecoder.CountEntries(reader.Payload)
                    : 0;
            }

            return entries;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Reading the change log file", file.Path, e);
        }
    }
}
