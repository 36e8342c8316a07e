using System.CommandLine;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>backup restore</c>, <c>export</c> and <c>import</c>.</summary>
internal static partial class BackupCommands
{
    private const int ChunkBytes = 256 << 10;

    private static ExampledCommand Restore(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<ulong?> number = Number();
        Option<string?> branch = new("--into-branch")
        {
            Description = "Into a branch of this name, new unless --replace.",
            HelpName = "NAME",
        };
        Option<string?> directory = new("--to")
        {
            Description = "To a directory, which is a store then. On a cluster: a name in its directory of backups.",
            HelpName = "DIR",
        };
        Option<bool> replace = new("--replace")
        {
            Description = "Replace what stands there; a branch goes to quarantine. Asks.",
        };
        Option<bool> keep = new("--keep-files")
        {
            Description = "Replace a directory, and take over those of its files that are the same.",
        };
        Option<bool> keepReplaced = new("--keep-replaced")
        {
            Description = "Keep the directory that was replaced beside the new one.",
        };
        Option<bool> verify = new("--verify-only") { Description = "Only compare the directory with the backup." };
        Option<bool> dryRun = new("--dry-run") { Description = "Change nothing and say what would happen." };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "restore",
            "Restore a backup: put together and compared first, then put in place at once. Asks before replacing.",
            [
                "branching backup restore shop --into-branch yesterday --backups ./backups",
                "branching backup restore shop 1 --to ./restored --backups ./backups",
                "branching backup restore shop 1 --to ./restored --replace --dry-run --backups ./backups",
            ],
            [database, number, branch, directory, replace, keep, keepReplaced, verify, dryRun, yes],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                string? to = parsed.GetValue(directory);
                if (parsed.GetValue(branch) is null == to is null)
                {
                    throw new UserError(
                        ExitCode.Usage, "name either a branch or a directory to restore into",
                        "--into-branch NAME, or --to DIR");
                }

                var request = new RestoreBackupRequest(
                    parsed.GetValue(number),
                    parsed.GetValue(branch),
                    to is not null && invocation.Target.Cluster is null ? Path.GetFullPath(to) : to,
                    parsed.GetValue(replace),
                    parsed.GetValue(keep),
                    parsed.GetValue(keepReplaced),
                    parsed.GetValue(verify),
                    parsed.GetValue(dryRun),
                    DatabaseCommands.Creator);
                if ((request.Replace || request.KeepFiles) && !request.DryRun && !request.VerifyOnly)
                {
                    CommonSymbols.Confirm(
                        invocation, parsed.GetValue(yes),
                        $"Replace {request.IntoBranch ?? request.Directory} by what the backup holds?",
                        invocation.Again("--yes"));
                }

                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                IBackupGrain grain = session.Grains.GetBackups(invocation.Database!);
                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    "restoring", () => grain.RestoreAsync(request, cancellationToken), cancellationToken);
                return ReportRestored(invocation, request, done.Backup!);
            });
    }

    private static int ReportRestored(Invocation invocation, RestoreBackupRequest request, BackupOutcome outcome)
    {
        string free = outcome.BytesAvailable is { } bytes ? $" of {Screen.Bytes(bytes)} free" : "";
        Report(invocation, outcome, one => one.Done
            ? $"restored backup {one.Backup.Number} to {one.Place} at sequence "
                + $"{Screen.Number((long)one.Backup.Sequence)}: {Screen.Count(one.MovedFiles, "file")} copied, "
                + $"{one.KeptFiles} kept"
                + (one.Replaced is { } old ? $"; what stood there is in {old}" : "")
            : request.VerifyOnly
                ? $"{Screen.Count(one.Findings.Count, "difference")}; nothing was changed"
                : $"it copies {Screen.Bytes(one.MovedBytes)} and needs {Screen.Bytes(one.BytesNeeded)}{free}; nothing "
                    + "was changed");
        return outcome.Findings.Count == 0 || outcome.Done ? ExitCode.Ok : ExitCode.Failed;
    }

    private static ExampledCommand Export(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<ulong?> number = Number();
        Option<string?> output = new("--output", "-o")
        {
            Description = "The file to write; left out or -, standard output.",
            HelpName = "FILE",
        };
        return new ExampledCommand(
            host,
            "export",
            "Write a backup as a tar, to a file or to standard output.",
            [
                "branching backup export shop --output shop.tar --backups ./backups",
                "branching backup export shop 1 --backups ./backups | gzip > shop.tar.gz",
            ],
            [database, number, output],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                IBackupGrain grain = session.Grains.GetBackups(invocation.Database!);
                ulong? chosen = invocation.Parsed.GetValue(number);
                string? path = invocation.Parsed.GetValue(output) is { } given and not "-" ? given : null;
                if (path is null)
                {
                    await CopyAsync(grain, chosen, host.Output, cancellationToken);
                    return ExitCode.Ok;
                }

                // Beside the file and renamed at the end: nobody takes half of a tar for a whole one.
                string partial = $"{path}.{Guid.NewGuid():N}.partial";
                try
                {
                    long bytes;
                    await using (var file = new FileStream(partial, FileMode.CreateNew, FileAccess.Write))
                    {
                        bytes = await CopyAsync(grain, chosen, file, cancellationToken);
                        file.Flush(flushToDisk: true);
                    }

                    File.Move(partial, path, overwrite: false);
                    await host.Out.WriteLineAsync($"exported {Screen.Bytes(bytes)} to {path}");
                    return ExitCode.Ok;
                }
                finally
                {
                    File.Delete(partial);
                }
            });
    }

    private static async Task<long> CopyAsync(
        IBackupGrain grain, ulong? number, Stream output, CancellationToken cancellationToken)
    {
        long bytes = 0;
        await foreach (ReadOnlyMemory<byte> chunk in grain.ExportAsync(number, cancellationToken))
        {
            await output.WriteAsync(chunk, cancellationToken);
            bytes += chunk.Length;
        }

        await output.FlushAsync(cancellationToken);
        return bytes;
    }

    private static ExampledCommand Import(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> input = new("FILE") { Description = "The tar to read; -, standard input." };
        return new ExampledCommand(
            host,
            "import",
            "Make a backup of a tar that export wrote. A cut or altered one is refused.",
            ["branching backup import shop backup.tar --backups ./other"],
            [database, input],
            async (invocation, cancellationToken) =>
            {
                string path = invocation.Parsed.GetValue(input)!;
                await using Stream source = path == "-" ? host.Input : File.OpenRead(path);
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                IBackupGrain grain = session.Grains.GetBackups(invocation.Database!);
                OperationDescription begun = await grain.BeginImportAsync(cancellationToken);
                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    "importing",
                    async () => await SendAsync(grain, begun, source, cancellationToken),
                    cancellationToken);
                return Report(invocation, done.Backup!, one =>
                    $"imported backup {one.Backup.Number} of {one.Backup.Source}: "
                    + $"{Screen.Count(one.MovedFiles, "file")}, {Screen.Bytes(one.MovedBytes)}");
            });
    }

    private static async Task<OperationDescription> SendAsync(
        IBackupGrain grain, OperationDescription begun, Stream source, CancellationToken cancellationToken)
    {
        byte[] chunk = new byte[ChunkBytes];
        OperationDescription now = begun;
        try
        {
            int count;
            do
            {
                count = await source.ReadAtLeastAsync(
                    chunk, chunk.Length, throwOnEndOfStream: false, cancellationToken);
                now = await grain.AppendImportAsync(begun.OperationId, chunk.AsMemory(0, count), cancellationToken);
            }
            while (count == chunk.Length && now.State == OperationState.Running);
            return count == chunk.Length || now.State != OperationState.Running
                ? now
                : await grain.AppendImportAsync(begun.OperationId, default, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await grain.CancelOperationAsync(begun.OperationId, CancellationToken.None);
            throw;
        }
    }
}
