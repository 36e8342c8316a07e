using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Snapshots;

/// <summary>The digests of immutable files that were read before, so that none is read twice. Thread-safe.</summary>
/// <remarks>
/// Kept in a text file beside the stores: one line per file, each with a check of its own; a line that does not check
/// is forgotten. Losing the cache costs one more reading of every file and nothing else, so it is written without
/// an fsync and never blocks a snapshot. What it says is checked again whenever a file is really sent.
/// </remarks>
internal sealed class DigestCache
{
    /// <summary>Name of the file in the database's directory, and in that of a restored store.</summary>
    public const string FileName = "digests";

    private const string Header = "branching digests 1";
    private const int CheckDigits = 16;

    private readonly ConcurrentDictionary<FileIdentity, string> _digests = new();
    private readonly ConcurrentDictionary<FileIdentity, bool> _used = new();
    private readonly ConcurrentDictionary<string, bool> _included = new(StringComparer.Ordinal);
    private readonly Lock _saving = new();
    private readonly ILogger _logger;
    private readonly string _path;
    private long _changes;
    private long _saved;

    private DigestCache(string path, ILogger logger)
    {
        _path = path;
        _logger = logger;
    }

    public int Count => _digests.Count;

    /// <summary>Reads the cache of a database; one that cannot be read is empty.</summary>
    public static DigestCache Load(string databaseDirectory, ILogger logger)
    {
        DigestCache cache = new(Path.Combine(databaseDirectory, FileName), logger);
        try
        {
            if (File.Exists(cache._path))
            {
                cache.Read(File.ReadAllLines(cache._path, Encoding.ASCII));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            logger.DigestsNotKept(cache._path, e);
        }

        return cache;
    }

    /// <summary>Takes over, once, what a restored store was given to know of its files.</summary>
    public void Include(string storeDirectory)
    {
        if (_included.TryAdd(storeDirectory, true))
        {
            foreach ((FileIdentity file, string digest) in Load(storeDirectory, _logger)._digests)
            {
                _digests.TryAdd(file, digest);
            }
        }
    }

    /// <summary>Writes what is known of the files of a store that is being restored. Blocking.</summary>
    public static void Write(
        Disk disk, string storeDirectory, IEnumerable<KeyValuePair<FileIdentity, string>> digests) =>
        disk.WriteNewFile(
            Path.Combine(storeDirectory, FileName),
            string.Concat(digests.Select(pair => LineOf(pair.Key, pair.Value) + "\n").Prepend(Header + "\n")));

    public string? Find(FileIdentity file)
    {
        if (!_digests.TryGetValue(file, out string? digest))
        {
            return null;
        }

        _used.TryAdd(file, true);
        return digest;
    }

    public void Add(FileIdentity file, string sha256)
    {
        _digests[file] = sha256;
        _used.TryAdd(file, true);
        Interlocked.Increment(ref _changes);
    }

    /// <summary>What the cache said turned out wrong.</summary>
    public void Forget(FileIdentity file)
    {
        if (_digests.TryRemove(file, out _))
        {
            Interlocked.Increment(ref _changes);
        }
    }

    /// <summary>Writes the cache when it changed. Never fails. Blocking.</summary>
    /// <param name="most">With more entries, those that were not asked for since the start are left out.</param>
    public void Save(int most)
    {
        lock (_saving)
        {
            long changes = Volatile.Read(ref _changes);
            if (changes == _saved)
            {
                return;
            }

            if (_digests.Count > most)
            {
                foreach (FileIdentity unused in _digests.Keys.Where(file => !_used.ContainsKey(file)))
                {
                    _digests.TryRemove(unused, out _);
                }
            }

            string temporary = _path + ".tmp";
            try
            {
                File.WriteAllLines(
                    temporary, [Header, .. _digests.Select(pair => LineOf(pair.Key, pair.Value))], Encoding.ASCII);
                File.Move(temporary, _path, overwrite: true);
                _saved = changes;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _logger.DigestsNotKept(_path, e);
            }
        }
    }

    private void Read(string[] lines)
    {
        if (lines.Length == 0 || lines[0] != Header)
        {
            return;
        }

        foreach (string line in lines.Skip(1))
        {
            string[] words = line.Split(' ');
            if (words.Length == 6
                && words[5] == CheckOf(line[..^(words[5].Length + 1)])
                && TryNumber(words[1], out ulong device) && TryNumber(words[2], out ulong inode)
                && TryNumber(words[3], out ulong bytes) && TryNumber(words[4], out ulong modified))
            {
                _digests[new FileIdentity(device, inode, (long)bytes, (long)modified)] = words[0];
            }
        }
    }

    private static string LineOf(FileIdentity file, string sha256)
    {
        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"{sha256} {file.Device} {file.Inode} {file.Bytes} {(ulong)file.ModifiedNs}");
        return text + " " + CheckOf(text);
    }

    private static string CheckOf(string text) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text)))[..CheckDigits];

    private static bool TryNumber(string text, out ulong number) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
