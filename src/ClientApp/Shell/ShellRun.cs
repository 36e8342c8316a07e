using System.Runtime.InteropServices;
using System.Text;
using Branching.ClientApp.Shell.Editing;
using Branching.ClientApp.Terminal;

namespace Branching.ClientApp.Shell;

/// <summary>Runs a shell from its first line to its last: typed at a terminal, read from a script, or given.</summary>
internal sealed class ShellRun(ShellState state, CommandHost host) : IDisposable
{
    private readonly Lock _lock = new();
    private CancellationTokenSource? _line;

    /// <summary>Runs lines that were given, up to the first that fails.</summary>
    /// <returns>The exit code of the first that failed, or 0.</returns>
    public async Task<int> RunTextAsync(string text, CancellationToken cancellationToken)
    {
        ShellText parsed = ShellWords.Parse(text);
        if (parsed.Problem is { } problem)
        {
            // Nothing of it is run: whoever wrote it meant something else.
            return Report(new UserError(
                ExitCode.Usage, $"column {problem.Column}: {problem.Message}", "help shows how words are quoted"));
        }

        var executor = new ShellExecutor(state, []);
        int first = await RunCommandsAsync(parsed, executor, host.Input, cancellationToken);
        return End(first);
    }

    /// <summary>Runs a script line by line, up to the first that fails.</summary>
    /// <returns>The exit code of the first that failed, or 0.</returns>
    public async Task<int> RunScriptAsync(TextReader script, CancellationToken cancellationToken)
    {
        var executor = new ShellExecutor(state, []);
        await using var input = new ScriptInput();
        int first = ExitCode.Ok;
        int number = 0;
        while (!state.IsLeaving && await ReadStatementAsync(script, cancellationToken) is var (text, lines))
        {
            int at = number + 1;
            number += lines;
            ShellText parsed = ShellWords.Parse(text);
            int exitCode = parsed.Problem is { } problem
                ? Report(new UserError(
                    ExitCode.Usage,
                    $"line {at}, column {problem.Column}: {problem.Message}",
                    "help shows how words are quoted"))
                : await RunCommandsAsync(parsed, executor, input, cancellationToken);
            first = first == ExitCode.Ok ? exitCode : first;
            if (exitCode == ExitCode.Interrupted || (exitCode != ExitCode.Ok && !state.Options.ContinueOnError))
            {
                break;
            }
        }

        return End(first);
    }

    /// <summary>Reads lines from a terminal until somebody leaves.</summary>
    public async Task<int> RunInteractiveAsync(IShellConsole console, CancellationToken cancellationToken)
    {
        ShellHistory history = ShellHistory.PathFor(host.Variable) is { } path
            ? ShellHistory.Open(path)
            : new ShellHistory();
        var completer = new ShellCompleter(state, CommandLine.CreateRoot(host), new GrainNames(state));
        var editor = new LineEditor(console, history, completer.CompleteAsync);
        var executor = new ShellExecutor(state, history.Lines);
        bool told = false;
        while (!state.IsLeaving)
        {
            if (history.Problem is { } problem && !told)
            {
                told = true;
                host.Error.WriteLine($"note: former lines are not kept: {problem}");
            }

            (LineEnd end, string line) = await editor.ReadAsync(state.Prompt, cancellationToken);
            if (end == LineEnd.Closed)
            {
                break;
            }

            if (end == LineEnd.GivenUp)
            {
                continue;
            }

            history.Add(line);
            ShellText parsed = ShellWords.Parse(line);
            if (parsed.Problem is { } wrong)
            {
                Report(new UserError(ExitCode.Usage, $"column {wrong.Column}: {wrong.Message}", "help"));
                continue;
            }

            await RunPagedAsync(parsed, executor, console, cancellationToken);
        }

        // Somebody who leaves with a transaction open is told; it is no failure of what was typed.
        End(ExitCode.Ok);
        return ExitCode.Ok;
    }

    /// <summary>Stops what runs now.</summary>
    /// <returns>Whether something ran.</returns>
    public bool Interrupt()
    {
        lock (_lock)
        {
            _line?.Cancel();
            return _line is not null;
        }
    }

    public void Dispose() => _line?.Dispose();

    private async Task RunPagedAsync(
        ShellText parsed, ShellExecutor executor, IShellConsole console, CancellationToken cancellationToken)
    {
        foreach (IReadOnlyList<ShellWord> command in parsed.Commands)
        {
            using var line = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Enter(line);
            try
            {
                bool left = false;
                await using var paged = new PagedOutput(
                    host.Output,
                    console,
                    () =>
                    {
                        left = true;
                        line.Cancel();
                    },
                    line.Token);
                using CommandHost one = host.For(host.Input, paged, () => left);
                int exitCode = await executor.RunAsync(
                    [.. command.Select(word => word.Text)], one, line.Token);
                if (state.IsLeaving || (exitCode != ExitCode.Ok && !left))
                {
                    return;
                }
            }
            finally
            {
                Enter(null);
            }
        }
    }

    private async Task<int> RunCommandsAsync(
        ShellText parsed, ShellExecutor executor, Stream input, CancellationToken cancellationToken)
    {
        int first = ExitCode.Ok;
        foreach (IReadOnlyList<ShellWord> command in parsed.Commands)
        {
            using CommandHost one = host.For(input, host.Output, () => false);
            int exitCode = await executor.RunAsync([.. command.Select(word => word.Text)], one, cancellationToken);
            first = first == ExitCode.Ok ? exitCode : first;
            if (state.IsLeaving || exitCode == ExitCode.Interrupted
                || (exitCode != ExitCode.Ok && !state.Options.ContinueOnError))
            {
                break;
            }
        }

        return first;
    }

    /// <summary>Ends what is open.</summary>
    private int End(int exitCode)
    {
        if (state.Transaction is not { } transaction)
        {
            return exitCode;
        }

        state.Transaction = null;
        int writes = transaction.Writes;
        if (writes == 0)
        {
            return exitCode;
        }

        int code = Report(new UserError(
            ExitCode.Precondition,
            $"the transaction with {Screen.Count(writes, "write")} was not committed; nothing of it was applied",
            "end it with commit",
            "TransactionOpen"));
        return exitCode == ExitCode.Ok ? code : exitCode;
    }

    private int Report(UserError error) => state.Invocation.Report(error);

    private void Enter(CancellationTokenSource? line)
    {
        lock (_lock)
        {
            _line = line;
        }
    }

    /// <summary>A line, with those that belong to it because a quote is open.</summary>
    private static async Task<(string Text, int Lines)?> ReadStatementAsync(
        TextReader script, CancellationToken cancellationToken)
    {
        // A quote that somebody forgot must not read the rest of a large script into memory.
        const int mostLines = 10_000;
        if (await script.ReadLineAsync(cancellationToken) is not { } line)
        {
            return null;
        }

        var text = new StringBuilder(line);
        int lines = 1;
        while (lines < mostLines && ShellWords.IsUnfinished(text.ToString())
            && await script.ReadLineAsync(cancellationToken) is { } next)
        {
            text.Append('\n').Append(next);
            lines++;
        }

        return (text.ToString(), lines);
    }
}

/// <summary>What Ctrl-C and the signals that end a process do to a shell.</summary>
internal sealed class ShellSignals : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;

    /// <param name="interrupt">Ctrl-C while a command runs; false: nothing runs, so it ends the shell.</param>
    /// <param name="end">Ends the shell.</param>
    public ShellSignals(Func<bool> interrupt, Action end)
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
            {
                context.Cancel = true;
                if (!interrupt())
                {
                    end();
                }
            }),
            .. new[] { PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(
                signal,
                context =>
                {
                    context.Cancel = true;
                    end();
                })),
        ];
    }

    public void Dispose() => Array.ForEach(_registrations, registration => registration.Dispose());
}
