namespace Branching.Storage.Changes;

/// <summary>Reads a log from one place on, entry by entry, while it is written. Not thread-safe; dispose it.</summary>
/// <remarks>Blocking: call from the thread pool. Holds one file open.</remarks>
public sealed class ChangeReader : IDisposable
{
    // A page ends by its bytes; this only bounds the list of very small entries.
    private const int MaxEntries = 10_000;

    private readonly ChangeLog _log;
    private readonly bool _acrossDamage;
    private readonly List<Change> _decoded = [];
    private int _next;
    private ChangeFileReader? _file;
    private ulong _fileFirst;

    internal ChangeReader(ChangeLog log, ulong after, bool acrossDamage)
    {
        _log = log;
        _acrossDamage = acrossDamage;
        After = new Sequence(after);
    }

    /// <summary>Everything up to this sequence was read.</summary>
    public Sequence After { get; private set; }

    /// <summary>The position behind what was read.</summary>
    public ChangePosition Position => _log.PositionOf(After);

    /// <summary>Appends the next entries to a list.</summary>
    /// <param name="maxBytes">Keys and values at which the page ends; at least one entry is read.</param>
    /// <param name="entries">Receives them.</param>
    /// <returns>How many there were; 0 at the end of the log as it is now.</returns>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.Corruption"/> with <see cref="StorageException.Damage"/>: a frame is damaged; what comes
    /// before it was read. <see cref="FailureKind.ChangesGone"/>: the next entries were removed meanwhile.
    /// <see cref="FailureKind.Closed"/>.
    /// </exception>
    public int ReadPage(long maxBytes, List<Change> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        int before = entries.Count;
        long bytes = 0;
        while (entries.Count - before < MaxEntries && (bytes == 0 || bytes < maxBytes))
        {
            if (_next == _decoded.Count && !TryDecodeMore(hasSome: entries.Count > before))
            {
                break;
            }

            Change entry = _decoded[_next];
            if (bytes > 0 && bytes + entry.Bytes > maxBytes)
            {
                break;
            }

            _next++;
            entries.Add(entry);
            After = entry.Last;
            bytes += Math.Max(1, entry.Bytes);
        }

        _log.ThrowIfMayNotAnswer();
        return entries.Count - before;
    }

    /// <summary>Completes when there is more to read, or the log was closed.</summary>
    public Task MoreAsync() => _log.MoreThanAsync(After.Value);

    /// <inheritdoc/>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    /// <summary>Reads frames until one has an entry that is wanted.</summary>
    private bool TryDecodeMore(bool hasSome)
    {
        _decoded.Clear();
        _next = 0;
        while (_decoded.Count == 0)
        {
            if (!_log.TryLocate(After.Value, _fileFirst, out ChangeFile? file, out long end, out ulong until))
            {
                return false;
            }

            try
            {
                Use(file, end);
                if (!TryNextFrame(until, hasSome))
                {
                    return false;
                }
            }
            catch (IOException e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                throw _log.Gone(After.Value);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Disk.Failed("Reading the change log file", file.Path, e);
            }
        }

        return true;
    }

    private void Use(ChangeFile file, long end)
    {
        if (_file is null || _fileFirst != file.First)
        {
            _file?.Dispose();
            _file = ChangeFileReader.Open(file.Path, end);
            _fileFirst = file.First;
            if (_file.Fault is { } fault)
            {
                _pendingFault = fault;
            }
        }

        _file.End = end;
    }

    private FrameFault? _pendingFault;

    /// <returns><see langword="false"/>: damage comes next, and the caller has entries that come before it.</returns>
    private bool TryNextFrame(ulong until, bool hasSome)
    {
        ChangeFileReader file = _file!;
        FrameResult result = _pendingFault is null ? file.Read() : FrameResult.Damage;
        _pendingFault ??= file.Fault;
        if (result == FrameResult.End && file.Expected <= until)
        {
            _pendingFault = new FrameFault(
                file.Offset, 0, file.Expected, until, "the file ends before the sequences that it must have");
            result = FrameResult.Damage;
        }

        if (result == FrameResult.End)
        {
            // The next file has what follows; without one the log would not have been said to go on.
            _fileFirst = until + 1;
            _file!.Dispose();
            _file = null;
            return true;
        }

        if (result == FrameResult.Damage)
        {
            return TryPassDamage(_pendingFault!, until, hasSome);
        }

        FrameHeader frame = file.Frame;
        if (!frame.HasSequences || frame.Last <= After.Value)
        {
            return true;
        }

        // The entries outlive the reader's buffer.
        byte[] payload = file.Payload.ToArray();
        if (!FrameDecoder.TryEntries(frame, payload, file.Families, After.Value, _decoded, out string? why))
        {
            _pendingFault = new FrameFault(
                file.Offset - frame.FrameBytes, frame.FrameBytes, frame.First, frame.Last, why!);
            return TryPassDamage(_pendingFault, until, hasSome);
        }

        return true;
    }

    private bool TryPassDamage(FrameFault fault, ulong until, bool hasSome)
    {
        ulong first = Math.Max(fault.First, After.Value + 1);
        ulong last = fault.Last ?? until;
        if (last < first)
        {
            _pendingFault = null; // No sequence that is wanted is lost with it.
            return true;
        }

        if (hasSome)
        {
            return false; // Kept for the next call: what comes before it is answered first.
        }

        ChangeDamage damage = new(
            _file!.Path, fault.Offset, new Sequence(first), new Sequence(last), fault.Reason);
        if (!_acrossDamage)
        {
            throw ChangeLog.Damaged(damage, _log.Label);
        }

        _pendingFault = null;
        _decoded.Add(new Change(
            ChangeKind.Gap, damage.First, damage.Last!.Value, ChangeFormat.TimeOf(_file.Ticks), [],
            ChangeGapReason.Damaged));
        return true;
    }
}
