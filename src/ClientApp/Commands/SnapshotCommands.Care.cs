using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>snapshot verify</c>, <c>pin</c>, <c>unpin</c>, <c>delete</c> and <c>copy</c>.</summary>
internal static partial class SnapshotCommands
{
    private static ExampledCommand Verify(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> snapshot = Snapshot();
        Option<bool> open = new("--open")
        {
            Description = "Also restore it into scratch, open it and read it.",
        };
        return new ExampledCommand(
            host,
            "verify",
            "Read every file of a snapshot and compare it with its length and SHA-256.",
            [
                "branching snapshot verify shop main --shared-storage ./shared",
                "branching snapshot verify shop topic --open --json",
            ],
            [database, snapshot, open],
            async (invocation, cancellationToken) =>
            {
                VerificationKind kind = invocation.Parsed.GetValue(open)
                    ? VerificationKind.Opened
                    : VerificationKind.Checksums;
                OperationDescription done = await OperateAsync(
                    invocation,
                    "verifying",
                    (grain, id) => grain.VerifyAsync(id, kind, cancellationToken),
                    invocation.Parsed.GetValue(snapshot)!,
                    cancellationToken);
                VerificationOutcome outcome = done.Verified!;
                if (invocation.Json)
                {
                    invocation.WriteJson(SnapshotJson.ToJson(outcome));
                    return outcome.Good ? ExitCode.Ok : ExitCode.Failed;
                }

                if (!outcome.Good)
                {
                    string more = outcome.Findings.Count > 1 ? $" (and {outcome.Findings.Count - 1} more)" : "";
                    throw new UserError(
                        ExitCode.Failed,
                        $"snapshot {outcome.SnapshotId} is damaged: {outcome.Findings[0]}{more}",
                        "another one may be whole: " + invocation.Command("snapshot", "list", invocation.Database!),
                        nameof(FailureKind.SnapshotDamaged));
                }

                await host.Out.WriteLineAsync(
                    $"snapshot {outcome.SnapshotId} is whole: {Screen.Bytes(outcome.Bytes)} read"
                    + (kind == VerificationKind.Opened ? ", restored into scratch and opened" : ""));
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Pin(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> snapshot = Snapshot();
        Option<string> reason = new("--reason") { Description = "Why.", HelpName = "TEXT", Required = true };
        Option<string?> expires = new("--for")
        {
            Description = "How long, as in 30d; left out, until it is removed.",
            HelpName = "DURATION",
        };
        return new ExampledCommand(
            host,
            "pin",
            "Protect a snapshot from deletion and collection.",
            [
                "branching snapshot pin shop main --reason release-4 --shared-storage ./shared",
                "branching snapshot pin shop main --reason audit --for 30d",
            ],
            [database, snapshot, reason, expires],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                DateTimeOffset? until = parsed.GetValue(expires) is { } length
                    ? host.Time.GetUtcNow() + QuantityText.Duration(length, "--for")
                    : null;
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                SnapshotPin pin = await SnapshotReference.UseAsync(
                    invocation,
                    grain,
                    parsed.GetValue(snapshot)!,
                    id => grain.PinAsync(
                        id, parsed.GetValue(reason)!, DatabaseCommands.Creator, until, cancellationToken),
                    cancellationToken);
                await AnswerAsync(invocation, SnapshotJson.ToJson(pin), $"pinned {pin.SnapshotId} as {pin.PinId}");
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Unpin(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> pin = new("PIN") { Description = "The pin; snapshot show names those of a snapshot." };
        Option<bool> force = new("--force") { Description = "Also a pin that somebody else set." };
        return new ExampledCommand(
            host,
            "unpin",
            "Remove a pin.",
            [
                "branching snapshot unpin shop PIN --shared-storage ./shared",
                "branching snapshot unpin shop PIN --force",
            ],
            [database, pin, force],
            async (invocation, cancellationToken) =>
            {
                string name = invocation.Parsed.GetValue(pin)!;
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                bool wasThere = await session.Grains.GetSnapshots(invocation.Database!).UnpinAsync(
                    name, DatabaseCommands.Creator, invocation.Parsed.GetValue(force), cancellationToken);
                await AnswerAsync(
                    invocation,
                    new JsonObject { ["unpinned"] = name, ["wasThere"] = wasThere },
                    wasThere ? $"removed pin {name}" : $"there was no pin {name}");
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Delete(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> snapshot = Snapshot();
        Option<bool> force = new("--force")
        {
            Description = "Also the last one of its branch, or the last one that was verified. Never a pinned one.",
        };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "delete",
            "Delete a snapshot, for good; its files go with the next collection. Asks first.",
            [
                "branching snapshot delete shop topic --force --yes --shared-storage ./shared",
                "branching snapshot delete shop topic",
            ],
            [database, snapshot, force, yes],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                string deleted = await SnapshotReference.UseAsync(
                    invocation,
                    grain,
                    parsed.GetValue(snapshot)!,
                    async id =>
                    {
                        SnapshotDescription found = (await grain.DescribeAsync(id, cancellationToken)).Snapshot;
                        CommonSymbols.Confirm(
                            invocation,
                            parsed.GetValue(yes),
                            $"Delete snapshot {id} of branch {found.Branch}, for good?",
                            invocation.Again("--yes"));
                        await grain.DeleteAsync(id, parsed.GetValue(force), cancellationToken);
                        return id;
                    },
                    cancellationToken);
                await AnswerAsync(
                    invocation, new JsonObject { ["deleted"] = deleted }, $"deleted snapshot {deleted}");
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Copy(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> snapshot = Snapshot();
        Argument<string> target = new("DIR")
        {
            Description = "Other shared storage: a directory that the node reaches.",
        };
        return new ExampledCommand(
            host,
            "copy",
            "Copy a snapshot to other shared storage, where it can be restored from.",
            ["branching snapshot copy shop main ./backup --shared-storage ./shared"],
            [database, snapshot, target],
            async (invocation, cancellationToken) =>
            {
                string directory = invocation.Parsed.GetValue(target)!;
                if (invocation.Target.Cluster is null)
                {
                    directory = Path.GetFullPath(directory);
                }

                OperationDescription done = await OperateAsync(
                    invocation,
                    "copying",
                    (grain, id) => grain.CopyAsync(id, directory, cancellationToken),
                    invocation.Parsed.GetValue(snapshot)!,
                    cancellationToken);
                CopyOutcome copied = done.Copied!;
                await AnswerAsync(
                    invocation,
                    SnapshotJson.ToJson(copied),
                    $"copied snapshot {copied.SnapshotId} to {copied.Target}: {Screen.Bytes(copied.SentBytes)} of "
                    + $"{Screen.Bytes(copied.TotalBytes)} sent");
                return ExitCode.Ok;
            });
    }

    private static async Task<OperationDescription> OperateAsync(
        Invocation invocation,
        string title,
        Func<ISnapshotCoordinatorGrain, string, ValueTask<OperationDescription>> start,
        string reference,
        CancellationToken cancellationToken)
    {
        await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken);
        ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
        return await new OperationRun(invocation, grain).RunAsync(
            title,
            async () => await SnapshotReference.UseAsync(
                invocation, grain, reference, id => start(grain, id), cancellationToken),
            cancellationToken);
    }

    private static Task AnswerAsync(Invocation invocation, JsonObject json, string text)
    {
        if (!invocation.Json)
        {
            return invocation.Host.Out.WriteLineAsync(text);
        }

        invocation.WriteJson(json);
        return Task.CompletedTask;
    }
}
