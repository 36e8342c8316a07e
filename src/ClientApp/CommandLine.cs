using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Demo;
using Branching.ClientApp.Shell;

namespace Branching.ClientApp;

/// <summary>The command line: its commands, and how a run of one ends.</summary>
internal static class CommandLine
{
    // Long enough to finish the batch under way and flush it after Ctrl-C.
    private static readonly TimeSpan _stopWithin = TimeSpan.FromSeconds(30);

    // Keys may begin with '@': no word is the name of a file with more words.
    private static readonly ParserConfiguration _parsing = new() { ResponseFileTokenReplacer = null };

    /// <summary>The version of the program.</summary>
    public static string Version => typeof(CommandLine).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>Runs one command.</summary>
    /// <returns>Its exit code.</returns>
    public static Task<int> RunAsync(
        IReadOnlyList<string> arguments, CommandHost host, CancellationToken cancellationToken = default)
        => RunAsync(arguments, host, ownsSignals: true, cancellationToken);

    /// <summary>Runs one command of a shell, which handles signals itself.</summary>
    /// <returns>Its exit code.</returns>
    public static Task<int> RunInsideAsync(
        IReadOnlyList<string> arguments, CommandHost host, CancellationToken cancellationToken)
        => RunAsync(arguments, host, ownsSignals: false, cancellationToken);

    private static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, CommandHost host, bool ownsSignals, CancellationToken cancellationToken)
    {
        ParseResult parsed = CreateRoot(host).Parse(arguments, _parsing);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpWithExamples)
        {
            return new Invocation(host, parsed).Report(UsageError(parsed));
        }

        var configuration = new InvocationConfiguration
        {
            Output = host.Out,
            Error = host.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = ownsSignals && parsed.CommandResult.Command.Name != ShellCommand.Name
                ? _stopWithin
                : null,
        };
        int exitCode = await parsed.InvokeAsync(configuration, cancellationToken);
        await host.Out.FlushAsync(CancellationToken.None);
        return exitCode;
    }

    /// <summary>The command with all its subcommands.</summary>
    public static RootCommand CreateRoot(CommandHost host)
    {
        var root = new RootCommand("A branching key-value database: give every application its own writable copy.");
        Option[] everywhere =
            [
                GlobalOptions.Data, GlobalOptions.SharedStorage, GlobalOptions.Backups, GlobalOptions.Cluster,
                GlobalOptions.DirtyStore, GlobalOptions.AcceptOlderSnapshots,
                GlobalOptions.Json,
                GlobalOptions.Quiet,
            ];
        foreach (Option option in everywhere)
        {
            root.Options.Add(option);
        }

        Command[] commands =
        [
            .. DatabaseCommands.Create(host),
            .. KeyCommands.Create(host),
            ScanCommand.Create(host),
            CountCommand.Create(host),
            .. RangeCommands.Create(host),
            ImportCommand.Create(host),
            ExportCommand.Create(host),
            BranchCommands.Create(host),
            ChangesCommands.Create(host),
            SnapshotCommands.Create(host),
            BackupCommands.Create(host),
            ScheduleCommands.Create(host),
            GarbageCommand.Create(host),
            ClusterCommands.Create(host),
            StatsCommand.Create(host),
            .. HealthCommands.Create(host),
            .. UpkeepCommands.Create(host),
            ColumnCommands.Create(host),
            ShellCommand.Create(host),
            ServeCommand.Create(host),
            DemoCommand.Create(host),
            DemoWriterCommand.Create(host),
        ];
        foreach (Command command in commands)
        {
            root.Subcommands.Add(command);
        }

        root.Options.OfType<HelpOption>().Single().Action = new HelpWithExamples();
        return root;
    }

    /// <summary>Runs a command's body and turns what goes wrong into an exit code.</summary>
    public static async Task<int> RunAsync(
        Invocation invocation, Func<Invocation, CancellationToken, Task<int>> body, CancellationToken cancellationToken)
    {
        try
        {
            return await body(invocation, cancellationToken);
        }
        catch (OperationCanceledException) when (invocation.Host.ReaderHasLeft())
        {
            // Nobody reads on, so there is nothing to tell.
            return ExitCode.Ok;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return invocation.Report(new UserError(ExitCode.Interrupted, "interrupted", null, "Interrupted"));
        }
        catch (Exception failure) when (Failures.Describe(failure, invocation) is { } described)
        {
            return invocation.Report(described);
        }
        catch (Exception defect)
        {
            // A defect: here the trace is what a report needs, and it is asked for.
            bool trace = invocation.Host.Variable("BRANCHING_TRACE") is { Length: > 0 };
            return invocation.Report(new UserError(
                ExitCode.Failed,
                trace
                    ? defect.ToString()
                    : $"unexpected {defect.GetType().Name}: {defect.Message.ReplaceLineEndings(" ")}",
                trace ? null : "this is a defect; run again with BRANCHING_TRACE=1 to see where",
                "Internal"));
        }
    }

    private static UserError UsageError(ParseResult parsed)
    {
        string path = CommandPath(parsed.CommandResult.Command, parsed);
        IEnumerable<string> messages = parsed.Errors.Select(
            error => error.Message.ReplaceLineEndings(" ").TrimEnd('.'));
        return new UserError(
            ExitCode.Usage, string.Join("; ", messages.Distinct(StringComparer.Ordinal)), $"{path} --help");
    }

    private static string CommandPath(Command command, ParseResult parsed)
    {
        List<string> names = [];
        for (System.CommandLine.Parsing.SymbolResult? at = parsed.CommandResult; at is not null; at = at.Parent)
        {
            if (at is System.CommandLine.Parsing.CommandResult { Command: not RootCommand } level)
            {
                names.Insert(0, level.Command.Name);
            }
        }

        return string.Join(' ', names.Prepend("branching"));
    }

    /// <summary>The usual help, then examples that work.</summary>
    private sealed class HelpWithExamples : SynchronousCommandLineAction
    {
        private readonly HelpAction _help = new();

        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int exitCode = _help.Invoke(parseResult);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            IReadOnlyList<string> examples = parseResult.CommandResult.Command is ExampledCommand command
                ? command.Examples
                : ["branching create shop", "branching put shop apple 3", "branching branch create shop topic",
                    "branching get shop apple --branch topic", "branching demo"];
            output.WriteLine("Examples:");
            foreach (string example in examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
            return exitCode;
        }
    }
}
