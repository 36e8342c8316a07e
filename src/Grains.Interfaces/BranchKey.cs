using System.Diagnostics.CodeAnalysis;

namespace Branching.Grains;

/// <summary>The key of an <see cref="IBranchGrain"/>: <c>database/branch</c>. The branch may contain further
/// slashes.</summary>
/// <remarks>Names are checked by the grain, not here: what is no name is a clear error of the call.</remarks>
public readonly record struct BranchKey(string Database, string Branch)
{
    /// <summary>The branch name of every database's main store.</summary>
    public const string Main = "main";

    /// <summary>Splits a key at its first slash.</summary>
    /// <returns><see langword="false"/> when there is none.</returns>
    public static bool TryParse([NotNullWhen(true)] string? key, out BranchKey result)
    {
        int slash = key?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        result = slash < 0 ? default : new BranchKey(key![..slash], key[(slash + 1)..]);
        return slash >= 0;
    }

    /// <summary>The grain's key.</summary>
    public override string ToString() => $"{Database}/{Branch}";
}

/// <summary>Short ways from a grain factory to the grains of a database.</summary>
public static class BranchingGrainFactoryExtensions
{
    /// <summary>The owner of a database.</summary>
    public static IDatabaseGrain GetDatabase(this IGrainFactory grains, string database)
        => grains.GetGrain<IDatabaseGrain>(database);

    /// <summary>One branch of a database.</summary>
    public static IBranchGrain GetBranch(this IGrainFactory grains, string database, string branch)
        => grains.GetGrain<IBranchGrain>(new BranchKey(database, branch).ToString());

    /// <summary>The snapshots of a database.</summary>
    public static ISnapshotCoordinatorGrain GetSnapshots(this IGrainFactory grains, string database)
        => grains.GetGrain<ISnapshotCoordinatorGrain>(database);

    /// <summary>The backups of a database.</summary>
    public static IBackupGrain GetBackups(this IGrainFactory grains, string database)
        => grains.GetGrain<IBackupGrain>(database);

    /// <summary>The cluster's coordinator.</summary>
    public static IClusterCoordinatorGrain GetClusterCoordinator(this IGrainFactory grains)
        => grains.GetGrain<IClusterCoordinatorGrain>(IClusterCoordinatorGrain.Key);

    /// <summary>Stores one value.</summary>
    public static ValueTask<WriteResponse> PutAsync(
        this IStoreGrain store,
        ReadOnlyMemory<byte> key,
        ReadOnlyMemory<byte> value,
        WriteDurability durability = WriteDurability.Sync,
        CancellationToken cancellationToken = default)
        => store.WriteAsync(
            new WriteRequest([new WriteOperation(WriteOperationKind.Put, key, value)], null, durability),
            cancellationToken);

    /// <summary>Removes one key.</summary>
    public static ValueTask<WriteResponse> DeleteAsync(
        this IStoreGrain store,
        ReadOnlyMemory<byte> key,
        WriteDurability durability = WriteDurability.Sync,
        CancellationToken cancellationToken = default)
        => store.WriteAsync(
            new WriteRequest([new WriteOperation(WriteOperationKind.Delete, key, default)], null, durability),
            cancellationToken);
}
