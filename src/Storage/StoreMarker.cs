using System.Text.Json;

namespace Branching.Storage;

/// <summary><c>branch.json</c>: the mark inside every store's directory that says whose it is.</summary>
/// <remarks>
/// Written and fsynced before the directory is published, never changed after. It is the authority on the data
/// (identity,
/// parent, sequence); the catalog is the authority on names and states, and can be rebuilt from the marks.
/// </remarks>
internal static class StoreMarker
{
    public const string FileName = "branch.json";

    public static void Write(Disk disk, string storeDirectory, BranchRecord record, DatabaseId database) =>
        disk.WriteNewFile(Path.Combine(storeDirectory, FileName), TextOf(record, database));

    /// <summary>As <see cref="Write"/>, durable only when the caller makes it so with the directory.</summary>
    public static void WriteUnflushed(Disk disk, string storeDirectory, BranchRecord record, DatabaseId database) =>
        disk.WriteUnflushed(Path.Combine(storeDirectory, FileName), TextOf(record, database));

    private static string TextOf(BranchRecord record, DatabaseId database) =>
        JsonSerializer.Serialize(BranchDocument.From(record, database), Documents.Default.BranchDocument) + "\n";

    /// <summary>Reads the mark of a store that must be one of this database.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.UnknownStore"/>: no mark, a malformed one, or another database's.
    /// </exception>
    public static BranchRecord Read(string storeDirectory, DatabaseId database)
    {
        string path = Path.Combine(storeDirectory, FileName);
        string text = Disk.TryReadText(path) ?? throw Unknown(storeDirectory, $"it has no {FileName}");
        BranchRecord record = Parse(text, path, database);
        string name = Path.GetFileName(storeDirectory);
        return record.Id.ToString() == name
            ? record
            : throw Unknown(storeDirectory, $"its mark names store {record.Id}");
    }

    /// <summary>As <see cref="Read"/>, of a mark whose directory does not have its final name yet.</summary>
    public static BranchRecord Parse(string text, string path, DatabaseId database)
    {
        string directory = Path.GetDirectoryName(path)!;
        BranchDocument document;
        BranchRecord record;
        try
        {
            document = Documents.Read(text, Formats.Marker, Documents.Default.BranchDocument, "The store's mark", path);
            record = document.ToRecord();
        }
        catch (StorageException e) when (e.Kind is FailureKind.Corruption or FailureKind.InvalidName
            or FailureKind.InvalidArgument)
        {
            throw Unknown(directory, e.Message);
        }

        if (document.Database != database.ToString())
        {
            throw Unknown(directory, $"it belongs to database {document.Database}, not to {database}");
        }

        return record;
    }

    private static StorageException Unknown(string directory, string why) => new(
        FailureKind.UnknownStore,
        $"The directory '{directory}' is not a store of this database: {why}. It is not opened and not touched; " +
        "move it " +
        "away, or put its own branch.json back.");
}
