using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>schedule show</c> and <c>schedule set</c>.</summary>
internal static class ScheduleCommands
{
    private const int RunsShown = 10;

    public static Command Create(CommandHost host) => new ExampledCommand(
        "schedule",
        "When snapshots are taken, verified and collected, and how many are kept.",
        [
            "branching schedule show shop --shared-storage ./shared",
            "branching schedule set shop --every 15m --keep-last 8 --keep-daily 7 --shared-storage ./shared",
        ],
        [Show(host), Set(host)]);

    private static ExampledCommand Show(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        return new ExampledCommand(
            host,
            "show",
            "Show the schedule, what is due, what is not on shared storage yet, and the last runs.",
            ["branching schedule show shop --shared-storage ./shared", "branching schedule show shop --json"],
            [database],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                SnapshotStatus status = await grain.GetStatusAsync(cancellationToken);
                IReadOnlyList<SnapshotRun> history = await grain.GetHistoryAsync(cancellationToken);
                if (invocation.Json)
                {
                    JsonObject json = SnapshotJson.ToJson(status);
                    json["history"] = new JsonArray([.. history.Select(SnapshotJson.ToJson)]);
                    invocation.WriteJson(json);
                    return ExitCode.Ok;
                }

                invocation.Screen.Facts([.. Facts(status.Policy, status.IsDefaultPolicy), .. Facts(status)]);
                await host.Out.WriteLineAsync();
                ShowLag(invocation, status.Lag);
                if (history.Count > 0)
                {
                    await host.Out.WriteLineAsync();
                    ShowRuns(invocation, history);
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Set(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        var options = new PolicyOptions();
        return new ExampledCommand(
            host,
            "set",
            "Change the schedule; what is not named stays as it is. It is part of the database and travels with it.",
            [
                "branching schedule set shop --every 15m --keep-last 8 --keep-daily 7 --shared-storage ./shared",
                "branching schedule set shop --every-bytes 256MiB --verify-every 1d",
                "branching schedule set shop --every off",
            ],
            [database, .. options.All],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                SnapshotPolicy before = (await grain.GetStatusAsync(cancellationToken)).Policy;
                SnapshotPolicy after = await grain.SetPolicyAsync(
                    options.Change(invocation, before), cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(SnapshotJson.ToJson(after));
                }
                else
                {
                    invocation.Screen.Facts(Facts(after, isDefault: false));
                }

                return ExitCode.Ok;
            });
    }

    private static IEnumerable<(string Name, string Value)> Facts(SnapshotPolicy policy, bool isDefault)
    {
        string time = policy.Every is { } every ? $"every {QuantityText.Show(every)}" : "";
        string bytes = policy.EveryBytes is { } size ? $"every {Screen.Bytes(size)} written" : "";
        string when = (time, bytes) switch
        {
            ("", "") => "only on request",
            (_, "") => time,
            ("", _) => bytes,
            _ => $"{time}, or {bytes}",
        };
        yield return ("snapshots", isDefault ? $"{when} (the node's default)" : when);
        yield return ("kept", $"the last {policy.KeepLast}, then {policy.KeepHourly} hourly, {policy.KeepDaily} daily, "
            + $"{policy.KeepWeekly} weekly; pinned ones always");
        string how = policy.VerifyKind == VerificationKind.Opened ? "opening" : "checksums";
        yield return ("verified", policy.VerifyEvery is { } verify
            ? $"every {QuantityText.Show(verify)}, by {how}"
            : "only on request");
        yield return ("collected", policy.CollectEvery is { } collect
            ? $"every {QuantityText.Show(collect)}"
            : "only on request");
    }

    private static IEnumerable<(string Name, string Value)> Facts(SnapshotStatus status)
    {
        yield return ("health", status.Healthy ? "good" : "NOT GOOD");
        foreach (string problem in status.Problems)
        {
            yield return ("problem", problem);
        }

        yield return ("next due", SnapshotText.TimeOrDash(status.NextDueAt));
        yield return ("last success", SnapshotText.TimeOrDash(status.LastSuccessAt));
        yield return ("last verified", SnapshotText.TimeOrDash(status.LastVerifiedAt));
        yield return ("last collected", SnapshotText.TimeOrDash(status.LastCollectedAt));
        yield return ("written since", Screen.Bytes(status.BytesSinceSnapshot));
        if (status.ConsecutiveFailures > 0)
        {
            yield return ("failures", $"{status.ConsecutiveFailures} in a row, tried again at "
                + $"{SnapshotText.TimeOrDash(status.RetryAt)}: {status.LastFailure}");
        }
    }

    private static void ShowLag(Invocation invocation, IReadOnlyList<BranchLag> lag)
        => invocation.Screen.Table(
            ["BRANCH", "DURABILITY", ">SEQUENCE", "LAST SNAPSHOT", ">LAG"],
            lag.Select(one => (IReadOnlyList<string>)
            [
                one.Branch, one.Durability.ToString().ToLowerInvariant(), Screen.Number((long)one.Sequence),
                SnapshotText.TimeOrDash(one.SnapshotAt),
                one.Durability == BranchDurability.Ephemeral ? "-" : SnapshotText.Lag(one.Sequences, one.Age),
            ]));

    private static void ShowRuns(Invocation invocation, IReadOnlyList<SnapshotRun> history)
        => invocation.Screen.Table(
            ["RUN", "STARTED", "WHY", ">TOOK", ">BYTES", "STATE", "NODE", "NOTE"],
            history.Take(RunsShown).Select(run => (IReadOnlyList<string>)
            [
                run.Kind.ToString().ToLowerInvariant(), Screen.Time(run.StartedAt), run.Trigger,
                Screen.Duration(run.Duration), Screen.Bytes(run.Bytes), run.State.ToString().ToLowerInvariant(),
                run.Node, run.Message ?? "",
            ]));

    /// <summary>What <c>schedule set</c> changes.</summary>
    private sealed class PolicyOptions
    {
        private const string Off = "off";

        private readonly Option<string?> _every = Text(
            "--every", "Time between snapshots, as in 15m; off.", "DURATION");

        private readonly Option<string?> _everyBytes = Text(
            "--every-bytes", "A snapshot is also due after so many bytes of writes, as in 256MiB; off.", "SIZE");

        private readonly Option<int?> _keepLast = Count("--keep-last", "The newest of each branch that stay.");

        private readonly Option<int?> _keepHourly = Count("--keep-hourly", "Then one of each of so many hours.");

        private readonly Option<int?> _keepDaily = Count("--keep-daily", "Then one of each of so many days.");

        private readonly Option<int?> _keepWeekly = Count("--keep-weekly", "Then one of each of so many weeks.");

        private readonly Option<string?> _verifyEvery = Text(
            "--verify-every", "Time between verifications of the newest snapshots; off.", "DURATION");

        private readonly Option<VerificationKind?> _verifyKind = new("--verify-kind")
        {
            Description = "checksums, or opened: also restored into scratch and read.",
            HelpName = "checksums|opened",
        };

        private readonly Option<string?> _collectEvery = Text(
            "--collect-every", "Time between garbage collections; off.", "DURATION");

        public IReadOnlyList<Symbol> All =>
        [
            _every, _everyBytes, _keepLast, _keepHourly, _keepDaily, _keepWeekly, _verifyEvery, _verifyKind,
            _collectEvery,
        ];

        public SnapshotPolicy Change(Invocation invocation, SnapshotPolicy before)
        {
            ParseResult parsed = invocation.Parsed;
            if (All.Cast<Option>().All(option => parsed.GetResult(option) is null))
            {
                throw new UserError(ExitCode.Usage, "nothing to change was named", invocation.Help());
            }

            return new SnapshotPolicy(
                Duration(parsed, _every, before.Every),
                parsed.GetValue(_everyBytes) switch
                {
                    null => before.EveryBytes,
                    Off => null,
                    string size => QuantityText.Size(size, _everyBytes.Name),
                },
                parsed.GetValue(_keepLast) ?? before.KeepLast,
                parsed.GetValue(_keepHourly) ?? before.KeepHourly,
                parsed.GetValue(_keepDaily) ?? before.KeepDaily,
                parsed.GetValue(_keepWeekly) ?? before.KeepWeekly,
                Duration(parsed, _verifyEvery, before.VerifyEvery),
                parsed.GetValue(_verifyKind) ?? before.VerifyKind,
                Duration(parsed, _collectEvery, before.CollectEvery));
        }

        private static TimeSpan? Duration(ParseResult parsed, Option<string?> option, TimeSpan? before)
            => parsed.GetValue(option) switch
            {
                null => before,
                Off => null,
                string text => QuantityText.Duration(text, option.Name),
            };

        private static Option<string?> Text(string name, string description, string helpName)
            => new(name) { Description = description, HelpName = helpName };

        private static Option<int?> Count(string name, string description)
            => new(name) { Description = description, HelpName = "N" };
    }
}
