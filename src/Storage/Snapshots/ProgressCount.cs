namespace Branching.Storage.Snapshots;

/// <summary>Counts what several files at once have done, and reports it. Thread-safe.</summary>
internal sealed class ProgressCount(IProgress<SnapshotProgress>? progress)
{
    // A report for every chunk of every file would keep a terminal busier than the disk.
    private const long ReportBytes = 4L << 20;

    private readonly Lock _lock = new();
    private SnapshotPhase _phase;
    private string? _file;
    private int _filesDone;
    private int _filesTotal;
    private long _bytesDone;
    private long _bytesTotal;
    private int _filesMoved;
    private long _bytesMoved;
    private int _filesSkipped;
    private long _unreported;

    public int FilesMoved => _filesMoved;

    public long BytesMoved => _bytesMoved;

    public int FilesSkipped => _filesSkipped;

    public void Begin(SnapshotPhase phase, int files, long bytes) => Report(() =>
    {
        _phase = phase;
        (_filesDone, _filesTotal, _bytesDone, _bytesTotal) = (0, files, 0, bytes);
    });

    public void Enter(SnapshotPhase phase) => Report(() => _phase = phase);

    /// <summary>A file's content was there already.</summary>
    /// <param name="file">The file.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="reported">How many of them were counted as moved before that was known.</param>
    public void Skip(string file, long bytes, long reported = 0) => Report(() =>
    {
        _file = file;
        _filesDone++;
        _filesSkipped++;
        _bytesDone += bytes - reported;
        _bytesMoved -= reported;
    });

    /// <summary>A file was moved whole; <paramref name="reported"/> of its bytes were counted on the way.</summary>
    public void Moved(string file, long bytes, long reported) => Report(() =>
    {
        _file = file;
        _filesDone++;
        _filesMoved++;
        _bytesMoved += bytes - reported;
        _bytesDone += bytes - reported;
    });

    /// <summary>A file is done with, without having been moved.</summary>
    public void Done(string file, long bytes) => Report(() =>
    {
        _file = file;
        _filesDone++;
        _bytesDone += bytes;
    });

    /// <summary>Counts the bytes of one file while it moves.</summary>
    public FileProgress Of(string file) => new(this, file);

    private void Advance(string file, long bytes)
    {
        SnapshotProgress? report = null;
        lock (_lock)
        {
            _file = file;
            _bytesDone += bytes;
            _bytesMoved += bytes;
            _unreported += bytes;
            if (_unreported >= ReportBytes)
            {
                _unreported = 0;
                report = Now();
            }
        }

        if (report is not null)
        {
            progress?.Report(report);
        }
    }

    private void Report(Action change)
    {
        SnapshotProgress report;
        lock (_lock)
        {
            change();
            report = Now();
        }

        progress?.Report(report);
    }

    private SnapshotProgress Now() => new(
        _phase, _file, _filesDone, _filesTotal, _bytesDone, _bytesTotal, _filesMoved, _bytesMoved, _filesSkipped);

    /// <summary>Told of the bytes of one file as they move.</summary>
    internal sealed class FileProgress(ProgressCount count, string file) : IProgress<long>
    {
        private long _counted;

        /// <summary>Bytes counted so far.</summary>
        public long Counted => Volatile.Read(ref _counted);

        public void Report(long value)
        {
            Interlocked.Add(ref _counted, value);
            count.Advance(file, value);
        }
    }
}
