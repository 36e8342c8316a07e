using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
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
        ParseResult parsed = Parse(CreateRoot(host), arguments);
        var invocation = new Invocation(host, parsed);
        if (parsed.Action is not HelpWithExamples && UsageError(invocation, arguments) is { } wrong)
        {
            return invocation.Report(wrong);
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

    /// <summary>Reads a command line.</summary>
    public static ParseResult Parse(Command root, IReadOnlyList<string> arguments) => root.Parse(arguments, _parsing);

    /// <summary>The names of a command and of the groups it is in.</summary>
    public static IReadOnlyList<string> PathOf(CommandResult command)
    {
        List<string> names = [];
        for (SymbolResult? at = command; at is not null; at = at.Parent)
        {
            if (at is CommandResult { Command: not RootCommand } level)
            {
                names.Insert(0, level.Command.Name);
            }
        }

        return names;
    }

    /// <summary>The command with all its subcommands.</summary>
    public static RootCommand CreateRoot(CommandHost host)
    {
        var root = new BranchingCommand();
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
            QuarantineCommands.Create(host),
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

    private static UserError? UsageError(Invocation invocation, IReadOnlyList<string> arguments)
    {
        ParseResult parsed = invocation.Parsed;
        if (UnknownOption(parsed, arguments) is { } unknown)
        {
            OptionResult? taker = parsed.CommandResult.Children.OfType<OptionResult>()
                .FirstOrDefault(option => option.Tokens.Any(token => token.Value == unknown));
            return new UserError(
                ExitCode.Usage,
                taker is null
                    ? $"'{unknown}' is no option of {parsed.CommandResult.Command.Name}"
                    : $"{taker.Option.Name} needs a value, and '{unknown}' looks like an option",
                $"{invocation.Help()} lists the options; a value like that is given as in: "
                    + (taker is null ? $"-- {unknown}" : $"{taker.Option.Name}={unknown}"));
        }

        IEnumerable<string> messages = parsed.Errors.Select(
            error => error.Message.ReplaceLineEndings(" ").TrimEnd('.'));
        return parsed.Errors.Count == 0
            ? null
            : new UserError(
                ExitCode.Usage, string.Join("; ", messages.Distinct(StringComparer.Ordinal)), invocation.Help());
    }

    /// <summary>
    /// The first word that looks like an option and was not read as one. Taken as a value, as the parser takes it, a
    /// mistyped <c>--if-absent</c> would be stored, and without its condition.
    /// </summary>
    private static string? UnknownOption(ParseResult parsed, IReadOnlyList<string> arguments)
    {
        if (parsed.CommandResult.Command is { Action: null })
        {
            return null; // A group: the parser's word about the name that is missing or wrong says more.
        }

        var known = parsed.Tokens.Where(token => token.Type == TokenType.Option).Select(token => token.Value)
            .ToHashSet(StringComparer.Ordinal);
        return arguments.TakeWhile(word => word != "--").FirstOrDefault(
            word => word.Length > 2 && word.StartsWith("--", StringComparison.Ordinal)
                && !known.Contains(word) && !known.Contains(word.Split('=', ':')[0]));
    }

    /// <summary>The usual help, then examples that work.</summary>
    private sealed class HelpWithExamples : SynchronousCommandLineAction
    {
        private readonly HelpAction _help = new();

        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int exitCode = InvokeUsual(parseResult);
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

        /// <summary>The list of subcommands shows every argument as if it were required: it leaves the others out.
        /// </summary>
        private int InvokeUsual(ParseResult parseResult)
        {
            Argument[] optional = [.. parseResult.CommandResult.Command.Subcommands
                .SelectMany(command => command.Arguments)
                .Where(argument => argument is { Hidden: false, Arity.MinimumNumberOfValues: 0 })];
            Array.ForEach(optional, argument => argument.Hidden = true);
            try
            {
                return _help.Invoke(parseResult);
            }
            finally
            {
                Array.ForEach(optional, argument => argument.Hidden = false);
            }
        }
    }
}
