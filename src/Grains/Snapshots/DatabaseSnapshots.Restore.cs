namespace Branching.Grains;

/// <content>Putting snapshots back.</content>
internal sealed partial class DatabaseSnapshots
{
    /// <summary>Restores as asked; what is wrong with the request is found before anything is fetched.</summary>
    public Task<RestoreOutcome> RestoreAsync(
        RestoreRequest request, Operation? operation, CancellationToken cancellationToken) =>
        new SnapshotRestores(_root, Database.Name.Value, Database).RestoreAsync(
            request, operation, Progress(operation), cancellationToken);

    /// <summary>Reports what Storage reports as the progress of an operation.</summary>
    public static IProgress<Storage.Snapshots.SnapshotProgress>? ProgressOf(Operation? operation) =>
        Progress(operation);
}
