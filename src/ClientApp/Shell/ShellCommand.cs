using System.CommandLine;
using Branching.ClientApp.Commands;

namespace Branching.ClientApp.Shell;

/// <summary><c>shell</c>.</summary>
internal static class ShellCommand
{
    public const string Name = "shell";

    public static Command Create(CommandHost host)
    {
        Argument<string?> place = new("DATABASE[/BRANCH]")
        {
            Description = "Where to begin.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> command = new("--command", "-c")
        {
            Description = "Run these commands, separated by ';', and leave. Exits as the first one that fails.",
            HelpName = "COMMANDS",
        };
        Option<bool> readOnly = new("--read-only")
        {
            Description = "Refuse every command that can change something, with exit code 5, before it is sent.",
        };
        Option<bool> goOn = new("--continue-on-error")
        {
            Description = "Without a terminal, or with -c: go on after a command that failed.",
        };
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            Name,
            "Type commands one after the other, with completion and history. Without a terminal: run a script.",
            [
                "branching shell shop -c 'put pear 4; get pear; branches'",
                "branching shell shop/topic --read-only -c 'scan --limit 5'",
                "branching shell -c 'use shop; begin; put apple 5; put pear 5; commit' --json",
            ],
            [place, command, readOnly, goOn, yes],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                var state = new ShellState(invocation, session, new ShellOptions(
                    GlobalsOf(parsed), parsed.GetValue(readOnly), parsed.GetValue(yes), parsed.GetValue(goOn)));
                if (parsed.GetValue(place) is { } first)
                {
                    (string database, string branch) = ShellExecutor.PlaceOf(first);
                    invocation.Database = database;
                    await state.UseAsync(database, branch, cancellationToken);
                }

                using var run = new ShellRun(state, host);
                using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                using var signals = new ShellSignals(run.Interrupt, ended.Cancel);
                return await RunAsync(run, invocation, parsed.GetValue(command), ended.Token);
            });
    }

    private static async Task<int> RunAsync(
        ShellRun run, Invocation invocation, string? commands, CancellationToken cancellationToken)
    {
        CommandHost host = invocation.Host;
        if (commands is not null)
        {
            return await run.RunTextAsync(commands, cancellationToken);
        }

        try
        {
            if (host.Terminal is { } console)
            {
                invocation.Note("help shows the commands, Tab completes, Ctrl-D leaves");
                return await run.RunInteractiveAsync(console, cancellationToken);
            }

            using var script = new StreamReader(host.Input, leaveOpen: true);
            return await run.RunScriptAsync(script, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return invocation.Report(new UserError(ExitCode.Interrupted, "interrupted", null, "Interrupted"));
        }
    }

    /// <summary>The options of every command that were given, to be given to each.</summary>
    private static List<string> GlobalsOf(ParseResult parsed)
    {
        List<string> words = [];
        foreach (Option option in GlobalOptions.Of(parsed).All)
        {
            if (option is Option<bool> flag)
            {
                words.AddRange(parsed.GetValue(flag) ? [option.Name] : []);
            }
            else if (parsed.GetResult(option) is { Implicit: false, Tokens: [var value] })
            {
                words.AddRange([option.Name, value.Value]);
            }
        }

        return words;
    }
}
