using System.Collections.Concurrent;

namespace Branching.Storage;

public sealed partial class LocalStore
{
    /// <summary>The merge operators that the store may have been written with.</summary>
    internal MergeCatalog Merges => _resources.Merges;

    /// <summary>Checkpoints that backups of this store are being made from; any other beside it is debris.</summary>
    internal ConcurrentDictionary<string, bool> BackupCheckpoints { get; } = new(StringComparer.Ordinal);
}
