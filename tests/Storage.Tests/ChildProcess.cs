using System.ComponentModel;
using System.Diagnostics;

namespace Branching.Storage.Tests;

/// <summary>How a process ended and what it said.</summary>
internal sealed record Ended(int Exit, IReadOnlyList<string> Lines)
{
    /// <summary>The exit code of what was ended by SIGKILL.</summary>
    public const int Killed = 137;

    private static readonly string[] _events = ["point ", "sharing ", "snapshot ", "step ", "storage "];

    /// <summary>What it said of events, in order.</summary>
    public IReadOnlyList<string> Events => [.. Lines.Where(
        line => _events.Any(word => line.StartsWith(word, StringComparison.Ordinal)))];

    /// <summary>The event it was killed at; else the last it said.</summary>
    public string At { get => field ?? (Events is [.., var last] ? last : "its start"); init; }

    /// <summary>Whether it did all of its scenario.</summary>
    public bool Finished => Exit == 0 || Lines.Contains("done", StringComparer.Ordinal);

    public override string ToString() => $"exit {Exit}\n{string.Join('\n', Lines)}";
}

/// <summary>Processes that a test starts. None outlives its deadline.</summary>
internal static class ChildProcess
{
    // Longer than any of them takes on a busy machine: reaching it means that the process hangs.
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    /// <summary>The child that does one operation on a data root (tests/Storage.CrashChild).</summary>
    public static string[] Storage(string root, string scenario, int killAt = 0, string kinds = "points") =>
        Child(root, scenario, $"{killAt}", kinds);

    /// <summary>The child with any arguments.</summary>
    public static string[] Child(params string[] arguments) =>
        [Dotnet, Path.Combine(AppContext.BaseDirectory, "Branching.Storage.CrashChild.dll"), .. arguments];

    /// <summary>The child that races another one for names on shared storage; see its PutRace.</summary>
    public static string[] Racing(string shared, int names, string me, string other) =>
        [.. Storage(shared, "race", names, me), other];

    /// <summary>The same command as a user without any right of its own, nor any group.</summary>
    public static string[] AsNobody(string[] command) =>
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", .. command];

    /// <summary>Runs a command to its end; the caller may kill it after any line it says.</summary>
    /// <exception cref="Win32Exception">The program is not installed.</exception>
    public static async Task<Ended> RunAsync(
        string[] command, Action<Process, List<string>>? afterLine = null, TimeSpan? within = null)
    {
        using Process process = Start(command);
        using CancellationTokenSource deadline = new(within ?? Deadline);
        List<string> lines = [];
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(deadline.Token);
            while (await process.StandardOutput.ReadLineAsync(deadline.Token) is { } line)
            {
                lines.Add(line);
                afterLine?.Invoke(process, lines);
            }

            lines.AddRange((await errors).Split('\n', StringSplitOptions.RemoveEmptyEntries));
            await process.WaitForExitAsync(deadline.Token);
            return new Ended(process.ExitCode, lines);
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException(
                $"'{string.Join(' ', command)}' did not end in {within ?? Deadline}. It said:\n" +
                string.Join('\n', lines), e);
        }
    }

    /// <summary>Whether a command exists and ends with 0; else what it answered.</summary>
    public static bool Succeeds(out string answer, params string[] command)
    {
        try
        {
            Ended ended = Task.Run(() => RunAsync(command)).GetAwaiter().GetResult();
            answer = $"'{string.Join(' ', command)}': {ended}";
            return ended.Exit == 0;
        }
        catch (Win32Exception e)
        {
            answer = e.Message;
            return false;
        }
    }

    /// <summary>Starts a command; its input is written by the caller if it <paramref name="asks"/> for one.</summary>
    public static Process Start(string[] command, bool asks = false)
    {
        ProcessStartInfo start = new(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = asks,
            UseShellExecute = false,
        };
        start.Environment["DOTNET_NOLOGO"] = "1";
        return Process.Start(start) ?? throw new InvalidOperationException($"'{command[0]}' did not start.");
    }

    private static string Dotnet =>
        Environment.ProcessPath is { } path && Path.GetFileName(path) == "dotnet" ? path : "dotnet";
}
