using Branching.Storage.Shared;

namespace Branching.Storage.Snapshots;

/// <summary>Pins.</summary>
/// <remarks>
/// A pin is written, then the snapshot is looked at; a retirement announces itself, then looks at the pins. So at
/// least one of the two sees the other, and gives way.
/// </remarks>
public sealed partial class SnapshotRepository
{
    private const int MaxPinLength = 100;

    /// <summary>Keeps a snapshot from being retired. Anybody may pin.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.SnapshotNotFound"/>: there is none, or it is being
    /// retired.</exception>
    public async Task PinAsync(SnapshotPin pin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pin);
        string name = NameOfPin(pin.Id);
        PinDocument document = new(
            Formats.Shared, pin.Snapshot.ToString(), pin.Reason, pin.CreatedBy, pin.At, pin.ExpiresAt);
        byte[] bytes = SealedDocument.Seal(document, SharedDocuments.Default.PinDocument);
        if (!await _shared.PutOursAsync(name, bytes, cancellationToken).ConfigureAwait(false))
        {
            throw new StorageException(
                FailureKind.Refused, $"A pin named '{pin.Id}' exists with another content. Use another name.");
        }

        (_, SnapshotListing listing) = await ListAsync(cancellationToken).ConfigureAwait(false);
        if (!listing.Valid.ContainsKey(pin.Snapshot) || listing.Retiring.Contains(pin.Snapshot))
        {
            await _shared.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
            throw NotFound(pin.Snapshot);
        }
    }

    /// <summary>Releases a pin; <see langword="false"/> when there is none.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Refused"/>: somebody else made it, and
    /// <paramref name="force"/> is not set.</exception>
    public async Task<bool> UnpinAsync(string pin, string by, bool force, CancellationToken cancellationToken)
    {
        string name = NameOfPin(pin);
        if (!force)
        {
            byte[]? bytes = await _shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
            if (bytes is null)
            {
                return false;
            }

            SnapshotPin found = OpenPin(bytes, pin, name);
            if (found.CreatedBy != by)
            {
                throw new StorageException(
                    FailureKind.Refused,
                    $"The pin '{pin}' on snapshot {found.Snapshot} belongs to '{Names.Show(found.CreatedBy)}' " +
                    $"({Names.Show(found.Reason)}). Ask them, or release it by force.");
            }
        }

        return await _shared.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>All pins, expired ones included.</summary>
    public Task<IReadOnlyList<SnapshotPin>> ListPinsAsync(CancellationToken cancellationToken) =>
        ReadPinsAsync(damaged: null, cancellationToken);

    private static bool IsExpired(SnapshotPin pin, DateTimeOffset now) => pin.ExpiresAt is { } end && end <= now;

    private static SnapshotPin OpenPin(byte[] bytes, string pin, string name)
    {
        PinDocument d = SealedDocument.Open(
            bytes, SharedDocuments.Default.PinDocument, Formats.Shared, "The pin", name);
        return new SnapshotPin(pin, SnapshotId.Parse(d.Snapshot), d.Reason, d.CreatedBy, d.At, d.ExpiresAt);
    }

    /// <summary>Reads all pins; one that cannot be read is reported, or a failure when nobody listens.</summary>
    private async Task<IReadOnlyList<SnapshotPin>> ReadPinsAsync(
        List<DamagedSnapshot>? damaged, CancellationToken cancellationToken)
    {
        List<SnapshotPin> pins = [];
        foreach (SharedEntry entry in await _shared.ListAsync(_paths.Pins, cancellationToken).ConfigureAwait(false))
        {
            string name = $"{_paths.Pins}/{entry.Name}";
            byte[]? bytes = await _shared.TryReadAsync(name, cancellationToken).ConfigureAwait(false);
            if (bytes is null)
            {
                continue; // Released meanwhile.
            }

            try
            {
                pins.Add(OpenPin(bytes, entry.Name[..^DatabasePaths.Suffix.Length], name));
            }
            catch (StorageException e) when (damaged is not null)
            {
                damaged.Add(new DamagedSnapshot(name, null, e.Kind, e.Message));
            }
        }

        return pins;
    }

    private string NameOfPin(string pin)
    {
        string name = _paths.Pin(pin);
        if (pin.Length is 0 or > MaxPinLength || pin.Contains('/', StringComparison.Ordinal))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"'{Names.Show(pin)}' is not the name of a pin: use 1 to {MaxPinLength} of A-Z, a-z, 0-9, '.', '_' " +
                "and '-', not beginning with '.'.");
        }

        SharedNames.Check(name);
        return name;
    }
}
