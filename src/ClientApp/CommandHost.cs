using System.Collections;
using System.Text;
using Branching.ClientApp.Shell.Editing;

namespace Branching.ClientApp;

/// <summary>An open way to the grains: a node in this process, or a cluster.</summary>
internal interface ISession : IAsyncDisposable
{
    IGrainFactory Grains { get; }
}

/// <summary>Where the databases of a command are.</summary>
/// <param name="DataRoot">The directory of an embedded node.</param>
/// <param name="Cluster">The address of a cluster; null for an embedded node.</param>
/// <param name="SharedStorage">Where an embedded node keeps snapshots; null: nowhere.</param>
/// <param name="Backups">Where an embedded node keeps backups; null: nowhere.</param>
/// <param name="Settings">What else an embedded node is set to, by key; null: nothing.</param>
/// <param name="Note">Told what it cost to bring a damaged database up; null: nobody.</param>
/// <param name="LooksOnly">An embedded node puts nothing on shared storage that is not there.</param>
internal sealed record SessionTarget(
    string DataRoot,
    string? Cluster,
    string? SharedStorage = null,
    string? Backups = null,
    IReadOnlyDictionary<string, string?>? Settings = null,
    Action<string>? Note = null,
    bool LooksOnly = false)
{
    /// <summary>Whether databases can be there: with shared storage also before the data directory is.</summary>
    public bool MayHoldDatabases => Cluster is not null || SharedStorage is not null || Directory.Exists(DataRoot);
}

/// <summary>How advice is worded: what a person would type where the command was typed.</summary>
internal interface ICommandWording
{
    /// <summary>A command, of the words after <c>branching</c>.</summary>
    string Command(IReadOnlyList<string> words);

    /// <summary>The command that was typed, with more words at its end.</summary>
    string Again(IReadOnlyList<string> more);

    /// <summary>What shows a command with its options.</summary>
    string Help(IReadOnlyList<string> path);

    /// <summary>How to come to a directory or a cluster, of which a shell has one as long as it is open.</summary>
    string Elsewhere(string option);
}

/// <summary>
/// Everything that a command meets of the outside: streams, terminal, environment, clock and the way to the grains.
/// Tests give their own.
/// </summary>
internal sealed class CommandHost : IDisposable
{
    private static readonly UTF8Encoding _utf8 = new(encoderShouldEmitUTF8Identifier: false);

    public required Stream Input { get; init; }

    public required Stream Output { get; init; }

    public required TextWriter Error { get; init; }

    public bool InputIsTerminal { get; init; }

    public bool OutputIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of the terminal; null to ask it.</summary>
    public int? TerminalWidth { get; init; }

    public Func<string, string?> Variable { get; init; } = System.Environment.GetEnvironmentVariable;

    /// <summary>The whole environment, among which settings of the node are looked for.</summary>
    public Func<IEnumerable<KeyValuePair<string, string>>> Variables { get; init; } = ReadVariables;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public Func<SessionTarget, CancellationToken, Task<ISession>> Connect { get; init; } = Sessions.ConnectAsync;

    /// <summary>The terminal to type at; null: there is none, or it cannot place its cursor.</summary>
    public IShellConsole? Terminal { get; init; }

    /// <summary>How advice is worded; null: as a command line of the program.</summary>
    public ICommandWording? Wording { get; init; }

    /// <summary>Whether whoever reads the output has had enough, so that stopping is no failure.</summary>
    public Func<bool> ReaderHasLeft { get; init; } = () => false;

    /// <summary>Text to standard output.</summary>
    public TextWriter Out => field ??= new StreamWriter(Output, _utf8, bufferSize: 16 * 1024, leaveOpen: true);

    /// <summary>The streams of this process.</summary>
    public static CommandHost ForProcess() => new()
    {
        Input = Console.OpenStandardInput(),
        Output = Console.OpenStandardOutput(),
        Error = new StreamWriter(Console.OpenStandardError(), _utf8) { AutoFlush = true },
        InputIsTerminal = !Console.IsInputRedirected,
        OutputIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Terminal = Console.IsInputRedirected || Console.IsOutputRedirected
            || System.Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb" ? null : new ProcessConsole(),
    };

    /// <summary>The same outside with other streams.</summary>
    public CommandHost For(Stream input, Stream output, Func<bool> readerHasLeft)
        => Copy(input, output, Connect, Wording, readerHasLeft);

    /// <summary>The same outside for a command of a shell: with the shell's session and words.</summary>
    public CommandHost For(ISession session, ICommandWording wording)
        => Copy(Input, Output, (_, _) => Task.FromResult(session), wording, ReaderHasLeft);

    public void Dispose() => Out.Flush();

    private static IEnumerable<KeyValuePair<string, string>> ReadVariables()
        => System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(
            entry => new KeyValuePair<string, string>((string)entry.Key, (string?)entry.Value ?? ""));

    private CommandHost Copy(
        Stream input,
        Stream output,
        Func<SessionTarget, CancellationToken, Task<ISession>> connect,
        ICommandWording? wording,
        Func<bool> readerHasLeft) => new()
        {
            Input = input,
            Output = output,
            Error = Error,
            InputIsTerminal = InputIsTerminal,
            OutputIsTerminal = OutputIsTerminal,
            ErrorIsTerminal = ErrorIsTerminal,
            TerminalWidth = TerminalWidth,
            Terminal = Terminal,
            Variable = Variable,
            Variables = Variables,
            Time = Time,
            Connect = connect,
            Wording = wording,
            ReaderHasLeft = readerHasLeft,
        };
}
