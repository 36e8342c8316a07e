using System.Globalization;
using Branching.Storage.Ownership;

namespace Branching.Storage.Snapshots;

/// <summary>The time in which a snapshot is being published: no garbage is collected until it is disposed.</summary>
/// <remarks>Begin it before deciding which objects need not be sent; dispose it after
/// <see cref="SnapshotRepository.PublishAsync"/>. Thread-safe.</remarks>
public sealed class Publication : IDisposable
{
    private readonly Tenure _tenure;
    private readonly IDisposable _shared;

    internal Publication(Tenure tenure, IDisposable shared)
    {
        _tenure = tenure;
        _shared = shared;
    }

    /// <summary>The object that holds this content already, by a valid snapshot or an upload of this tenure;
    /// <see langword="null"/>: it must be sent.</summary>
    public string? FindObject(string sha256) => _tenure.Memory.Objects.GetValueOrDefault(sha256);

    /// <summary>A name for a new object, below the database's directory; no other object ever has it.</summary>
    public string NameObject(string sha256)
    {
        ArgumentException.ThrowIfNullOrEmpty(sha256);
        string stem = ObjectStemOf(sha256);
        return _tenure.Rules.NameObjectsAfresh
            ? string.Create(CultureInfo.InvariantCulture, $"{stem}{_tenure.Epoch}-{_tenure.NextObjectNumber()}")
            : $"{stem}0-0";
    }

    /// <summary>How the name of every object with this content begins; an epoch and a number follow.</summary>
    internal static string ObjectStemOf(string sha256) => $"objects/{sha256[..2]}/{sha256}.";

    /// <summary>Notes that an object arrived: later snapshots need not send it again.</summary>
    public void Uploaded(string sha256, string name) => _tenure.Memory.Add(sha256, name);

    /// <summary>The full name on shared storage of an object below the database's directory.</summary>
    public string FullNameOf(string name) => $"{_tenure.Paths.Root}/{name}";

    /// <inheritdoc/>
    public void Dispose() => _shared.Dispose();
}
