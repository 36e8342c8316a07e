using Microsoft.Win32.SafeHandles;

namespace Branching.Storage.Changes;

/// <content>
/// The writer's side. Between <see cref="TryAppend"/> and <see cref="Commit"/> or <see cref="Retract"/> the file holds
/// more than readers may see. Called under the store's commit lock only.
/// </content>
public sealed partial class ChangeLog
{
    private readonly FrameBuffer _buffer = new();
    private object? _families;
    private long _offset;
    private long _entries;
    private ulong _appendedEnd;
    private long _appendedTicks;
    private int _appendedEntries;
    private bool _appendedDurably;
    private ulong _durableEnd;
    private bool _retentionDue;
    private Exception? _failure;

    private ulong History => _histories[^1].Id;

    /// <summary>Writes the frames of a staged group, durably when the group is to be.</summary>
    /// <param name="group">The group; its batch is what RocksDB is about to commit.</param>
    /// <param name="sequence">The store's sequence now.</param>
    /// <param name="families">Changes its identity whenever a column family is made or dropped.</param>
    /// <param name="names">Those column families.</param>
    /// <param name="mayWait">Whether the thread may wait for the disk.</param>
    /// <returns><see langword="false"/>: it would have to wait, and nothing was written.</returns>
    /// <exception cref="StorageException">
    /// Nothing may be committed any more: what the file holds is in doubt.
    /// </exception>
    internal bool TryAppend(
        WriteGroup group, ulong sequence, object families, Func<IEnumerable<KeyValuePair<uint, string>>> names,
        bool mayWait)
    {
        if (_failure is not null)
        {
            throw new StorageException(
                FailureKind.Poisoned, $"The change log '{_active.Path}' takes no more: {_failure.Message}", _failure);
        }

        long ticks = Now();
        if (MustRotate(ticks))
        {
            if (!mayWait)
            {
                return false;
            }

            Rotate(ticks);
        }

        _buffer.Clear();
        if (sequence > _end)
        {
            // An ingested file takes a sequence beside the writer.
            _buffer.AddGap(_end + 1, sequence, ChangeGapReason.NotLogged, ticks, History);
        }
        else if (sequence < _end)
        {
            throw Fail(new StorageException(
                FailureKind.Internal,
                $"The change log '{_active.Path}' ends at sequence {_end}, {Label} only at {sequence}."));
        }

        if (!ReferenceEquals(families, _families))
        {
            _buffer.AddFamilies(names(), sequence, ticks, History);
            _families = families;
        }

        AddBatch(group, sequence, ticks);
        Write(group.Sync);
        return true;
    }

    private void AddBatch(WriteGroup group, ulong sequence, long ticks)
    {
        ReadOnlySpan<byte> batch = group.Batch.Data;
        int requests = 0;
        for (int i = 0, end = 0; i < group.StagedCount; end = group.OperationsEndOf(i++))
        {
            requests += group.OperationsEndOf(i) > end ? 1 : 0;
        }

        _buffer.Begin();
        _buffer.AddNumber((uint)requests);
        for (int i = 0, end = 0; i < group.StagedCount; end = group.OperationsEndOf(i++))
        {
            if (group.OperationsEndOf(i) > end)
            {
                _buffer.AddNumber((uint)(group.OperationsEndOf(i) - end));
            }
        }

        _buffer.AddBytes(batch[BatchDecoder.HeaderBytes..]);
        _appendedEnd = sequence + (ulong)group.Operations;
        _appendedTicks = ticks;
        _appendedEntries = requests;
        _buffer.End(FrameKind.Batch, sequence + 1, _appendedEnd, ticks, History);
    }

    private void Write(bool durably)
    {
        try
        {
            _disk.Reach(ChangeStep.Appending);
            _disk.WriteAt(_handle, _active.Path, _buffer.Written, _offset);
            _disk.Reach(ChangeStep.Appended);
            if (durably)
            {
                _disk.Flush(_handle, _active.Path);
                _disk.Reach(ChangeStep.AppendFlushed);
            }
        }
        catch (StorageException e)
        {
            throw Fail(e);
        }

        _appendedDurably = durably;
    }

    /// <summary>The group of the last append is committed: readers may see it.</summary>
    /// <param name="sequence">The store's sequence now.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.Internal"/>: it is not what the frames say.
    /// </exception>
    internal void Commit(ulong sequence)
    {
        if (sequence != _appendedEnd)
        {
            throw Fail(new StorageException(
                FailureKind.Internal,
                $"The change log '{_active.Path}' was written for sequence {_appendedEnd}, but {Label} is at " +
                $"{sequence} after the commit: something else wrote to the store."));
        }

        _offset += _buffer.Length;
        _entries += _appendedEntries;
        _durableEnd = _appendedDurably ? _appendedEnd : _durableEnd;
        _disk.Reach(ChangeStep.Committed);
        TaskCompletionSource? more;
        lock (_lock)
        {
            _active.Bytes = _offset;
            _active.Entries = _entries;
            _ticks = _appendedTicks;
            Volatile.Write(ref _end, _appendedEnd);
            more = _more;
            _more = null;
        }

        more?.TrySetResult();
    }

    /// <summary>RocksDB refused the group of the last append untouched: its frames are taken back.</summary>
    internal void Retract()
    {
        _families = null;
        try
        {
            _disk.Truncate(_handle, _active.Path, _offset);
        }
        catch (StorageException e)
        {
            throw Fail(e);
        }
    }

    /// <summary>Makes everything in the log survive a loss of power. Blocking.</summary>
    internal void Sync()
    {
        try
        {
            _disk.Flush(_handle, _active.Path);
        }
        catch (StorageException e)
        {
            throw Fail(e);
        }
    }

    private StorageException Fail(StorageException cause)
    {
        _failure = cause;
        return cause;
    }

    // The clock may be set back; an entry is never earlier than one before it.
    private long Now() => Math.Max(_ticks, _time.GetUtcNow().UtcTicks);

    private bool MustRotate(long ticks)
    {
        ChangeLogSettings settings = Settings;
        return _entries > 0
            && (_offset >= settings.RotateBytes || ticks - _active.CreatedTicks >= settings.RotateAfter.Ticks);
    }

    private void Rotate(long ticks)
    {
        try
        {
            Seal();
            _disk.Reach(ChangeStep.RotateSealed);
            _disk.Flush(_handle, _active.Path);
            _disk.Reach(ChangeStep.RotateFlushed);
            _buffer.Clear();
            ChangeFile next = ChangeFileWriter.Create(
                _place, _buffer, new FileHeader(
                    _place.Database, _place.Store, _end + 1, History, _histories[^1].Number, _histories[^1].Start,
                    ticks));
            SafeFileHandle handle = Disk.OpenForWriting(next.Path);
            _handle.Dispose();
            _handle = handle;
            lock (_lock)
            {
                _files.Add(next);
                _active = next;
            }

            _offset = next.Bytes;
            _entries = 0;
            _families = null;
            _retentionDue = true;
        }
        catch (StorageException e)
        {
            throw Fail(e);
        }
    }

    /// <summary>Writes the last frame of a file; not durable before the file is flushed.</summary>
    private void Seal()
    {
        _buffer.Clear();
        _buffer.AddClosed(_end, Math.Max(0, _entries), Now(), History);
        _disk.WriteAt(_handle, _active.Path, _buffer.Written, _offset);
        _offset += _buffer.Length;
        lock (_lock)
        {
            _active.Bytes = _offset;
        }
    }

    /// <summary>
    /// Says durably that the file is being written, before anybody reads from it: otherwise a log that loses all that
    /// comes now with the power would look like one that was closed in good order.
    /// </summary>
    private void MarkOpened(IEnumerable<KeyValuePair<uint, string>> families)
    {
        _buffer.Clear();
        _buffer.AddFamilies(families, _end, Now(), History);
        _disk.WriteAt(_handle, _active.Path, _buffer.Written, _offset);
        _disk.Flush(_handle, _active.Path);
        _offset += _buffer.Length;
        _active.Bytes = _offset;
    }
}

/// <summary>Makes new files of a log.</summary>
internal static class ChangeFileWriter
{
    /// <summary>Makes a file with its header and whatever else the buffer holds behind it. Durable on return.</summary>
    public static ChangeFile Create(ChangeLogPlace place, FrameBuffer buffer, FileHeader header)
    {
        buffer.AddHeader(header);
        return Publish(place, buffer, header, entries: 0);
    }

    /// <summary>As <see cref="Create"/>, of a buffer that begins with the header already.</summary>
    public static ChangeFile Publish(ChangeLogPlace place, FrameBuffer buffer, FileHeader header, long entries)
    {
        Disk disk = place.Disk;
        string path = Path.Combine(place.Directory, ChangeFormat.NameOf(header.First));
        string temporary = path + ChangeFormat.Unfinished;
        disk.DeleteFile(temporary);
        disk.WriteNewFile(temporary, buffer.Written.ToArray());
        disk.Reach(ChangeStep.FileWritten);
        disk.Replace(temporary, path);
        disk.Reach(ChangeStep.FileNamed);
        disk.FlushDirectory(place.Directory);
        disk.Reach(ChangeStep.FileNamedDurably);
        return new ChangeFile
        {
            Path = path,
            First = header.First,
            History = new ChangeHistory(header.History, header.HistoryNumber, header.HistoryStart),
            CreatedTicks = header.CreatedTicks,
            Bytes = buffer.Length,
            Entries = entries,
        };
    }
}
