namespace Branching.Storage.Snapshots;

/// <summary>The time in which a snapshot is being published: no garbage is collected until it is disposed.</summary>
/// <remarks>Begin it before deciding which objects need not be sent; dispose it after
/// <see cref="SnapshotRepository.PublishAsync"/>. Thread-safe.</remarks>
public sealed class Publication : IDisposable
{
    /// <summary>The object that holds this content already, by a valid snapshot or an upload of this tenure;
    /// <see langword="null"/>: it must be sent.</summary>
    public string? FindObject(string sha256) => throw new NotSupportedException();

    /// <summary>A name for a new object, below the database's directory; no other object ever has it.</summary>
    public string NameObject(string sha256) => throw new NotSupportedException();

    /// <summary>Notes that an object arrived: later snapshots need not send it again.</summary>
    public void Uploaded(string sha256, string name) => throw new NotSupportedException();

    /// <summary>The full name on shared storage of an object below the database's directory.</summary>
    public string FullNameOf(string name) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotSupportedException();
}
