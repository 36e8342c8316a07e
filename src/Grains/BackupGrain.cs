using System.Diagnostics.CodeAnalysis;
using Branching.Storage;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>The backups of one database, on the node that owns it. A shell over
/// <see cref="DatabaseBackups"/>.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "What it owns ends with its deactivation.")]
[PlacedWithDatabase]
internal sealed class BackupGrain(
    ServingNode node, IOptions<NodeBackupOptions> options, IOptions<StorageOptions> storage, TimeProvider time)
    : Grain, IBackupGrain
{
    private StoreCalls _calls = null!;
    private Operations _operations = null!;
    private DatabaseBackups _backups = null!;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        string database = this.GetPrimaryKeyString();
        _calls = new StoreCalls(node, database, BranchKey.Main, MigrateOnIdle);
        _operations = new Operations(time, node.Logger.UnforeseenFailure);
        _backups = new DatabaseBackups(node, options.Value, storage.Value, database, _operations, time);
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
        => await _operations.DisposeAsync();

    public ValueTask<OperationDescription> CreateAsync(
        CreateBackupRequest request, CancellationToken cancellationToken = default) => RunAsync(
        request,
        static (backups, _, request, _) =>
        {
            GrainFailure.ThrowIfMissing(request, "The request");
            Descriptions.CheckLabels(request.Metadata);
            return Task.FromResult(backups.Create(request));
        },
        cancellationToken);

    public ValueTask<IReadOnlyList<BackupDescription>> ListAsync(CancellationToken cancellationToken = default) =>
        RunAsync(0, static (backups, _, _, stop) => backups.ListAsync(stop), cancellationToken);

    public ValueTask<BackupDetails> DescribeAsync(
        ulong? number = null, CancellationToken cancellationToken = default) =>
        RunAsync(number, static (backups, _, number, stop) => backups.DescribeAsync(number, stop), cancellationToken);

    public ValueTask<OperationDescription> VerifyAsync(
        ulong? number = null,
        BackupVerificationKind kind = BackupVerificationKind.Checksums,
        CancellationToken cancellationToken = default) => RunAsync(
        (number, kind),
        static (backups, _, what, _) => Task.FromResult(backups.Verify(what.number, what.kind)),
        cancellationToken);

    public ValueTask<BackupPurge> DeleteAsync(ulong number, CancellationToken cancellationToken = default) =>
        RunAsync(number, static (backups, _, number, stop) => backups.DeleteAsync(number, stop), cancellationToken);

    public ValueTask<BackupPurge> PurgeAsync(int keep, CancellationToken cancellationToken = default) =>
        RunAsync(keep, static (backups, _, keep, stop) => backups.PurgeAsync(keep, stop), cancellationToken);

    public ValueTask<OperationDescription> RestoreAsync(
        RestoreBackupRequest request, CancellationToken cancellationToken = default) => RunAsync(
        request,
        static (backups, database, request, _) =>
        {
            GrainFailure.ThrowIfMissing(request, "The request");
            Descriptions.CheckCreatedBy(request.RequestedBy);
            return Task.FromResult(backups.Restore(database, request));
        },
        cancellationToken);

    public IAsyncEnumerable<ReadOnlyMemory<byte>> ExportAsync(
        ulong? number = null, CancellationToken cancellationToken = default) =>
        _backups.ExportAsync(number, cancellationToken);

    public ValueTask<OperationDescription> BeginImportAsync(CancellationToken cancellationToken = default) =>
        RunAsync(0, static (backups, _, _, _) => Task.FromResult(backups.BeginImport()), cancellationToken);

    public ValueTask<OperationDescription> AppendImportAsync(
        string operationId, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default) => RunAsync(
        (operationId, bytes),
        static (backups, _, what, stop) => backups.AppendImportAsync(what.operationId, what.bytes, stop),
        cancellationToken);

    public async ValueTask<OperationDescription> GetOperationAsync(
        string operationId, TimeSpan waitAtMost = default, CancellationToken cancellationToken = default)
        => await _operations.GetAsync(operationId, waitAtMost, cancellationToken);

    public ValueTask<OperationDescription> CancelOperationAsync(
        string operationId, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(_operations.Cancel(operationId));

    public ValueTask<IReadOnlyList<OperationDescription>> ListOperationsAsync(
        CancellationToken cancellationToken = default) => ValueTask.FromResult(_operations.List());

    private ValueTask<TAnswer> RunAsync<TArgument, TAnswer>(
        TArgument argument,
        Func<DatabaseBackups, Database, TArgument, CancellationToken, Task<TAnswer>> call,
        CancellationToken cancellationToken)
        => _calls.RunAsync(
            (Backups: _backups, Argument: argument, Call: call),
            static async (calls, what, stop) =>
            {
                // Only the owner of the database speaks for its backups.
                Database database = await calls.GetDatabaseAsync(stop);
                what.Backups.ThrowIfOff();
                return await Task.Run(() => what.Call(what.Backups, database, what.Argument, stop), stop);
            },
            cancellationToken);
}
