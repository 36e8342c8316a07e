using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Branching.Storage;

/// <summary>
/// The durable list of a database's branches: one file of checked lines, appended with one fsync a change.
/// </summary>
/// <remarks>
/// <para>
/// <c>catalog/&lt;20 digits&gt;.log</c>; the highest number counts. Each line is the CRC-32C of its JSON, a space, the
/// JSON and a line feed; the first names format, database and generation, each later one is the whole record of one
/// branch and supersedes earlier lines of that id. JSON escapes line feeds, so damage never hides a later line.
/// </para>
/// <para>
/// A change is fsynced before the next begins, so only the last line can be torn by a crash: it lacks its line feed or
/// holds zero bytes. It was never acknowledged and is dropped. Any other line that fails its check is damage, and the
/// catalog is refused as a whole. After a failed append the file is in doubt: the next change begins a new generation.
/// </para>
/// <para>Not thread-safe: its owner serialises changes.</para>
/// </remarks>
internal sealed class Catalog : IDisposable
{
    /// <summary>Deleted branches without living descendants that a rewrite keeps, newest first.</summary>
    public const int KeptTombstones = 10_000;

    private const string Suffix = ".log";
    private readonly Disk _disk;
    private readonly string _directory;
    private readonly DatabaseId _database;
    private readonly Dictionary<StoreId, BranchRecord> _records = [];
    private FileStream? _file;
    private long _generation;
    private int _lines;
    private bool _inDoubt;

    private Catalog(Disk disk, string directory, DatabaseId database)
    {
        _disk = disk;
        _directory = directory;
        _database = database;
    }

    /// <summary>All records, deleted branches included, by identity.</summary>
    public IReadOnlyDictionary<StoreId, BranchRecord> Records => _records;

    /// <summary>Whether a torn last line was dropped when the catalog was read.</summary>
    public bool DroppedTornLine { get; private set; }

    /// <summary>Whether no catalog was found and this one is to be rebuilt from the stores' marks.</summary>
    public bool IsRebuilt { get; private set; }

    /// <summary>
    /// Creates the catalog of a new database. Durable on return except for the directory's own entry.
    /// </summary>
    public static void Create(
        Disk disk, string directory, DatabaseId database, params IEnumerable<BranchRecord> records)
    {
        disk.CreateDirectory(directory);
        using Catalog catalog = new(disk, directory, database);
        foreach (BranchRecord record in records)
        {
            catalog._records.Add(record.Id, record);
        }

        catalog.Rewrite();
    }

    /// <summary>Reads the catalog; a missing one is begun empty and reported as to be rebuilt.</summary>
    /// <exception cref="StorageException">Damaged, or of another version; it is left as it is.</exception>
    public static Catalog Load(Disk disk, string directory, DatabaseId database)
    {
        Catalog catalog = new(disk, directory, database);
        try
        {
            catalog.Read();
            return catalog;
        }
        catch
        {
            catalog.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Records one branch, durably; on failure nothing changed in memory and the file is repaired later.
    /// </summary>
    public void Set(BranchRecord record)
    {
        if (_inDoubt || _file is null)
        {
            Rewrite();
        }

        byte[] line = Line(JsonSerializer.Serialize(BranchDocument.From(record, _database),
            Documents.Default.BranchDocument));
        try
        {
            _disk.Reach(CrashPoint.CatalogAppending);
            _disk.Append(_file!, line);
            _disk.Reach(CrashPoint.CatalogAppended);
            _disk.FlushOpenFile(_file!);
            _disk.Reach(CrashPoint.CatalogFlushed);
        }
        catch
        {
            // What reached the disk is unknown; nothing is appended after it.
            _inDoubt = true;
            throw;
        }

        _lines++;
        _records[record.Id] = record;
        if (_lines > 1000 && _lines > 2 * _records.Count)
        {
            TryCompact();
        }
    }

    /// <summary>After a failed <see cref="Set"/>: writes what is in memory as a new generation.</summary>
    public bool TryRepair()
    {
        if (!_inDoubt)
        {
            return true;
        }

        try
        {
            Rewrite();
            return true;
        }
        catch (StorageException)
        {
            // Tried again before the next change; until then nothing is appended to the doubtful file.
            return false;
        }
    }

    public void Dispose() => _file?.Dispose();

    private void TryCompact()
    {
        try
        {
            Rewrite();
        }
        catch (StorageException)
        {
            // The change itself is durable in the old generation, which stays in use if it still can be.
            _inDoubt = true;
        }
    }

    private void Read()
    {
        List<(long Number, string Path)> files = Files();
        if (files.Count == 0)
        {
            IsRebuilt = true;
            return;
        }

        (_generation, string path) = files[^1];
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Reading the catalog", path, e);
        }

        Parse(bytes, path);
        if (DroppedTornLine || files.Count > 1)
        {
            Rewrite();
        }
        else
        {
            _file = OpenForAppend(path);
        }
    }

    private List<(long Number, string Path)> Files()
    {
        if (!Directory.Exists(_directory))
        {
            return [];
        }

        List<(long, string)> files = [];
        foreach (string name in Disk.List(_directory))
        {
            if (name.EndsWith(Suffix, StringComparison.Ordinal) && long.TryParse(
                name.AsSpan(0, name.Length - Suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture,
                    out long n))
            {
                files.Add((n, Path.Combine(_directory, name)));
            }
        }

        files.Sort();
        return files;
    }

    private void Parse(byte[] bytes, string path)
    {
        int start = 0;
        while (start < bytes.Length)
        {
            int feed = bytes.AsSpan(start).IndexOf((byte)'\n');
            int end = feed < 0 ? bytes.Length : start + feed;
            ReadOnlySpan<byte> line = bytes.AsSpan(start, end - start);
            bool isLast = feed < 0 || end == bytes.Length - 1;
            ReadOnlySpan<byte> json = default;
            if (feed < 0 || !TryCheck(line, out json))
            {
                // A line whose line feed alone is damaged was acknowledged: that is damage, not a torn write.
                bool wasWhole = feed < 0 && line.Length > 0 && TryCheck(line[..^1], out _);
                bool isTorn = isLast && !wasWhole && _lines > 0 && (feed < 0 || line.Contains((byte)0));
                if (!isTorn)
                {
                    throw Damaged(path, start, "a line fails its checksum");
                }

                DroppedTornLine = true;
                return;
            }

            Apply(json, path, start);
            start = end + 1;
        }

        if (_lines == 0)
        {
            throw Damaged(path, 0, "it is empty");
        }
    }

    private void Apply(ReadOnlySpan<byte> json, string path, int offset)
    {
        try
        {
            if (_lines++ == 0)
            {
                string text = Encoding.UTF8.GetString(json);
                CatalogDocument header = Documents.Read(
                    text, Formats.Catalog, Documents.Default.CatalogDocument, "The catalog", path);
                if (header.Database != _database.ToString())
                {
                    throw Damaged(path, offset, $"it belongs to database {header.Database}, not to {_database}");
                }

                return;
            }

            BranchRecord record = JsonSerializer.Deserialize(json, Documents.Default.BranchDocument)!.ToRecord();
            _records[record.Id] = record;
        }
        catch (JsonException e)
        {
            throw Damaged(path, offset, e.Message);
        }
        catch (StorageException e) when (e.Kind is FailureKind.InvalidName or FailureKind.InvalidArgument)
        {
            throw Damaged(path, offset, e.Message);
        }
    }

    /// <summary>
    /// Writes all records as the next generation and goes on there; the old one is deleted afterwards.
    /// </summary>
    private void Rewrite()
    {
        Forget();
        long generation = _generation + 1;
        string path = Path.Combine(_directory, generation.ToString("D20", CultureInfo.InvariantCulture) + Suffix);
        string temporary = path + ".tmp";
        _disk.CreateDirectory(_directory);
        _disk.DeleteFile(temporary);
        _disk.Reach(CrashPoint.CatalogRewriting);
        _disk.WriteNewFile(temporary, Text(generation));
        _disk.Reach(CrashPoint.CatalogRewritten);
        _disk.Rename(temporary, path);

        // From here the new file is the one a restart reads, so nothing may be appended to the old one any more.
        _generation = generation;
        _lines = _records.Count + 1;
        _inDoubt = true;
        _file?.Dispose();
        _file = null;
        _disk.FlushDirectory(_directory);
        _disk.Reach(CrashPoint.CatalogReplaced);
        _file = OpenForAppend(path);
        _inDoubt = false;
        foreach ((long number, string old) in Files())
        {
            if (number < generation)
            {
                _disk.DeleteFile(old);
            }
        }

        _disk.Reach(CrashPoint.CatalogCleaned);
    }

    private string Text(long generation)
    {
        StringBuilder text = new();
        CatalogDocument header = new(Formats.Catalog, _database.ToString(), generation);
        text.Append(Encoding.UTF8.GetString(Line(JsonSerializer.Serialize(header, Documents.Default.CatalogDocument))));
        foreach (BranchRecord record in _records.Values)
        {
            BranchDocument document = BranchDocument.From(record, _database);
            text.Append(Encoding.UTF8.GetString(Line(JsonSerializer.Serialize(document,
                Documents.Default.BranchDocument))));
        }

        return text.ToString();
    }

    /// <summary>Drops old deleted branches that no living branch descends from.</summary>
    private void Forget()
    {
        List<BranchRecord> deleted = [.. _records.Values.Where(r => r.State == BranchState.Deleted)];
        if (deleted.Count <= KeptTombstones)
        {
            return;
        }

        HashSet<StoreId> needed = [];
        foreach (BranchRecord living in _records.Values.Where(r => r.State != BranchState.Deleted))
        {
            for (StoreId? id = living.ParentId; id is { } parent && needed.Add(parent);)
            {
                id = _records.TryGetValue(parent, out BranchRecord? record) ? record.ParentId : null;
            }
        }

        foreach (BranchRecord record in deleted.OrderByDescending(r => r.Id).Skip(KeptTombstones))
        {
            if (!needed.Contains(record.Id))
            {
                _records.Remove(record.Id);
            }
        }
    }

    private static FileStream OpenForAppend(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Opening the catalog", path, e);
        }
    }

    private static byte[] Line(string json)
    {
        byte[] body = Encoding.UTF8.GetBytes(json);
        string check = Checksum(body).ToString("x8", CultureInfo.InvariantCulture);
        return [.. Encoding.ASCII.GetBytes(check), (byte)' ', .. body, (byte)'\n'];
    }

    private static bool TryCheck(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> json)
    {
        json = default;
        if (line.Length < 10 || line[8] != ' ' || !uint.TryParse(
            line[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint expected))
        {
            return false;
        }

        json = line[9..];
        return Checksum(json) == expected;
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }

    private static StorageException Damaged(string path, int offset, string why) => new(
        FailureKind.Corruption,
        $"The catalog '{path}' is damaged at byte {offset}: {why}. It was left as it is. Put back an undamaged " +
        "copy, or " +
        "move the whole 'catalog' directory out of the database's directory: at the next start it is rebuilt " +
        "from the " +
        "marks that every store carries (the lineage of deleted branches is lost then).");
}
