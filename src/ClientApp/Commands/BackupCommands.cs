using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>backup</c>: copies of stores in a directory of their own, and the way back from them.</summary>
internal static partial class BackupCommands
{
    private const string NumberHelp = "Number of the backup, as the list shows it; left out, the newest whole one.";

    public static Command Create(CommandHost host) => new ExampledCommand(
        "backup",
        "Make, list, verify, restore, delete and move backups. They need no cluster and no shared storage.",
        [
            "branching backup create shop --backups ./backups",
            "branching backup list shop --backups ./backups",
            "branching backup restore shop --into-branch yesterday --backups ./backups",
        ],
        [
            Make(host), List(host), Show(host), Verify(host), Restore(host), Delete(host), Purge(host), Export(host),
            Import(host),
        ]);

    private static ExampledCommand Make(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        Option<string> label = new("--label", "-l")
        {
            Description = "A name for people.",
            HelpName = "TEXT",
            DefaultValueFactory = _ => "",
        };
        Option<string[]> metadata = new("--metadata")
        {
            Description = "An entry of your own; may be given several times.",
            HelpName = "NAME=VALUE",
        };
        Option<bool> flush = new("--flush")
        {
            Description = "Write memory to tables first, instead of taking the log.",
        };
        Option<bool> noSync = new("--no-sync")
        {
            Description = "Without fsyncs: faster, but a loss of power may damage it.",
        };
        Option<bool> check = new("--check-reused")
        {
            Description = "Read the files that are there already, and put damaged ones anew.",
        };
        return new ExampledCommand(
            host,
            "create",
            "Make a backup of a database's main store or of one branch. Only what the directory lacks is copied.",
            [
                "branching backup create shop --backups ./backups",
                "branching backup create shop --branch topic --label release-7 --metadata ticket=1234 "
                    + "--backups ./backups",
                "branching backup create shop --flush --check-reused --backups ./backups",
            ],
            [database, branch, label, metadata, flush, noSync, check],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                var request = new CreateBackupRequest(
                    parsed.GetValue(branch),
                    parsed.GetValue(label)!,
                    CommonSymbols.Pairs(parsed.GetValue(metadata)),
                    parsed.GetValue(flush),
                    parsed.GetValue(noSync),
                    parsed.GetValue(check));
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                IBackupGrain grain = session.Grains.GetBackups(invocation.Database!);
                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    "making a backup", () => grain.CreateAsync(request, cancellationToken), cancellationToken);
                return Report(invocation, done.Backup!, outcome =>
                    $"made backup {outcome.Backup.Number} of {outcome.Backup.Source} at sequence "
                    + $"{Screen.Number((long)outcome.Backup.Sequence)}: "
                    + $"{Screen.Count(outcome.MovedFiles, "new file")}, {Screen.Bytes(outcome.MovedBytes)}; "
                    + (outcome.KeptFiles == 1 ? "1 file was there" : $"{outcome.KeptFiles} files were there"));
            });
    }

    private static ExampledCommand List(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        return new ExampledCommand(
            host,
            "list",
            "List the backups of a database, newest first; damaged ones with what is wrong.",
            [
                "branching backup list shop --backups ./backups",
                "branching backup list shop --json --backups ./backups",
            ],
            [database],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                IReadOnlyList<BackupDescription> backups = await session.Grains.GetBackups(invocation.Database!)
                    .ListAsync(cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonArray([.. backups.Select(ToJson)]));
                }
                else if (backups.Count == 0)
                {
                    invocation.Note(
                        $"no backups yet; {invocation.Command("backup", "create", invocation.Database!)} makes one");
                }
                else
                {
                    invocation.Screen.Table(
                        [">BACKUP", "OF", "MADE", ">SEQUENCE", ">SIZE", ">NEW", "LABEL", "NOTE"],
                        backups.Select(one => (IReadOnlyList<string>)
                        [
                            one.Number == 0 ? "-" : Screen.Number((long)one.Number), one.Source,
                            SnapshotText.TimeOrDash(one.TakenAt), Screen.Number((long)one.Sequence),
                            Screen.Bytes(one.TotalBytes), Screen.Bytes(one.NewBytes), one.Label,
                            one.Problem is { } problem ? $"damaged: {problem}" : "",
                        ]));
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Show(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<ulong?> number = Number();
        return new ExampledCommand(
            host,
            "show",
            "Show everything that a backup's manifest says.",
            [
                "branching backup show shop --backups ./backups",
                "branching backup show shop 1 --json --backups ./backups",
            ],
            [database, number],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                BackupDetails details = await session.Grains.GetBackups(invocation.Database!).DescribeAsync(
                    invocation.Parsed.GetValue(number), cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(ToJson(details));
                    return ExitCode.Ok;
                }

                invocation.Screen.Facts(Facts(details));
                await host.Out.WriteLineAsync();
                invocation.Screen.Table(
                    ["FILE", "ROLE", ">SIZE", "SHA-256"],
                    details.FileList.Select(file => (IReadOnlyList<string>)
                    [
                        file.Name, file.Role.Length == 0 ? "change log" : file.Role.ToLowerInvariant(),
                        Screen.Bytes(file.Bytes), file.Sha256,
                    ]));
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Verify(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<ulong?> number = Number();
        Option<bool> sizes = new("--sizes") { Description = "Only look for the files and their lengths." };
        Option<bool> open = new("--open") { Description = "Also restore it into scratch, open and read it." };
        return new ExampledCommand(
            host,
            "verify",
            "Read a backup and compare its checksums.",
            [
                "branching backup verify shop --backups ./backups",
                "branching backup verify shop 1 --open --backups ./backups",
            ],
            [database, number, sizes, open],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                BackupVerificationKind kind = parsed.GetValue(open) ? BackupVerificationKind.Opened
                    : parsed.GetValue(sizes) ? BackupVerificationKind.Sizes
                    : BackupVerificationKind.Checksums;
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                IBackupGrain grain = session.Grains.GetBackups(invocation.Database!);
                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    "verifying",
                    () => grain.VerifyAsync(parsed.GetValue(number), kind, cancellationToken),
                    cancellationToken);
                BackupOutcome outcome = done.Backup!;
                Report(invocation, outcome, one => one.Findings.Count == 0
                    ? $"backup {one.Backup.Number} is whole: {Screen.Count(one.MovedFiles, "file")}, "
                        + $"{Screen.Bytes(one.MovedBytes)} compared"
                    : $"backup {one.Backup.Number} is damaged");
                return outcome.Findings.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
            });
    }

    private static ExampledCommand Delete(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<ulong> number = new("BACKUP") { Description = "Number of the backup." };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "delete",
            "Delete a backup, damaged or not, and the files that no other needs. Asks.",
            ["branching backup delete shop 1 --yes --backups ./backups"],
            [database, number, yes],
            async (invocation, cancellationToken) =>
            {
                ulong chosen = invocation.Parsed.GetValue(number);
                CommonSymbols.Confirm(
                    invocation, invocation.Parsed.GetValue(yes),
                    $"Delete backup {chosen} of database {invocation.Database}, for good?",
                    invocation.Again("--yes"));
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                return Report(invocation, await session.Grains.GetBackups(invocation.Database!).DeleteAsync(
                    chosen, cancellationToken));
            });
    }

    private static ExampledCommand Purge(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<int> keep = new("--keep")
        {
            Description = "How many of the newest whole backups stay.",
            HelpName = "COUNT",
            Required = true,
        };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "purge",
            "Delete all but the newest whole backups. Damaged ones do not count and stay. Asks.",
            ["branching backup purge shop --keep 1 --yes --backups ./backups"],
            [database, keep, yes],
            async (invocation, cancellationToken) =>
            {
                int count = invocation.Parsed.GetValue(keep);
                CommonSymbols.Confirm(
                    invocation, invocation.Parsed.GetValue(yes),
                    $"Delete all backups of database {invocation.Database} but the newest {count}, for good?",
                    invocation.Again("--yes"));
                await using ISession session = await invocation.ConnectToBackupsAsync(cancellationToken);
                return Report(invocation, await session.Grains.GetBackups(invocation.Database!).PurgeAsync(
                    count, cancellationToken));
            });
    }

    private static Argument<ulong?> Number() => new("BACKUP")
    {
        Description = NumberHelp,
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static int Report(Invocation invocation, BackupPurge purged)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["deleted"] = new JsonArray([.. purged.Numbers.Select(number => JsonValue.Create(number))]),
                ["files"] = purged.Files,
                ["bytes"] = purged.Bytes,
                ["keptBecause"] = purged.KeptBecause,
            });
            return ExitCode.Ok;
        }

        invocation.Host.Out.WriteLine(
            $"deleted {Screen.Count(purged.Numbers.Count, "backup")} and {Screen.Count(purged.Files, "file")}, "
            + Screen.Bytes(purged.Bytes)
            + (purged.KeptBecause is { } reason ? $"; no file was deleted, because {reason}" : ""));
        return ExitCode.Ok;
    }

    private static int Report(Invocation invocation, BackupOutcome outcome, Func<BackupOutcome, string> text)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(ToJson(outcome));
            return ExitCode.Ok;
        }

        foreach (string finding in outcome.Findings)
        {
            invocation.Host.Out.WriteLine($"- {finding}");
        }

        invocation.Host.Out.WriteLine(text(outcome));
        return ExitCode.Ok;
    }

    private static IEnumerable<(string Name, string Value)> Facts(BackupDetails details)
    {
        BackupDescription one = details.Backup;
        yield return ("backup", Screen.Number((long)one.Number));
        yield return ("of", one.Source);
        yield return ("made", SnapshotText.TimeOrDash(one.TakenAt));
        yield return ("sequence", Screen.Number((long)one.Sequence));
        yield return ("size", $"{Screen.Bytes(one.TotalBytes)} in {Screen.Count(one.Files, "file")}, "
            + $"{Screen.Bytes(one.NewBytes)} new");
        yield return ("label", one.Label);
        yield return ("metadata", Descriptions.Labels(one.Metadata));
        yield return ("flushed", details.IsFlushed ? "yes" : "no, the log is part of it");
        yield return ("fsynced", details.IsDurable ? "yes" : "no, a loss of power may have damaged it");
        if (details.ImportedFrom is { } from)
        {
            yield return ("imported from", from);
        }

        yield return ("written by", $"{details.Program}, RocksDB {details.RocksDbVersion}");
        yield return ("manifest", details.ManifestSha256);
    }

    private static JsonNode ToJson(BackupDescription one) => new JsonObject
    {
        ["backup"] = one.Number,
        ["of"] = one.Source,
        ["label"] = one.Label,
        ["metadata"] = new JsonObject(one.Metadata.Select(
            entry => KeyValuePair.Create(entry.Key, (JsonNode?)JsonValue.Create(entry.Value)))),
        ["madeAt"] = one.TakenAt,
        ["sequence"] = one.Sequence,
        ["files"] = one.Files,
        ["totalBytes"] = one.TotalBytes,
        ["newBytes"] = one.NewBytes,
        ["problem"] = one.Problem,
    };

    private static JsonObject ToJson(BackupDetails details) => new()
    {
        ["backup"] = ToJson(details.Backup),
        ["program"] = details.Program,
        ["rocksDb"] = details.RocksDbVersion,
        ["flushed"] = details.IsFlushed,
        ["fsynced"] = details.IsDurable,
        ["importedFrom"] = details.ImportedFrom,
        ["manifest"] = details.ManifestSha256,
        ["files"] = new JsonArray([.. details.FileList.Select(file => new JsonObject
        {
            ["name"] = file.Name,
            ["role"] = file.Role,
            ["bytes"] = file.Bytes,
            ["sha256"] = file.Sha256,
        })]),
    };

    private static JsonObject ToJson(BackupOutcome outcome) => new()
    {
        ["backup"] = ToJson(outcome.Backup),
        ["movedFiles"] = outcome.MovedFiles,
        ["movedBytes"] = outcome.MovedBytes,
        ["keptFiles"] = outcome.KeptFiles,
        ["findings"] = new JsonArray([.. outcome.Findings.Select(text => JsonValue.Create(text))]),
        ["place"] = outcome.Place,
        ["replaced"] = outcome.Replaced,
        ["done"] = outcome.Done,
        ["neededBytes"] = outcome.BytesNeeded,
        ["freeBytes"] = outcome.BytesAvailable,
    };
}
