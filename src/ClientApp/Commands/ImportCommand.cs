using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Terminal;
using Branching.ClientApp.Transfer;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>import</c>.</summary>
internal static class ImportCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> file = new("FILE") { Description = "The file; - is standard input." };
        Option<RecordFormat?> format = CommonSymbols.Format();
        Option<string?> key = new("--key", "-k")
        {
            Description = "The column or field whose content is the key; the rest of the record is the value.",
            HelpName = "COLUMN",
        };
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        Option<bool> skipBad = new("--skip-bad")
        {
            Description = "Pass over malformed records, count and report them.",
        };
        Option<bool> create = new("--create")
        {
            Description = "Create the database and the column family when they do not exist.",
        };
        Option<bool> bulk = new("--bulk")
        {
            Description = "Load sorted table files past the log: all or none, quicker for many out of order.",
        };
        return new ExampledCommand(
            host,
            "import",
            "Import records from a file. Nothing is imported when a record is malformed.",
            [
                "branching import shop products.csv --key sku",
                "branching import shop users.ndjson --key id --branch topic",
                "branching import shop dump.tsv --create", "branching import stock dump.tsv --create --bulk",
                "zcat dump.tsv.gz | branching import shop - --format tsv",
            ],
            [database, file, format, key, branch, family, skipBad, create, bulk],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                string path = parsed.GetValue(file)!;
                RecordFormat fileFormat = CommonSymbols.FormatOf(parsed.GetValue(format), path == "-" ? null : path);
                await using ImportFile source = await ImportFile.OpenAsync(path, host.Input, cancellationToken);
                var plan = new ImportPlan(
                    source, fileFormat, parsed.GetValue(key), parsed.GetValue(family), parsed.GetValue(skipBad),
                    parsed.GetValue(bulk));
                var target = new ImportTarget(invocation, parsed.GetValue(branch)!, parsed.GetValue(create));
                return await RunAsync(invocation, plan, target, cancellationToken);
            });
    }

    private static async Task<int> RunAsync(
        Invocation invocation, ImportPlan plan, ImportTarget target, CancellationToken cancellationToken)
    {
        TimeProvider time = invocation.Host.Time;
        long started = time.GetTimestamp();
        var progress = new ProgressDisplay(invocation);

        // The target first: a name that is wrong should not cost the reading of a large file.
        await using ISession session = await invocation.ConnectAsync(cancellationToken, target.Create);
        IStoreGrain store = await target.OpenAsync(session, plan, cancellationToken);
        if (plan.IsBulk && (await store.GetChangeLogAsync(cancellationToken)).IsOn)
        {
            throw LeavesGap(invocation, target);
        }

        ImportCheck check = await progress.RunAsync(
            "checking",
            plan.File.Bytes,
            report => Task.Run(() => Importer.Check(plan, report, cancellationToken), cancellationToken));
        if (check.MalformedCount > 0 && !plan.SkipBad)
        {
            throw Malformed(invocation, plan, check);
        }

        ImportOutcome outcome = await progress.RunAsync(
            "importing",
            plan.File.Bytes,
            report => new Importer(DestinationOf(store, plan), plan).WriteAsync(report, cancellationToken));
        if (outcome.Failure is { } failure)
        {
            throw Stopped(invocation, plan, outcome, failure);
        }

        Report(invocation, plan, target, check, outcome, time.GetElapsedTime(started));
        return ExitCode.Ok;
    }

    private static IImportDestination DestinationOf(IStoreGrain store, ImportPlan plan) => plan.IsBulk
        ? new BulkImport(store, plan.ColumnFamily)
        : new WrittenImport(store);

    /// <summary>Whoever follows the log would miss every record.</summary>
    private static UserError LeavesGap(Invocation invocation, ImportTarget target) => new(
        ExitCode.Precondition,
        $"branch {target.Branch} of database {invocation.Database} keeps a change log, which a bulk import goes past; "
        + "nothing was imported",
        "import without --bulk, or switch the log off first: "
        + invocation.Command("changes", "disable", invocation.Database!, "--branch", target.Branch),
        nameof(FailureKind.Refused));

    private static UserError Malformed(Invocation invocation, ImportPlan plan, ImportCheck check)
    {
        string message = $"{plan.File.Name}: {check.FirstMalformed[0]}";
        if (check.MalformedCount > 1)
        {
            message += $" (and {Screen.Number(check.MalformedCount - 1)} more)";
        }

        return new UserError(
            ExitCode.Malformed,
            message + "; nothing was imported",
            "mend the file, or pass over such records: " + invocation.Again("--skip-bad"),
            "ImportMalformed");
    }

    private static UserError Stopped(
        Invocation invocation, ImportPlan plan, ImportOutcome outcome, Exception failure)
    {
        bool interrupted = failure is OperationCanceledException;
        UserError? known = interrupted ? null : Failures.Describe(failure, invocation);
        string why = interrupted ? "interrupted" : known?.Message ?? failure.Message;
        string state = (plan.IsBulk, outcome.IsKnown) switch
        {
            (true, true) => "nothing was imported",
            (true, false) => "whether all of it or nothing was imported is not known",
            _ => outcome.Records == 1
                ? "1 record was written and is on the disk"
                : $"{Screen.Number(outcome.Records)} records were written and are on the disk",
        };
        return new UserError(
            interrupted ? ExitCode.Interrupted : known?.ExitCode ?? ExitCode.Failed,
            $"{why}; {state}",
            plan.IsBulk ? "running the same import again is safe" : "running the same import again completes it",
            interrupted ? "Interrupted" : known?.Kind ?? "Internal");
    }

    private static void Report(
        Invocation invocation,
        ImportPlan plan,
        ImportTarget target,
        ImportCheck check,
        ImportOutcome outcome,
        TimeSpan elapsed)
    {
        double rate = outcome.Records / Math.Max(elapsed.TotalSeconds, 1e-6);
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["database"] = invocation.Database,
                ["branch"] = target.Branch,
                ["columnFamily"] = plan.ColumnFamily ?? "default",
                ["format"] = plan.Format.ToString().ToLowerInvariant(),
                ["records"] = outcome.Records,
                ["bytes"] = outcome.Bytes,
                ["bulk"] = plan.IsBulk,
                ["skipped"] = check.MalformedCount,
                ["malformed"] = new JsonArray([.. check.FirstMalformed.Select(m => (JsonNode)new JsonObject
                {
                    ["line"] = m.Line, ["column"] = m.Column, ["reason"] = m.Reason,
                })]),
                ["elapsedMs"] = Math.Round(elapsed.TotalMilliseconds, 1),
                ["recordsPerSecond"] = Math.Round(rate),
            });
            return;
        }

        TextWriter output = invocation.Host.Out;
        output.WriteLine(
            $"imported {Screen.Count(outcome.Records, "record")} ({Screen.Bytes(outcome.Bytes)}) "
            + $"into branch {target.Branch} of database {invocation.Database} "
            + $"in {Screen.Duration(elapsed)} ({Screen.Number((long)rate)} records/s)");
        if (check.MalformedCount == 0)
        {
            return;
        }

        output.WriteLine($"skipped {Screen.Count(check.MalformedCount, "malformed record")}:");
        foreach (MalformedRecord malformed in check.FirstMalformed)
        {
            output.WriteLine($"  {malformed}");
        }

        if (check.MalformedCount > check.FirstMalformed.Count)
        {
            output.WriteLine($"  and {Screen.Number(check.MalformedCount - check.FirstMalformed.Count)} more");
        }
    }

    /// <summary>Where an import goes.</summary>
    private sealed record ImportTarget(Invocation Invocation, string Branch, bool Create)
    {
        public async Task<IStoreGrain> OpenAsync(ISession session, ImportPlan plan, CancellationToken cancellationToken)
        {
            IDatabaseGrain database = session.Grains.GetDatabase(Invocation.Database!);
            if (Create)
            {
                try
                {
                    await database.CreateAsync(new CreateDatabaseRequest(DatabaseCommands.Creator), cancellationToken);
                }
                catch (BranchingException exists) when (exists.Kind == FailureKind.DatabaseExists)
                {
                    // That is what --create wants.
                }
            }

            IStoreGrain store = Invocation.Store(session, Invocation.Database!, Branch);
            if (plan.ColumnFamily is not { } family)
            {
                // Fails when there is no such branch, before anything of the file is read.
                await store.GetFiguresAsync(cancellationToken);
                return store;
            }

            IReadOnlyList<string> families = await store.ListColumnFamiliesAsync(cancellationToken);
            if (families.Contains(family, StringComparer.Ordinal))
            {
                return store;
            }

            if (!Create)
            {
                throw new UserError(
                    ExitCode.NotFound,
                    $"branch {Branch} of database {Invocation.Database} has no column family '{family}'",
                    "add --create to this command, or choose one of: " + string.Join(' ', families),
                    nameof(FailureKind.ColumnFamilyNotFound));
            }

            await store.CreateColumnFamilyAsync(family, cancellationToken);
            return store;
        }
    }
}
