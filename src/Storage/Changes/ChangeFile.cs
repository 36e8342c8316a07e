namespace Branching.Storage.Changes;

/// <summary>One file of a log. The last of a log's files is the one that is written.</summary>
internal sealed class ChangeFile
{
    public required string Path { get; init; }

    /// <summary>The first sequence that can be in it; its name.</summary>
    public required ulong First { get; init; }

    /// <summary>The history that its header names; <see langword="null"/> when the header is damaged.</summary>
    public ChangeHistory? History { get; init; }

    /// <summary>When it was begun, in ticks of UTC.</summary>
    public long CreatedTicks { get; init; }

    /// <summary>How far it may be read: what is behind is not committed.</summary>
    public long Bytes { get; set; }

    /// <summary>Entries in it; -1 while nobody has counted them.</summary>
    public long Entries { get; set; } = -1;

    public string Name => System.IO.Path.GetFileName(Path);
}

/// <summary>The files of a log as they are on the disk, oldest first.</summary>
internal static class ChangeFiles
{
    /// <exception cref="StorageException">The directory cannot be listed, or a file is of another store or a later
    /// version.</exception>
    public static List<ChangeFile> List(ChangeLogPlace place, string label)
    {
        List<ChangeFile> files = [];
        foreach (string name in Disk.List(place.Directory).Order(StringComparer.Ordinal))
        {
            string path = Path.Combine(place.Directory, name);
            if (name.EndsWith(ChangeFormat.Unfinished, StringComparison.Ordinal))
            {
                place.Disk.DeleteFile(path);
            }
            else if (ChangeFormat.TryParseName(name, out ulong first))
            {
                files.Add(Look(place, path, first, label));
            }
        }

        return files;
    }

    private static ChangeFile Look(ChangeLogPlace place, string path, ulong first, string label)
    {
        try
        {
            using ChangeFileReader reader = ChangeFileReader.Open(path);
            FileHeader? header = reader.Header;
            if (header is not null && (header.Database != place.Database || header.Store != place.Store))
            {
                throw new StorageException(
                    FailureKind.UnknownStore,
                    $"'{path}' is of the change log of store {header.Store} of database {header.Database}, not of " +
                    $"{label}, which is store {place.Store}. It is not read and not touched; move it away.");
            }

            return new ChangeFile
            {
                Path = path,
                First = first,
                History = header is null || header.First != first
                    ? null
                    : new ChangeHistory(header.History, header.HistoryNumber, header.HistoryStart),
                CreatedTicks = header?.CreatedTicks ?? 0,
                Bytes = reader.End,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Disk.Failed("Opening the change log file", path, e);
        }
    }
}
