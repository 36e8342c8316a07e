using System.Text.Json;
using Branching.RocksDb.Files;

namespace Branching.Storage;

/// <summary>A database or store that was set aside whole.</summary>
/// <param name="Path">Where it is; the name of that directory is what it is called by.</param>
/// <param name="Database">The database that it was, or was of.</param>
/// <param name="From">Where it was: below the data root a whole database, below its database anything else.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When, UTC.</param>
/// <param name="Epoch">The epoch its stores were last written under; 0 when that is not known.</param>
/// <param name="Bytes">Length of its files; 0 when they were not measured.</param>
/// <param name="FreedBytes">Disk space that its deletion frees: files that no store shares.</param>
public sealed record QuarantineEntry(
    string Path, string Database, string From, string Reason, DateTimeOffset At, Epoch Epoch, long Bytes = 0,
    long FreedBytes = 0)
{
    /// <summary>What it is called by.</summary>
    public string Id => System.IO.Path.GetFileName(Path);
}

/// <content>What was set aside, for the person who decides what becomes of it.</content>
public sealed partial class DataRoot
{
    /// <summary>What was set aside on this node, newest first. Reads the disk.</summary>
    /// <param name="measured">Whether its files are measured, each of which is looked at.</param>
    public IReadOnlyList<QuarantineEntry> ListQuarantine(bool measured = false)
    {
        ThrowIfDisposed();
        return [.. FindQuarantined().Select(place => ReadQuarantined(place.Path, place.Database, measured))
            .OrderByDescending(entry => entry.At)];
    }

    /// <summary>Deletes what was set aside, for good. Nobody can see it from the beginning on; interrupted, the next
    /// start ends it.</summary>
    /// <param name="id">What it is called by; see <see cref="QuarantineEntry.Id"/>.</param>
    /// <param name="cancellationToken">Ends the wait for its turn; the deletion is not interrupted.</param>
    /// <returns>What was deleted.</returns>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>: nothing in quarantine is called
    /// that; or the disk refuses.</exception>
    public async Task<QuarantineEntry> DeleteQuarantinedAsync(string id, CancellationToken cancellationToken)
    {
        ThrowIfDisposed();
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfDisposed();
            return await Task.Run(() => DeleteQuarantined(id), CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private QuarantineEntry DeleteQuarantined(string id)
    {
        (string path, string database) = FindQuarantined().FirstOrDefault(place => Path.GetFileName(place.Path) == id);
        if (path is null)
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"Nothing in quarantine of '{Directory}' is called '{Names.Show(id)}'. Nothing was deleted: list " +
                "what there is.");
        }

        QuarantineEntry entry = ReadQuarantined(path, database, measured: true);
        string trash = Path.Combine(Trash, Guid.NewGuid().ToString("N"));
        _disk.Rename(path, trash);
        _disk.FlushDirectory(Trash);
        _disk.FlushDirectory(Path.GetDirectoryName(path)!);
        _disk.TryDeleteTree(trash, _logger);
        _logger.QuarantinedDeleted(path, entry.Database);
        return entry;
    }

    /// <summary>Places that hold more than their reason: in one without it, something is about to be moved.</summary>
    private IEnumerable<(string Path, string Database)> FindQuarantined()
    {
        IEnumerable<(string Path, string Database)> quarantines = Disk.List(Databases)
            .Where(name => DatabaseName.TryParse(name, out _, out _))
            .Select(name => (Path.Combine(Databases, name, "quarantine"), name))
            .Prepend((Quarantine, ""));
        return quarantines.Where(one => System.IO.Directory.Exists(one.Path))
            .SelectMany(one => Disk.List(one.Path).Select(entry => (Path: Path.Combine(one.Path, entry), one.Database)))
            .Where(place => System.IO.Directory.Exists(place.Path)
                && Disk.List(place.Path) is not ([] or [ReasonName]));
    }

    private static QuarantineEntry ReadQuarantined(string path, string database, bool measured)
    {
        (long bytes, long freed) = measured ? Measure(path) : default;
        QuarantineEntry unknown = new(path, database, "", "Its reason is empty.", default, default, bytes, freed);
        try
        {
            return JsonSerializer.Deserialize(
                File.ReadAllText(Path.Combine(path, ReasonName)), Documents.Default.QuarantineReason) is { } reason
                ? unknown with
                {
                    Database = database.Length > 0 ? database : Path.GetFileName(reason.From),
                    From = reason.From,
                    Reason = reason.Reason,
                    At = reason.At,
                    Epoch = new Epoch(reason.Database?.Epoch ?? 0),
                }
                : unknown;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return unknown with { Reason = $"Its reason cannot be read: {e.Message}" };
        }
    }

    private static (long Bytes, long Freed) Measure(string path)
    {
        long bytes = 0, freed = 0;
        try
        {
            foreach (string file in System.IO.Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories))
            {
                FileStatus status = LocalFiles.GetStatus(file);
                bytes += status.Bytes;
                freed += status.LinkCount == 1 ? status.AllocatedBytes : 0;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Measuring", path, e);
        }

        return (bytes, freed);
    }
}
