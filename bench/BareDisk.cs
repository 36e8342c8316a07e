using System.Diagnostics;
using Branching.RocksDb.Files;
using Microsoft.Win32.SafeHandles;

namespace Branching.Bench;

/// <summary>
/// The appends of <see cref="PacedWriter"/>'s synced puts without a database: one thread appends to a file what is due
/// and syncs it. Latencies count from the millisecond at which a put was due, as there.
/// </summary>
internal sealed class BareLog : IDisposable
{
    private const int TicksPerSecond = 1000;
    private const int PutBytes = 150; // A put of 16 and 100 bytes as RocksDB logs it, about.

    private readonly SafeFileHandle _file;
    private readonly int _perTick;
    private readonly List<(long DueAt, double Milliseconds)> _puts = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;

    /// <summary>Starts to append to a new file in the directory.</summary>
    public BareLog(string directory, int perSecond)
    {
        _perTick = perSecond / TicksPerSecond;
        _file = File.OpenHandle(
            Path.Combine(directory, "bare.log"), FileMode.Create, FileAccess.Write, options: FileOptions.DeleteOnClose);
        _thread = new Thread(Write) { IsBackground = true, Name = "bare-log" };
        _thread.Start();
    }

    /// <summary>Stops; then says the latencies of the puts that were due within any of the windows.</summary>
    public Samples Within(Windows windows)
    {
        Stop();
        return windows.Of(_puts);
    }

    public void Dispose()
    {
        Stop();
        _file.Dispose();
        _stop.Dispose();
    }

    private void Stop()
    {
        _stop.Cancel();
        _thread.Join();
    }

    private void Write()
    {
        TimeSlices.TryUseShort();
        byte[] block = new byte[1 << 20];
        long tick = Stopwatch.Frequency / TicksPerSecond;
        long due = Stopwatch.GetTimestamp();
        long end = 0;
        while (!_stop.IsCancellationRequested)
        {
            long first = due;
            for (; due <= Stopwatch.GetTimestamp(); due += tick)
            {
            }

            // What became due while the last group was on its way is the next group.
            int bytes = (int)Math.Min(block.Length, (due - first) / tick * _perTick * PutBytes);
            if (bytes > 0)
            {
                RandomAccess.Write(_file, block.AsSpan(0, bytes), end);
                end += bytes;
                DiskProbe.Sync(_file);
                for (; first < due; first += tick)
                {
                    double milliseconds = Stopwatch.GetElapsedTime(first).TotalMilliseconds;
                    for (int i = 0; i < _perTick; i++)
                    {
                        _puts.Add((first, milliseconds));
                    }
                }
            }

            Pause.Until(due);
        }
    }
}

/// <summary>
/// What a branch or a snapshot asks of the file system, without a database: the same links, files, syncs and renames,
/// one after the other.
/// </summary>
internal sealed class BareFiles(string directory)
{
    private readonly byte[] _content = new byte[16 << 20];
    private int _next;

    /// <summary>
    /// A branch until its first put: 15 syncs. Counted with strace in one of ours: the checkpoint with its mark, its
    /// name, the catalog, RocksDB's opening, the put.
    /// </summary>
    /// <param name="store">The directory of a branch's store, which says what is linked and how long the rest is.
    /// </param>
    public void Branch(string store)
    {
        string name = Path.Combine(directory, $"bare-{_next++}");
        string made = Directory.CreateDirectory(name + ".tmp").FullName;
        Link(Directory.EnumerateFiles(store, "*.sst"), made);

        int manifest = Length(store, "MANIFEST-*");
        Put(made, "MANIFEST-1", manifest, isSynced: false);
        Put(made, "CURRENT", 16, isSynced: false);
        Put(made, "1.log", Length(store, "*.log"), isSynced: false);
        Directory.Move(made, name);
        Put(name, "IDENTITY", 36, isSynced: false);
        Put(name, "branch.json", 250, isSynced: false);
        LocalFiles.FlushDirectoryWithFiles(name);
        Directory.Move(name, made = name + "-named");
        LocalFiles.FlushDirectory(directory);
        Put(directory, "catalog.log", 300);

        Put(made, "MANIFEST-2", manifest);
        Put(made, "CURRENT.tmp", 16);
        File.Move(Path.Combine(made, "CURRENT.tmp"), Path.Combine(made, "CURRENT"), overwrite: true);
        LocalFiles.FlushDirectory(made);
        Put(made, "OPTIONS.tmp", Length(store, "OPTIONS-*"));
        File.Move(Path.Combine(made, "OPTIONS.tmp"), Path.Combine(made, "OPTIONS"));
        LocalFiles.FlushDirectory(made);
        Put(made, "2.log", 100);
        LocalFiles.FlushDirectory(made);
    }

    /// <summary>
    /// A snapshot: a directory of links, as many files sent as ours sent on average, each put under a temporary name,
    /// synced, linked in its place and its directory synced; then the links are removed.
    /// </summary>
    /// <param name="links">Files of the store.</param>
    /// <param name="files">Files that are sent, the manifest among them.</param>
    /// <param name="bytes">Bytes of them all.</param>
    public void Snapshot(IReadOnlyList<string> links, int files, long bytes)
    {
        string pinned = Directory.CreateDirectory(Path.Combine(directory, $"bare-{_next++}")).FullName;
        Link(links, pinned);
        LocalFiles.FlushDirectory(pinned);
        for (int i = 0; i < files; i++)
        {
            string place = Directory.CreateDirectory(Path.Combine(directory, "bare-objects", $"{i:x2}")).FullName;
            string temporary = $"{pinned}.{i}.tmp";
            Put(directory, Path.GetFileName(temporary), bytes / files);
            LocalFiles.TryCreateHardLink(temporary, Path.Combine(place, $"{_next}"), out _);
            LocalFiles.FlushDirectory(place);
            File.Delete(temporary);
        }

        Directory.Delete(pinned, recursive: true);
    }

    private static void Link(IEnumerable<string> files, string to)
    {
        foreach (string file in files)
        {
            LocalFiles.TryCreateHardLink(file, Path.Combine(to, Path.GetFileName(file)), out _);
        }
    }

    private static int Length(string store, string pattern) =>
        (int)new DirectoryInfo(store).EnumerateFiles(pattern).Select(file => file.Length).DefaultIfEmpty(0).Max();

    private void Put(string place, string name, long bytes, bool isSynced = true)
    {
        using SafeFileHandle file = File.OpenHandle(
            Path.Combine(place, name), FileMode.Create, FileAccess.Write);
        RandomAccess.Write(file, _content.AsSpan(0, (int)Math.Min(bytes, _content.Length)), 0);
        if (isSynced)
        {
            DiskProbe.Sync(file);
        }
    }
}
