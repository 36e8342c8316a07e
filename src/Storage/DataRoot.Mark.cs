using System.Text.Json;
using Branching.Storage.Shared;

namespace Branching.Storage;

/// <content>Knowing the shared storage again: see <see cref="SharedMark"/>.</content>
public sealed partial class DataRoot
{
    private RootDocument _document = new(Formats.Root);

    /// <summary>Refuses a directory that is not the shared storage this root used before.</summary>
    private async Task CheckMarkAsync(
        ISharedStorage shared, SharedStorageOptions options, CancellationToken cancellationToken)
    {
        string? before = options.AcceptOther ? null : _document.Shared;
        string? found = await SharedMark.TryReadAsync(shared, cancellationToken).ConfigureAwait(false);
        if (found is null && (before is not null || options.RequireMark))
        {
            throw new StorageException(
                FailureKind.SharedStorageUnavailable,
                $"'{shared.Location}' has no '{SharedMark.Name}', " +
                (before is null
                    ? $"and {SharedStorageOptions.Section}:RequireMark asks for it"
                    : $"and the shared storage that this node used before ({before}) has") +
                ": its file system is probably not mounted. Nothing was put there. Mount it; or, when it was " +
                $"replaced on purpose, set {SharedStorageOptions.Section}:" +
                (before is null ? "RequireMark to false." : "AcceptOther to true for one start."));
        }

        if (found is not null && before is not null && found != before)
        {
            throw new StorageException(
                FailureKind.Refused,
                $"'{shared.Location}' is another shared storage ({found}) than the one this node used before " +
                $"({before}). Nothing was put there. Mount the right one; or, when it was replaced on purpose, set " +
                $"{SharedStorageOptions.Section}:AcceptOther to true for one start.");
        }

        found ??= await SharedMark.CreateAsync(shared, _time.GetUtcNow(), cancellationToken).ConfigureAwait(false);
        if (found != _document.Shared)
        {
            await Task.Run(() => WriteRoot(_document with { Shared = found }), cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private void WriteRoot(RootDocument document)
    {
        string format = Path.Combine(Directory, FormatName);
        string temporary = format + ".tmp";
        _disk.DeleteFile(temporary);
        _disk.WriteNewFile(temporary, JsonSerializer.Serialize(document, Documents.Default.RootDocument) + "\n");
        _disk.Replace(temporary, format);
        _document = document;
    }
}
