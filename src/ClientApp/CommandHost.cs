using System.Text;

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
internal sealed record SessionTarget(string DataRoot, string? Cluster, string? SharedStorage = null);

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

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public Func<SessionTarget, CancellationToken, Task<ISession>> Connect { get; init; } = Sessions.ConnectAsync;

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
    };

    public void Dispose() => Out.Flush();
}
