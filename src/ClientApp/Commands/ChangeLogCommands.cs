using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>changes enable</c>, <c>disable</c>, <c>stats</c> and <c>validate</c>.</summary>
internal static class ChangeLogCommands
{
    private const string Off = "off";

    public static Command Enable(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> rotateSize = Text("--rotate-size", "A file is ended at this size. Default: 64MiB.", "SIZE");
        Option<string?> rotateAfter = Text("--rotate-after", "A file is ended at this age. Default: 1d.", "DURATION");
        Option<string?> keepSize = Text("--keep-size", "What all files may take; 'off': any. Default: 1GiB.", "SIZE");
        Option<string?> keepFor = Text(
            "--keep-for", "How long changes are kept; 'off': for ever. Default: 7d.", "DURATION");
        Option<int?> keepFiles = new("--keep-files") { Description = "How many files are kept.", HelpName = "N" };
        Option<string?> drop = Text(
            "--drop-lagging", "Drop a consumer that more than this waits for. Default: never.", "SIZE");
        return new ExampledCommand(
            host,
            "enable",
            "Switch the change log of a branch on, or change how it is kept. Branches made of it have one too.",
            [
                "branching changes enable shop", "branching changes enable shop --keep-for 30d --keep-size 10GiB",
                "branching changes enable shop --branch topic --drop-lagging 5GiB",
            ],
            [database, branch, rotateSize, rotateAfter, keepSize, keepFor, keepFiles, drop],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                ChangeLogPolicy usual = ChangeLogPolicy.Default;
                var policy = new ChangeLogPolicy(
                    Size(parsed, rotateSize, usual.RotateBytes) ?? throw Never(rotateSize),
                    Duration(parsed, rotateAfter, usual.RotateAfter) ?? throw Never(rotateAfter),
                    Size(parsed, keepSize, usual.KeepBytes),
                    Duration(parsed, keepFor, usual.KeepFor),
                    parsed.GetValue(keepFiles),
                    Size(parsed, drop, null));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = Invocation.Store(session, invocation.Database!, parsed.GetValue(branch)!);
                await store.EnableChangeLogAsync(policy, cancellationToken);
                Show(invocation, await store.GetChangeLogAsync(cancellationToken));
                return ExitCode.Ok;
            });
    }

    public static Command Disable(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "disable",
            "Switch the change log of a branch off. What it has stays; switched on again it goes on behind a gap.",
            ["branching changes disable shop", "branching changes disable shop --branch topic"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = Invocation.Store(
                    session, invocation.Database!, invocation.Parsed.GetValue(branch)!);
                await store.DisableChangeLogAsync(cancellationToken);
                Show(invocation, await store.GetChangeLogAsync(cancellationToken));
                return ExitCode.Ok;
            });
    }

    public static Command Stats(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "stats",
            "What the change log of a branch has, how it is kept and who reads it.",
            ["branching changes stats shop", "branching changes stats shop --branch topic --json"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                ChangeLogDescription log = await Invocation.Store(
                    session, invocation.Database!, invocation.Parsed.GetValue(branch)!)
                    .GetChangeLogAsync(cancellationToken);
                Show(invocation, log);
                if (!invocation.Json && log.Consumers.Count > 0)
                {
                    await host.Out.WriteLineAsync();
                    ChangeOutput.ShowConsumers(invocation, log.Consumers);
                }

                return ExitCode.Ok;
            });
    }

    public static Command Validate(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "validate",
            "Read all of a change log and say what of it is damaged. A store that is not open is not opened for it.",
            ["branching changes validate shop", "branching changes validate shop --branch topic --json"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                ChangeLogReport report = await Invocation.Store(
                    session, invocation.Database!, invocation.Parsed.GetValue(branch)!)
                    .ValidateChangesAsync(cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(ToJson(report));
                    return report.Findings.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
                }

                foreach (ChangeLogFinding finding in report.Findings)
                {
                    string lost = finding.Last is { } last
                        ? last < finding.First ? "no change is lost" : $"changes {finding.First} to {last} are lost"
                        : $"what follows change {finding.First - 1} is lost";
                    await host.Out.WriteLineAsync(
                        $"damaged: {finding.File} at byte {finding.Offset}: {finding.Reason}; {lost}");
                }

                await host.Out.WriteLineAsync(
                    $"{Screen.Count(report.Entries, "entry", "entries")} and {Screen.Count(report.Gaps, "gap")} in "
                    + $"{Screen.Count(report.Files, "file")}, {Screen.Bytes(report.Bytes)}: "
                    + (report.Findings.Count == 0 ? "all good" : report.Findings.Count == 1
                        ? "1 place is damaged"
                        : $"{report.Findings.Count} places are damaged"));
                return report.Findings.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
            });
    }

    private static void Show(Invocation invocation, ChangeLogDescription log)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(ToJson(log));
            return;
        }

        if (!log.IsOn)
        {
            invocation.Screen.Facts([("change log", Off)]);
            return;
        }

        ChangeLogPolicy policy = log.Policy;
        invocation.Screen.Facts(
        [
            ("change log", "on"),
            ("files", $"{Screen.Number(log.Files)}, {Screen.Bytes(log.Bytes)}, in {log.Directory}"),
            ("changes", log.Last < log.First ? $"none yet, from {log.First} on" : $"{log.First} to {log.Last}"),
            ("rotated", $"at {Screen.Bytes(policy.RotateBytes)} or after {QuantityText.Show(policy.RotateAfter)}"),
            ("kept", string.Join(", ", Kept(policy))),
            ("consumers", policy.DropConsumersBehindBytes is { } limit
                ? $"{log.Consumers.Count}, dropped when more than {Screen.Bytes(limit)} wait"
                : $"{log.Consumers.Count}"),
        ]);
    }

    private static IEnumerable<string> Kept(ChangeLogPolicy policy)
    {
        yield return policy.KeepFor is { } age ? $"for {QuantityText.Show(age)}" : "for ever";
        if (policy.KeepBytes is { } bytes)
        {
            yield return $"up to {Screen.Bytes(bytes)}";
        }

        if (policy.KeepFiles is { } files)
        {
            yield return $"up to {Screen.Count(files, "file")}";
        }

        yield return "and what a consumer needs";
    }

    private static JsonObject ToJson(ChangeLogDescription log) => new()
    {
        ["isOn"] = log.IsOn,
        ["files"] = log.Files,
        ["bytes"] = log.Bytes,
        ["first"] = log.First,
        ["last"] = log.Last,
        ["firstTime"] = log.FirstTime,
        ["lastTime"] = log.LastTime,
        ["directory"] = log.Directory,
        ["policy"] = new JsonObject
        {
            ["rotateBytes"] = log.Policy.RotateBytes,
            ["rotateAfterMs"] = log.Policy.RotateAfter.TotalMilliseconds,
            ["keepBytes"] = log.Policy.KeepBytes,
            ["keepForMs"] = log.Policy.KeepFor?.TotalMilliseconds,
            ["keepFiles"] = log.Policy.KeepFiles,
            ["dropConsumersBehindBytes"] = log.Policy.DropConsumersBehindBytes,
        },
        ["consumers"] = ChangeOutput.ToJson(log.Consumers),
    };

    private static JsonObject ToJson(ChangeLogReport report) => new()
    {
        ["files"] = report.Files,
        ["bytes"] = report.Bytes,
        ["entries"] = report.Entries,
        ["gaps"] = report.Gaps,
        ["first"] = report.First,
        ["last"] = report.Last,
        ["findings"] = new JsonArray([.. report.Findings.Select(finding => new JsonObject
        {
            ["file"] = finding.File,
            ["offset"] = finding.Offset,
            ["first"] = finding.First,
            ["last"] = finding.Last,
            ["reason"] = finding.Reason,
        })]),
    };

    private static Option<string?> Text(string name, string description, string help) => new(name)
    {
        Description = description,
        HelpName = help,
    };

    private static UserError Never(Option option) => new(
        ExitCode.Usage, $"{option.Name} cannot be switched off", "give a size or a duration, or leave it out");

    private static long? Size(ParseResult parsed, Option<string?> option, long? usual) =>
        parsed.GetValue(option) is not { } text ? usual : text == Off ? null : QuantityText.Size(text, option.Name);

    private static TimeSpan? Duration(ParseResult parsed, Option<string?> option, TimeSpan? usual) =>
        parsed.GetValue(option) is not { } text ? usual : text == Off ? null : QuantityText.Duration(text, option.Name);
}
