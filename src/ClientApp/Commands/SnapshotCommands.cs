using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>snapshot</c>: immutable copies on shared storage, and the way back from them.</summary>
internal static partial class SnapshotCommands
{
    public static Command Create(CommandHost host) => new ExampledCommand(
        "snapshot",
        "Take, list, verify, keep, copy, delete and restore snapshots on shared storage.",
        [
            "branching snapshot take shop --shared-storage ./shared",
            "branching snapshot list shop --shared-storage ./shared",
            "branching snapshot restore shop main --into-branch yesterday --shared-storage ./shared",
        ],
        [
            Take(host), List(host), Show(host), Verify(host), Pin(host), Unpin(host), Delete(host), Copy(host),
            Restore(host),
        ]);

    private static ExampledCommand Take(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string?> branch = BranchOrAll("Only this branch; left out, the main store and all durable branches.");
        Option<string[]> label = CommonSymbols.Label("A label of the snapshots; may be given several times.");
        Option<bool> verify = new("--verify") { Description = "Read what was sent back and compare its checksums." };
        Option<bool> force = new("--force")
        {
            Description = "Also when nothing was written since the snapshot before.",
        };
        Option<string?> limit = new("--limit-rate")
        {
            Description = "At most so many bytes a second, as in 20MiB.",
            HelpName = "SIZE",
        };
        Option<bool> removeSource = new("--remove-source")
        {
            Description = "Then drop the local copy: the database is at rest on shared storage alone. Asks first.",
        };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "take",
            "Take a snapshot of a database or of one branch. Only what shared storage lacks is sent.",
            [
                "branching snapshot take shop --shared-storage ./shared",
                "branching snapshot take shop --branch topic --label reason=release --verify",
                "branching snapshot take shop --limit-rate 20MiB",
                "branching snapshot take shop --remove-source --yes --shared-storage ./shared",
            ],
            [database, branch, label, verify, force, limit, removeSource, yes],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                var request = new TakeSnapshotRequest(
                    parsed.GetValue(branch),
                    CommonSymbols.Pairs(parsed.GetValue(label)),
                    parsed.GetValue(verify),
                    parsed.GetValue(force),
                    parsed.GetValue(removeSource),
                    parsed.GetValue(limit) is { } rate ? QuantityText.PositiveSize(rate, limit.Name) : null,
                    DatabaseCommands.Creator);
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                if (request is { RemoveSource: true, Branch: null })
                {
                    DatabaseDescription found = await session.Grains.GetDatabase(invocation.Database!)
                        .DescribeAsync(cancellationToken);
                    CommonSymbols.Confirm(
                        invocation,
                        parsed.GetValue(yes),
                        $"Remove the copy of database {found.Name} on node {found.Node} once its snapshots are "
                        + "verified?",
                        invocation.Again("--yes"));
                }

                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                long started = host.Time.GetTimestamp();
                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    "taking a snapshot", () => grain.TakeAsync(request, cancellationToken), cancellationToken);
                return ReportTaken(
                    invocation, done.Taken ?? [], request.RemoveSource, host.Time.GetElapsedTime(started));
            });
    }

    private static int ReportTaken(
        Invocation invocation, IReadOnlyList<TakenSnapshot> taken, bool isAtRest, TimeSpan elapsed)
    {
        int failed = taken.Count(one => one.Problem is not null);
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["database"] = invocation.Database,
                ["snapshots"] = new JsonArray([.. taken.Select(SnapshotJson.ToJson)]),
                ["sourceRemoved"] = isAtRest && failed == 0,
                ["elapsedMs"] = Math.Round(elapsed.TotalMilliseconds, 1),
            });
        }
        else
        {
            invocation.Screen.Table(
                ["BRANCH", "SNAPSHOT", ">SEQUENCE", ">SIZE", ">SENT", "NOTE"],
                taken.Select(one => (IReadOnlyList<string>)
                [
                    one.Branch, one.SnapshotId ?? "-", Screen.Number((long)one.Sequence), Screen.Bytes(one.TotalBytes),
                    Screen.Bytes(one.SentBytes), one.Problem ?? (one.Unchanged ? "unchanged" : ""),
                ]));
            invocation.Host.Out.WriteLine(
                $"{taken.Count - failed} of {taken.Count} branches are on shared storage, "
                + $"{Screen.Bytes(taken.Sum(one => one.SentBytes))} sent in {Screen.Duration(elapsed)}");
            if (isAtRest && failed == 0)
            {
                invocation.Host.Out.WriteLine(
                    "the local copy is removed: the next call brings the database back from shared storage");
            }
        }

        return failed == 0 ? ExitCode.Ok : ExitCode.Failed;
    }

    private static ExampledCommand List(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string?> branch = BranchOrAll("Only the snapshots of this branch.");
        return new ExampledCommand(
            host,
            "list",
            "List the snapshots of a database, newest first.",
            [
                "branching snapshot list shop --shared-storage ./shared",
                "branching snapshot list shop --branch topic --json",
            ],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                string? only = invocation.Parsed.GetValue(branch);
                IReadOnlyList<SnapshotDescription> snapshots = await session.Grains.GetSnapshots(invocation.Database!)
                    .ListAsync(only, cancellationToken);
                if (snapshots.Count == 0 && only is not null)
                {
                    // A branch that was deleted still has its snapshots for a while; one that never was has none.
                    await session.Grains.GetBranch(invocation.Database!, only)
                        .DescribeAsync(cancellationToken: cancellationToken);
                }

                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonArray([.. snapshots.Select(SnapshotJson.ToJson)]));
                }
                else if (snapshots.Count == 0)
                {
                    invocation.Note(
                        $"no snapshots yet; {invocation.Command("snapshot", "take", invocation.Database!)} takes one");
                }
                else
                {
                    invocation.Screen.Table(
                        [
                            "SNAPSHOT", "BRANCH", ">SEQUENCE", "TAKEN", "NODE", ">SIZE", ">SENT", "VERIFIED", ">PINS",
                            "NOTE",
                        ],
                        snapshots.Select(Row));
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Show(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> snapshot = Snapshot();
        return new ExampledCommand(
            host,
            "show",
            "Show everything that a snapshot's manifest says.",
            [
                "branching snapshot show shop main --shared-storage ./shared",
                "branching snapshot show shop topic --json",
            ],
            [database, snapshot],
            async (invocation, cancellationToken) =>
            {
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                SnapshotDetails details = await SnapshotReference.UseAsync(
                    invocation,
                    grain,
                    invocation.Parsed.GetValue(snapshot)!,
                    id => grain.DescribeAsync(id, cancellationToken),
                    cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(SnapshotJson.ToJson(details));
                    return ExitCode.Ok;
                }

                invocation.Screen.Facts(Facts(details));
                await host.Out.WriteLineAsync();
                invocation.Screen.Table(
                    ["FILE", "ROLE", ">SIZE", "SHA-256"],
                    details.FileList.Select(file => (IReadOnlyList<string>)
                        [file.Name, file.Role.ToLowerInvariant(), Screen.Bytes(file.Bytes), file.Sha256]));
                return ExitCode.Ok;
            });
    }

    private static IReadOnlyList<string> Row(SnapshotDescription one) =>
    [
        one.SnapshotId, one.Branch, Screen.Number((long)one.Sequence), SnapshotText.TimeOrDash(one.TakenAt), one.Node,
        Screen.Bytes(one.TotalBytes), Screen.Bytes(one.SentBytes), SnapshotText.Verified(one.Verified),
        Screen.Number(one.Pins.Count), one.Problem ?? Descriptions.Labels(one.Labels),
    ];

    private static IEnumerable<(string Name, string Value)> Facts(SnapshotDetails details)
    {
        SnapshotDescription one = details.Snapshot;
        yield return ("snapshot", one.SnapshotId);
        yield return ("database", $"{details.Database} ({details.DatabaseId})");
        yield return ("branch", one.Branch);
        yield return ("sequence", Screen.Number((long)one.Sequence));
        yield return ("taken", $"{SnapshotText.TimeOrDash(one.TakenAt)} on {one.Node} in epoch {one.Epoch}");
        if (details.ParentStoreId is { } parent)
        {
            yield return ("parent", $"{parent} at sequence {Screen.Number((long)details.ParentSequence)}");
        }

        yield return (
            "size", $"{Screen.Bytes(one.TotalBytes)} in {one.Files} files, {Screen.Bytes(one.SentBytes)} sent");
        yield return ("verified", one.Verified is { } verified
            ? $"{SnapshotText.Verified(verified)}, {Screen.Time(verified.VerifiedAt)}"
            : "not yet");
        foreach (SnapshotPin pin in one.Pins)
        {
            string until = pin.ExpiresAt is { } expires ? $", until {Screen.Time(expires)}" : "";
            yield return ("pin", $"{pin.PinId}: {pin.Reason} ({pin.CreatedBy}{until})");
        }

        if (one.Labels.Count > 0)
        {
            yield return ("labels", Descriptions.Labels(one.Labels));
        }

        yield return ("written by", $"{details.Program}, format {details.Format}, RocksDB {details.RocksDbVersion}");
        yield return ("must match", Descriptions.Labels(details.Options));
        yield return ("manifest", details.ManifestSha256);
    }

    private static Option<string?> BranchOrAll(string description) => new("--branch", "-b")
    {
        Description = description,
        HelpName = "BRANCH",
    };

    private static Argument<string> Snapshot() => new("SNAPSHOT") { Description = SnapshotReference.Help };
}
