using System.CommandLine;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>gc</c>.</summary>
internal static class GarbageCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<bool> dryRun = new("--dry-run") { Description = "Delete nothing and say what would be." };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "gc",
            "Delete the snapshots that the schedule does not keep, and files that no snapshot needs. Asks first.",
            [
                "branching gc shop --dry-run --shared-storage ./shared",
                "branching gc shop --yes --shared-storage ./shared",
            ],
            [database, dryRun, yes],
            async (invocation, cancellationToken) =>
            {
                bool dry = invocation.Parsed.GetValue(dryRun);
                await using ISession session = await invocation.ConnectToSnapshotsAsync(cancellationToken, looks: dry);
                ISnapshotCoordinatorGrain grain = session.Grains.GetSnapshots(invocation.Database!);
                if (!dry)
                {
                    CommonSymbols.Confirm(
                        invocation,
                        invocation.Parsed.GetValue(yes),
                        $"Delete what the schedule of database {invocation.Database} does not keep, for good?",
                        invocation.Again("--dry-run") + " shows it; " + invocation.Again("--yes") + " does it");
                }

                OperationDescription done = await new OperationRun(invocation, grain).RunAsync(
                    dry ? "looking for garbage" : "collecting",
                    () => grain.CollectGarbageAsync(dry, cancellationToken),
                    cancellationToken);
                return Report(invocation, done.Collected!);
            });
    }

    private static int Report(Invocation invocation, CollectionOutcome outcome)
    {
        if (invocation.Json)
        {
            invocation.WriteJson(SnapshotJson.ToJson(outcome));
            return outcome.Stopped is null ? ExitCode.Ok : ExitCode.Failed;
        }

        TextWriter output = invocation.Host.Out;
        foreach (string snapshot in outcome.Snapshots)
        {
            output.WriteLine($"snapshot {snapshot}");
        }

        foreach (string reason in outcome.KeptBecause)
        {
            output.WriteLine($"kept: {reason}");
        }

        output.WriteLine(
            $"{(outcome.DryRun ? "would delete" : "deleted")} "
            + $"{Screen.Count(outcome.Snapshots.Count, "snapshot")} and {Screen.Count(outcome.Objects, "file")} of "
            + $"{Screen.Bytes(outcome.Bytes)}; {Screen.Count(outcome.KeptSnapshots, "snapshot")} "
            + (outcome.KeptSnapshots == 1 ? "stays" : "stay"));
        return outcome.Stopped is { } why
            ? throw new UserError(
                ExitCode.Failed,
                $"the files of database {invocation.Database} were not swept: {why}",
                "look at what it names, then run it again: " + invocation.Command("gc", invocation.Database!),
                nameof(FailureKind.SnapshotDamaged))
            : ExitCode.Ok;
    }
}
