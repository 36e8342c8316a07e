using System.CommandLine;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>changes</c> and its subcommands but <c>changes enable</c>.</summary>
internal static class ChangesCommands
{
    public static Command Create(CommandHost host)
    {
        Command changes = Show(host);
        Command[] subcommands =
        [
            ChangeLogCommands.Enable(host), ChangeLogCommands.Disable(host), ChangeLogCommands.Stats(host),
            Consumers(host), Purge(host), ChangeLogCommands.Validate(host),
        ];
        foreach (Command subcommand in subcommands)
        {
            changes.Subcommands.Add(subcommand);
        }

        return changes;
    }

    private static ExampledCommand Show(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        var place = new ChangePlaceOptions();
        Option<bool> follow = new("--follow") { Description = "At the end wait for more." };
        Option<long?> limit = new("--limit", "-n") { Description = "At most so many entries.", HelpName = "N" };
        Option<bool> across = new("--across-damage")
        {
            Description = "Show a gap for what is damaged and go on, instead of failing there.",
        };
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        limit.Validators.Add(Expected.AtLeastOne);
        return new ExampledCommand(
            host,
            "changes",
            "Show what was written, in order, one operation a line. The change log is off until it is switched on.",
            [
                "branching changes enable shop", "branching changes shop", "branching changes shop --from 2 --limit 10",
                "branching changes shop --since 1h --json", "branching changes shop --follow --limit 3",
            ],
            [database, branch, .. place.All, follow, limit, across, hex, base64],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                var request = new ChangesRequest(
                    place.Parse(parsed, host.Time.GetUtcNow()), parsed.GetValue(follow), parsed.GetValue(across));
                var output = new ChangeOutput(
                    host.Output, ByteText.NotationOf(parsed, hex, base64), invocation.Json);
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                long left = parsed.GetValue(limit) ?? long.MaxValue;
                await foreach (IReadOnlyList<ChangeEntry> page in Invocation.Store(
                    session, invocation.Database!, parsed.GetValue(branch)!).ChangesAsync(request, cancellationToken))
                {
                    await output.WriteAsync(page.Take((int)Math.Min(left, page.Count)), cancellationToken);
                    left -= page.Count;
                    if (left <= 0)
                    {
                        break;
                    }
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Consumers(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> create = new("--create") { Description = "Create one.", HelpName = "NAME" };
        var place = new ChangePlaceOptions();
        Option<string?> acknowledge = new("--acknowledge")
        {
            Description = "Say that one has done with everything up to --position.",
            HelpName = "NAME",
        };
        Option<string?> position = new("--position")
        {
            Description = "A position, as --json shows one with each change.",
            HelpName = "POSITION",
        };
        Option<string?> remove = new("--remove") { Description = "Remove one.", HelpName = "NAME" };
        return new ExampledCommand(
            host,
            "consumers",
            "List who reads the change log, create, acknowledge or remove one. What it has not read is kept for it.",
            [
                "branching changes consumers shop", "branching changes consumers shop --create indexer --from first",
                "branching changes consumers shop --remove indexer",
            ],
            [database, branch, create, .. place.All, acknowledge, position, remove],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                string?[] asked = [parsed.GetValue(create), parsed.GetValue(acknowledge), parsed.GetValue(remove)];
                if (asked.Count(name => name is not null) > 1)
                {
                    throw new UserError(
                        ExitCode.Usage, "--create, --acknowledge and --remove exclude each other", "do one at a time");
                }

                byte[] token = ChangePlaceOptions.PositionOf(parsed.GetValue(position), asked[1]);
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = Invocation.Store(session, invocation.Database!, parsed.GetValue(branch)!);
                switch (asked)
                {
                    case [{ } name, _, _]:
                        await store.CreateConsumerAsync(
                            name, place.Parse(parsed, host.Time.GetUtcNow()), cancellationToken);
                        break;
                    case [_, { } name, _]:
                        await store.AcknowledgeAsync(name, token, cancellationToken);
                        break;
                    case [_, _, { } name]:
                        await store.RemoveConsumerAsync(name, cancellationToken);
                        break;
                    default:
                        break;
                }

                ChangeOutput.ShowConsumers(
                    invocation, (await store.GetChangeLogAsync(cancellationToken)).Consumers);
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Purge(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> olderThan = new("--older-than")
        {
            Description = "Files whose entries are all older than this.",
            HelpName = "DURATION",
        };
        Option<ulong?> through = new("--through")
        {
            Description = "Files whose entries all lie up to this sequence.",
            HelpName = "SEQUENCE",
        };
        Option<string?> file = new("--through-file")
        {
            Description = "Files up to and including this one.",
            HelpName = "NAME",
        };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "purge",
            "Remove the oldest files of the change log, never what a consumer has not acknowledged. Asks first.",
            ["branching changes purge shop --older-than 1d --yes", "branching changes purge shop --through 1000 --yes"],
            [database, branch, olderThan, through, file, yes],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                DateTimeOffset? before = parsed.GetValue(olderThan) is { } age
                    ? host.Time.GetUtcNow() - QuantityText.Duration(age, "--older-than")
                    : null;
                var request = new PurgeChangesRequest(before, parsed.GetValue(through), parsed.GetValue(file));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                CommonSymbols.Confirm(
                    invocation,
                    parsed.GetValue(yes),
                    $"Remove old changes of database {invocation.Database} from its log, for good?",
                    invocation.Again("--yes"));
                PurgeChangesOutcome outcome = await Invocation.Store(
                    session, invocation.Database!, parsed.GetValue(branch)!)
                    .PurgeChangesAsync(request, cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(ChangeOutput.ToJson(outcome));
                    return ExitCode.Ok;
                }

                await host.Out.WriteLineAsync(
                    $"removed {Screen.Count(outcome.Files, "file")} with "
                    + $"{Screen.Count(outcome.Entries, "entry", "entries")}, " + Screen.Bytes(outcome.Bytes));
                if (outcome.KeptFor is { } consumer)
                {
                    await host.Out.WriteLineAsync($"kept: consumer {consumer} has not acknowledged what follows");
                }

                return ExitCode.Ok;
            });
    }
}
