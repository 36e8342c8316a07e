using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Branching.Storage;

/// <summary>Where a database keeps what, and the steps that move entries between those places.</summary>
internal sealed class DatabaseFiles(Disk disk, string directory, TimeProvider time)
{
    public const string IdentityName = "database.json";

    public Disk Disk { get; } = disk;

    public string Directory { get; } = directory;

    public string Catalog => Path.Combine(Directory, "catalog");

    public string Stores => Path.Combine(Directory, "stores");

    public string Building => Path.Combine(Directory, "building");

    public string Trash => Path.Combine(Directory, "trash");

    public string Quarantine => Path.Combine(Directory, "quarantine");

    public string Identity => Path.Combine(Directory, IdentityName);

    public string StoreOf(StoreId id) => Path.Combine(Stores, id.ToString());

    public string Changes => Path.Combine(Directory, "changes");

    public string ChangesOf(StoreId id) => Path.Combine(Changes, id.ToString());

    public string BuildingOf(StoreId id) => Path.Combine(Building, id.ToString());

    public string TrashOf(StoreId id) => Path.Combine(Trash, id.ToString());

    /// <summary>The places that a database needs; those that exist stay.</summary>
    public void CreatePlaces()
    {
        foreach (string place in (ReadOnlySpan<string>)[Stores, Building, Trash, Quarantine])
        {
            if (!System.IO.Directory.Exists(place))
            {
                Disk.CreateDirectory(place);
            }
        }
    }

    /// <summary>Takes a store out of sight in one step, durably. The trash is flushed first, so that a crash of the
    /// machine in between leaves the entry in at least one of the two.</summary>
    public void MoveToTrash(StoreId id)
    {
        Disk.Rename(StoreOf(id), TrashOf(id));
        Disk.Reach(CrashPoint.DeletionRenamed);
        Disk.FlushDirectory(Trash);
        Disk.FlushDirectory(Stores);
        Disk.Reach(CrashPoint.DeletionRenamedDurably);
    }

    public void MoveBackFromTrash(StoreId id)
    {
        Disk.Rename(TrashOf(id), StoreOf(id));
        Disk.FlushDirectory(Stores);
        Disk.FlushDirectory(Trash);
    }

    /// <summary>Sets an entry aside whole, with the reason beside it.</summary>
    public string SetAside(string path, string reason)
    {
        DateTimeOffset now = time.GetUtcNow();
        string stamp = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        string place = Path.Combine(Quarantine, $"{stamp}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}");
        Disk.CreateDirectory(place);
        string json = JsonSerializer.Serialize(
            new QuarantineReason(Path.GetRelativePath(Directory, path), reason, now),
                Documents.Default.QuarantineReason);
        Disk.WriteNewFile(Path.Combine(place, "reason.json"), json + "\n");
        Disk.FlushDirectory(Quarantine);
        Disk.Rename(path, Path.Combine(place, Path.GetFileName(path)));
        Disk.FlushDirectory(place);
        Disk.FlushDirectory(Path.GetDirectoryName(path)!);
        Disk.Reach(CrashPoint.ReconcileQuarantined);
        return place;
    }

    public string Intent => Path.Combine(Directory, RestoreIntent.FileName);

    /// <summary>The restore that is under way or was interrupted.</summary>
    /// <exception cref="StorageException">It cannot be read: then the database must not be served.</exception>
    public RestoreIntent? TryReadIntent()
    {
        if (Disk.TryReadText(Intent) is not { } text)
        {
            return null;
        }

        RestoreIntent intent;
        try
        {
            intent = Documents.Read(
                text, Formats.Restore, Documents.Default.RestoreIntent, "The record of an interrupted restore", Intent);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption)
        {
            throw Unreadable(e.InnerException?.Message ?? e.Message, e);
        }

        return StoreId.TryParse(intent.Store, out _) && StoreId.TryParse(intent.Replaces, out _)
            ? intent
            : throw Unreadable("it names no stores.", cause: null);
    }

    private StorageException Unreadable(string why, Exception? cause) => new(
        FailureKind.Corruption,
        $"The record of an interrupted restore, '{Intent}', is damaged: {why} It alone says whether the old store or " +
        $"the new one is to be served, so the database is not opened, and nothing of it was changed. If the newest " +
        $"entry of '{Quarantine}' is the store that the restore replaced (its reason.json says so), move that store " +
        $"back to '{Stores}'. Then delete '{Intent}', and ask for the restore again if its branch is the old one.",
        cause);

    public void WriteIntent(RestoreIntent intent)
    {
        string temporary = Intent + ".tmp";
        Disk.DeleteFile(temporary);
        Disk.WriteNewFile(temporary, JsonSerializer.Serialize(intent, Documents.Default.RestoreIntent) + "\n");
        Disk.Replace(temporary, Intent);
        Disk.FlushDirectory(Directory);
    }

    public void DeleteIntent()
    {
        Disk.DeleteFile(Intent);
        Disk.FlushDirectory(Directory);
    }

    public string Released => Path.Combine(Directory, ReleasedDocument.FileName);

    /// <summary>What an orderly release left; <see langword="null"/> when there was none.</summary>
    /// <exception cref="StorageException">It cannot be read: then nothing is known of a release.</exception>
    public ReleasedDocument? TryReadReleased() => Disk.TryReadText(Released) is { } text
        ? Documents.Read(text, Formats.Released, Documents.Default.ReleasedDocument, "The note of a release", Released)
        : null;

    public void WriteReleased(ReleasedDocument document)
    {
        string temporary = Released + ".tmp";
        Disk.DeleteFile(temporary);
        Disk.WriteNewFile(temporary, JsonSerializer.Serialize(document, Documents.Default.ReleasedDocument) + "\n");
        Disk.Replace(temporary, Released);
        Disk.FlushDirectory(Directory);
    }

    /// <summary>The copy is about to be served again.</summary>
    public void DeleteReleased()
    {
        if (File.Exists(Released))
        {
            Disk.DeleteFile(Released);
            Disk.FlushDirectory(Directory);
        }
    }

    public DatabaseDocument ReadIdentity()
    {
        string text = Disk.TryReadText(Identity) ?? throw new StorageException(
            FailureKind.UnknownStore,
            $"The directory '{Directory}' is not a database: it has no {IdentityName}. It is not opened and not " +
            "touched; " +
            "move it away, or put its own file back.");
        DatabaseDocument document = Documents.Read(
            text, Formats.Database, Documents.Default.DatabaseDocument, "The database's identity", Identity);
        string name = Path.GetFileName(Directory);
        return document.Name == name && DatabaseName.TryParse(name, out _, out _) && document.Id is { Length: 32 }
            ? document
            : throw new StorageException(
                FailureKind.Corruption,
                $"'{Identity}' names database '{Names.Show(document.Name)}' but stands in the directory of " +
                $"'{name}'. It is " +
                "not opened: give the directory its own name back.");
    }

    /// <summary>Replaces the identity in one step, durably.</summary>
    public void WriteIdentity(DatabaseDocument document)
    {
        string temporary = Identity + ".tmp";
        Disk.DeleteFile(temporary);
        string json = JsonSerializer.Serialize(document.Numbered(), Documents.Default.DatabaseDocument);
        Disk.WriteNewFile(temporary, json + "\n");
        Disk.Reach(CrashPoint.IdentityWritten);
        Disk.Replace(temporary, Identity);
        Disk.FlushDirectory(Directory);
        Disk.Reach(CrashPoint.IdentityReplaced);
    }
}
