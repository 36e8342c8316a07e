using Orleans.Concurrency;

namespace Branching.Grains;

/// <summary>
/// The backups of one database, in a directory of the node that owns it. Key: the database's name.
/// </summary>
/// <remarks>
/// They lie under the directory that the node's <c>Branching:Backups:Directory</c> names, the only one on a node that
/// callers reach; without it every method fails with <see cref="FailureKind.NotSupported"/>. What takes long is an
/// operation (<see cref="IOperationsGrain"/>).
/// </remarks>
[Alias("branching.IBackupGrain")]
public interface IBackupGrain : IOperationsGrain
{
    /// <summary>Starts a backup. It exists, durable, when the operation has succeeded.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.BranchNotFound"/>;
    /// <see cref="FailureKind.Overloaded"/> while another one runs.</exception>
    [Alias("create")]
    ValueTask<OperationDescription> CreateAsync(
        CreateBackupRequest request, CancellationToken cancellationToken = default);

    /// <summary>The backups there are, newest first; damaged ones with what is wrong.</summary>
    [AlwaysInterleave]
    [Alias("list")]
    ValueTask<IReadOnlyList<BackupDescription>> ListAsync(CancellationToken cancellationToken = default);

    /// <summary>Everything that a backup's manifest says.</summary>
    /// <param name="number">The backup; null: the newest whole one.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="BranchingException"><see cref="FailureKind.BackupNotFound"/>,
    /// <see cref="FailureKind.BackupDamaged"/>.</exception>
    [AlwaysInterleave]
    [Alias("describe")]
    ValueTask<BackupDetails> DescribeAsync(ulong? number = null, CancellationToken cancellationToken = default);

    /// <summary>Starts verifying a backup. An operation that finds damage succeeds with the findings.</summary>
    /// <param name="number">The backup; null: the newest.</param>
    /// <param name="kind">How thoroughly.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    [AlwaysInterleave]
    [Alias("verify")]
    ValueTask<OperationDescription> VerifyAsync(
        ulong? number = null,
        BackupVerificationKind kind = BackupVerificationKind.Checksums,
        CancellationToken cancellationToken = default);

    /// <summary>Deletes a backup, damaged or not, and the files that no other needs. Durable on return.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.BackupNotFound"/>;
    /// <see cref="FailureKind.InUse"/> while one is being read.</exception>
    [Alias("delete")]
    ValueTask<BackupPurge> DeleteAsync(ulong number, CancellationToken cancellationToken = default);

    /// <summary>Deletes all but the newest whole backups; damaged ones do not count and stay.</summary>
    [Alias("purge")]
    ValueTask<BackupPurge> PurgeAsync(int keep, CancellationToken cancellationToken = default);

    /// <summary>Starts restoring. What is restored is put together and compared first and put in place at
    /// once.</summary>
    [Alias("restore")]
    ValueTask<OperationDescription> RestoreAsync(
        RestoreBackupRequest request, CancellationToken cancellationToken = default);

    /// <summary>A backup as the bytes of a tar. It waits for whoever reads it.</summary>
    /// <param name="number">The backup; null: the newest whole one.</param>
    /// <param name="cancellationToken">Ends it.</param>
    [AlwaysInterleave]
    [Alias("export")]
    IAsyncEnumerable<ReadOnlyMemory<byte>> ExportAsync(
        ulong? number = null, CancellationToken cancellationToken = default);

    /// <summary>Starts receiving a backup as the bytes of a tar, which <see cref="AppendImportAsync"/>
    /// brings.</summary>
    /// <remarks>It is given up when nothing came for a minute.</remarks>
    [Alias("begin-import")]
    ValueTask<OperationDescription> BeginImportAsync(CancellationToken cancellationToken = default);

    /// <summary>Brings the next bytes; none at all mean the end. Answers when they are taken.</summary>
    /// <returns>How far the import is; one that has ended takes no more.</returns>
    [AlwaysInterleave]
    [Alias("append-import")]
    ValueTask<OperationDescription> AppendImportAsync(
        string operationId, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default);
}
