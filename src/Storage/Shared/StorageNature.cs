namespace Branching.Storage.Shared;

/// <summary>What a directory of objects is to those who meet its failures, and how it is used.</summary>
/// <param name="Noun">What it is called.</param>
/// <param name="MakeRoom">How room is made there.</param>
/// <param name="IsDurable">Whether changes are fsynced before they are answered.</param>
/// <param name="IsReadOnly">Whether it is only read, so that it may be on a medium that cannot be written.</param>
internal sealed record StorageNature(
    string Noun, string MakeRoom, bool IsDurable = true, bool IsReadOnly = false)
{
    public static StorageNature Shared { get; } =
        new("shared storage", "by retiring snapshots and collecting garbage");
}
