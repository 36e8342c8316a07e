using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Branching.Storage;
using Branching.Storage.Backups;
using Branching.Storage.Snapshots;

namespace Branching.Grains;

/// <summary>The backups of one database in its directory on this node. Thread-safe.</summary>
internal sealed class DatabaseBackups(
    ServingNode node, NodeBackupOptions options, StorageOptions storage, string database, Operations operations,
    TimeProvider time)
{
    private const int ChunkBytes = 256 << 10;

    // Whoever imports and goes away must not keep the directory locked.
    private static readonly TimeSpan _importIdle = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Import> _imports = new(StringComparer.Ordinal);

    private string Root => Path.GetFullPath(options.Directory!);

    private string Place => Path.Combine(Root, "databases", database);

    /// <summary>Refuses everything where no directory of backups is configured.</summary>
    public void ThrowIfOff()
    {
        if (string.IsNullOrEmpty(options.Directory))
        {
            throw new StorageException(
                Storage.FailureKind.NotSupported,
                $"Node {node.Silo.Name} has no directory of backups, so database '{database}' has no backups there. " +
                $"Set {NodeBackupOptions.Section}:{nameof(NodeBackupOptions.Directory)}.");
        }
    }

    public OperationDescription Create(CreateBackupRequest request) => Start(
        OperationKind.BackUp,
        request.Branch is { } branch ? $"branch '{branch}' of database '{database}'" : $"database '{database}'",
        async (operation, stop) =>
        {
            BranchName branch = BranchName.Parse(request.Branch ?? BranchKey.Main);
            BackupResult made = await (await DatabaseAsync(stop)).BackUpAsync(
                branch,
                await OpenAsync(create: true, stop),
                new CreateBackup
                {
                    Label = request.Label,
                    Metadata = request.Metadata,
                    FlushFirst = request.FlushFirst,
                    Sync = !request.NoSync,
                    CheckReused = request.CheckReused,
                },
                Progress(operation),
                stop);
            return new BackupOutcome(
                Describe(made.Manifest), made.NewFiles, made.NewBytes, made.ReusedFiles,
                made.MendedFiles > 0 ? new[] { $"{made.MendedFiles} damaged files were put anew." } : [],
                BytesAvailable: made.BytesAvailable);
        });

    public async Task<IReadOnlyList<BackupDescription>> ListAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(Place))
        {
            return [];
        }

        IReadOnlyList<BackupEntry> entries = await (await OpenAsync(create: false, cancellationToken))
            .ListAsync(cancellationToken);
        return entries.Reverse().Select(Describe).ToArray();
    }

    public async Task<BackupDetails> DescribeAsync(ulong? number, CancellationToken cancellationToken)
    {
        BackupManifest manifest = await (await OpenAsync(create: false, cancellationToken)).ReadAsync(
            IdOf(number), cancellationToken);
        return new BackupDetails(
            Describe(manifest), manifest.Program, manifest.RocksDbVersion, manifest.IsFlushed, manifest.IsDurable,
            manifest.ImportedFrom,
            manifest.Files.Select(file => new SnapshotFileDescription(
                file.Name, file.Role?.ToString() ?? "", file.Bytes, file.Sha256, file.Sha256)).ToArray(),
            manifest.Sha256);
    }

    public OperationDescription Verify(ulong? number, BackupVerificationKind kind) => Start(
        OperationKind.VerifyBackup,
        Target(number),
        async (operation, stop) =>
        {
            BackupDirectory backups = await OpenAsync(create: false, stop);
            string scratch = Path.Combine(Place, ".tmp"); // Swept, should this process die.
            Directory.CreateDirectory(scratch);
            BackupReport report = await backups.VerifyAsync(
                IdOf(number), (BackupVerification)(int)kind, scratch, Progress(operation), stop);
            BackupManifest manifest = await backups.ReadAsync(report.Id, stop);
            return new BackupOutcome(
                Describe(manifest), report.Files, report.Bytes, 0, report.Findings.Select(f => f.Text).ToArray(),
                Done: false);
        },
        exclusive: false);

    public async Task<BackupPurge> DeleteAsync(ulong number, CancellationToken cancellationToken) => Map(
        await (await OpenAsync(create: false, cancellationToken)).DeleteAsync(
            new BackupId(number), cancellationToken));

    public async Task<BackupPurge> PurgeAsync(int keep, CancellationToken cancellationToken) => keep < 0
        ? throw GrainFailure.Refused($"{keep} backups cannot be kept; use 0 or more.")
        : Map(await (await OpenAsync(create: false, cancellationToken)).PurgeAsync(keep, cancellationToken));

    public OperationDescription Restore(Database found, RestoreBackupRequest request)
    {
        if (request.IntoBranch is null == request.Directory is null)
        {
            throw GrainFailure.Refused("Name either a branch or a directory to restore into.");
        }

        return Start(
            OperationKind.RestoreBackup,
            Target(request.Number),
            (operation, stop) => request.IntoBranch is { } branch
                ? RestoreBranchAsync(found, request, BranchName.Parse(branch), operation, stop)
                : RestoreDirectoryAsync(request, TargetOf(request.Directory!), operation, stop));
    }

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ExportAsync(
        ulong? number, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        BackupDirectory backups = await GuardAsync(() => OpenAsync(create: false, cancellationToken));

        // The export waits when a chunk and a half of it are not taken yet.
        Pipe pipe = new(new PipeOptions(pauseWriterThreshold: ChunkBytes * 3 / 2, resumeWriterThreshold: ChunkBytes));
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task writing = WriteAsync(backups, number, pipe.Writer, stop.Token);
        try
        {
            while (true)
            {
                ReadResult read = await pipe.Reader.ReadAtLeastAsync(ChunkBytes, cancellationToken);
                foreach (ReadOnlyMemory<byte> piece in read.Buffer)
                {
                    yield return piece.ToArray(); // The pipe takes its memory back.
                }

                pipe.Reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    break;
                }
            }

            await GuardAsync(async () =>
            {
                await writing;
                return true;
            });
        }
        finally
        {
            await stop.CancelAsync();
            await pipe.Reader.CompleteAsync();
            await writing.ContinueWith(static _ => { }, TaskScheduler.Default);
        }
    }

    public OperationDescription BeginImport()
    {
        Import import = new(_importIdle, time);
        OperationDescription started = Start(
            OperationKind.ImportBackup,
            $"database '{database}'",
            async (operation, stop) =>
            {
                using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(
                    stop, import.Idle.Token);
                try
                {
                    await using Stream stream = import.Pipe.Reader.AsStream();
                    BackupManifest manifest = await (await OpenAsync(create: true, stop)).ImportAsync(
                        stream, Progress(operation), either.Token);
                    return new BackupOutcome(
                        Describe(manifest), manifest.Files.Count, manifest.TotalBytes, 0, []);
                }
                catch (OperationCanceledException) when (import.Idle.IsCancellationRequested)
                {
                    throw new StorageException(
                        Storage.FailureKind.TimedOut,
                        $"No backup was imported: nothing came for {_importIdle.TotalSeconds:0} s. Import it again.");
                }
                finally
                {
                    await import.Pipe.Reader.CompleteAsync();
                    import.Dispose();
                }
            });
        _imports[started.OperationId] = import;
        return started;
    }

    public async Task<OperationDescription> AppendImportAsync(
        string operationId, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        OperationDescription now = await operations.GetAsync(operationId, TimeSpan.Zero, cancellationToken);
        if (now.State != OperationState.Running || !_imports.TryGetValue(operationId, out Import? import))
        {
            _imports.TryRemove(operationId, out _);
            return now;
        }

        await import.AppendAsync(bytes, cancellationToken);
        return await operations.GetAsync(operationId, TimeSpan.Zero, cancellationToken);
    }

    private async Task<BackupOutcome> RestoreBranchAsync(
        Database found, RestoreBackupRequest request, BranchName branch, Operation operation,
        CancellationToken cancellationToken)
    {
        BackupDirectory backups = await OpenAsync(create: false, cancellationToken);
        BackupManifest manifest = await backups.ReadAsync(IdOf(request.Number), cancellationToken);
        if (request.DryRun || request.VerifyOnly)
        {
            throw GrainFailure.Refused("A dry run and a comparison are for directories; leave the branch out.");
        }

        (_, string? quarantine) = await found.RestoreBackupAsync(
            backups, manifest.Id, branch, request.RequestedBy, request.Replace, Progress(operation),
            cancellationToken);
        return new BackupOutcome(
            Describe(manifest), manifest.Files.Count, manifest.TotalBytes, 0, [],
            $"branch '{branch}' of database '{database}'", quarantine);
    }

    private async Task<BackupOutcome> RestoreDirectoryAsync(
        RestoreBackupRequest request, string target, Operation operation, CancellationToken cancellationToken)
    {
        BackupDirectory backups = await OpenAsync(create: false, cancellationToken);
        BackupRestoreReport report = await backups.RestoreAsync(
            IdOf(request.Number),
            target,
            new RestoreBackup
            {
                Mode = request.VerifyOnly ? BackupRestoreMode.VerifyOnly
                    : request.KeepFiles ? BackupRestoreMode.Keep
                    : request.Replace ? BackupRestoreMode.Replace
                    : BackupRestoreMode.IntoEmpty,
                KeepReplaced = request.KeepReplaced,
                OpenCheck = true,
                DryRun = request.DryRun,
            },
            Progress(operation),
            cancellationToken);
        BackupManifest manifest = await backups.ReadAsync(report.Id, cancellationToken);
        return new BackupOutcome(
            Describe(manifest), report.Files - report.KeptFiles, report.CopiedBytes, report.KeptFiles,
            report.Differences.ToArray(), report.Target, report.Replaced, report.Done, report.BytesNeeded,
            report.BytesAvailable);
    }

    /// <summary>A name is a directory among the restored ones; a path only where any is allowed.</summary>
    private string TargetOf(string directory)
    {
        if (options.AllowAnyTarget)
        {
            return Path.GetFullPath(directory);
        }

        if (directory.Length is 0 or > 128 || directory[0] == '.'
            || !directory.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            throw new StorageException(
                Storage.FailureKind.Refused,
                $"This node restores only to directories of its own: give a name of A-Z, a-z, 0-9, '.', '_' and '-', " +
                $"which is then under '{Path.Combine(Root, "restored")}'; or set {NodeBackupOptions.Section}:" +
                $"{nameof(NodeBackupOptions.AllowAnyTarget)} on the node.");
        }

        string restored = Path.Combine(Root, "restored");
        Directory.CreateDirectory(restored);
        return Path.Combine(restored, directory);
    }

    private ValueTask<Database> DatabaseAsync(CancellationToken cancellationToken) =>
        node.Databases.GetAsync(DatabaseName.Parse(database), cancellationToken);

    private Task<BackupDirectory> OpenAsync(bool create, CancellationToken cancellationToken)
    {
        ThrowIfOff();
        DatabaseName.Parse(database); // It becomes part of a path.
        if (create)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Place)!);
        }

        return BackupDirectory.OpenAsync(
            Place, create,
            new BackupOptions
            {
                Parallelism = options.Parallelism,
                BytesPerSecond = options.BytesPerSecond,
                FreeBytesReserve = options.FreeBytesReserve,
                Storage = storage,
            },
            node.Storage.StorageLogger, time, cancellationToken);
    }

    private OperationDescription Start(
        OperationKind kind, string target, Func<Operation, CancellationToken, Task<BackupOutcome>> run,
        bool exclusive = true) => operations.Start(
        kind, target, exclusive,
        async (operation, stop) =>
        {
            BackupOutcome outcome = await run(operation, stop);
            return operation.Describe() with { Backup = outcome };
        });

    private static async Task WriteAsync(
        BackupDirectory backups, ulong? number, PipeWriter writer, CancellationToken cancellationToken)
    {
        try
        {
            await backups.ExportAsync(
                IdOf(number), writer.AsStream(leaveOpen: true), progress: null, cancellationToken);
        }
        finally
        {
            await writer.CompleteAsync();
        }
    }

    private static async Task<T> GuardAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (StorageException e)
        {
            throw GrainFailure.From(e);
        }
    }

    private string Target(ulong? number) => $"backup {number?.ToString() ?? "(the newest)"} of database '{database}'";

    private static BackupId? IdOf(ulong? number) => number is { } id ? new BackupId(id) : null;

    private static InlineProgress Progress(Operation operation) => new(operation);

    private static BackupPurge Map(PurgeReport report) => new(
        report.Deleted.Select(id => id.Value).ToArray(), report.Objects, report.Bytes, report.KeptBecause);

    private static BackupDescription Describe(BackupEntry entry) => entry.Manifest is { } manifest
        ? Describe(manifest) with { Problem = entry.Problem }
        : new BackupDescription(
            entry.Id?.Value ?? 0, entry.Name, "", new Dictionary<string, string>(StringComparer.Ordinal), null, 0, 0,
            0, 0, entry.Problem);

    private static BackupDescription Describe(BackupManifest manifest) => new(
        manifest.Id.Value, manifest.Source, manifest.Label,
        manifest.Metadata.ToDictionary(StringComparer.Ordinal), manifest.TakenAt,
        manifest.Sequence.Value, manifest.Files.Count, manifest.TotalBytes, manifest.NewBytes);

    private sealed class InlineProgress(Operation operation) : IProgress<SnapshotProgress>
    {
        public void Report(SnapshotProgress value) => operation.Report(
            value.Phase.ToString().ToLowerInvariant(), value.FilesDone, value.FilesTotal, value.BytesDone,
            value.BytesTotal);
    }

    /// <summary>A stream that is being received.</summary>
    private sealed class Import(TimeSpan idle, TimeProvider time) : IDisposable
    {
        private readonly SemaphoreSlim _turn = new(1, 1);

        public Pipe Pipe { get; } = new(new PipeOptions(pauseWriterThreshold: ChunkBytes * 4));

        public CancellationTokenSource Idle { get; } = new(idle, time);

        public async Task AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            await _turn.WaitAsync(cancellationToken);
            try
            {
                if (bytes.IsEmpty)
                {
                    await Pipe.Writer.CompleteAsync();
                }
                else
                {
                    await Pipe.Writer.WriteAsync(bytes, cancellationToken);
                }

                Idle.CancelAfter(idle);
            }
            catch (Exception e) when (e is ObjectDisposedException or InvalidOperationException)
            {
                // The import has ended; the answer says how.
                return;
            }
            finally
            {
                _turn.Release();
            }
        }

        public void Dispose() => Idle.Dispose();
    }
}
