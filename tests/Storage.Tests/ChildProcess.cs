using System.ComponentModel;
using System.Diagnostics;

namespace Branching.Storage.Tests;

/// <summary>How a process ended and what it said.</summary>
internal sealed record Ended(int Exit, IReadOnlyList<string> Lines)
{
    public override string ToString() => $"exit {Exit}\n{string.Join('\n', Lines)}";
}

/// <summary>Processes that a test starts. None outlives its deadline.</summary>
internal static class ChildProcess
{
    // Longer than any of them takes on a busy machine: reaching it means that the process hangs.
    private static readonly TimeSpan _deadline = TimeSpan.FromMinutes(2);

    /// <summary>The child that does one operation on a data root (tests/Storage.CrashChild).</summary>
    public static string[] Storage(string root, string scenario, int killAt = 0, string kinds = "points") =>
        [Dotnet, Path.Combine(AppContext.BaseDirectory, "Branching.Storage.CrashChild.dll"), root, scenario,
            $"{killAt}", kinds];

    /// <summary>The child, with shared storage; see its SharedScenarios.</summary>
    public static string[] Sharing(
        string root, string scenario, int killAt, string kinds, string shared, string snapshot) =>
        [.. Storage(root, "shared:" + scenario, killAt, kinds), shared, snapshot];

    /// <summary>The child that races another one for names on shared storage; see its PutRace.</summary>
    public static string[] Racing(string shared, int names, string me, string other) =>
        [.. Storage(shared, "race", names, me), other];

    /// <summary>The same command as a user without any right of its own, nor any group.</summary>
    public static string[] AsNobody(string[] command) =>
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", .. command];

    /// <summary>Runs a command to its end; the caller may kill it after any line it says.</summary>
    /// <exception cref="Win32Exception">The program is not installed.</exception>
    public static async Task<Ended> RunAsync(string[] command, Action<Process, List<string>>? afterLine = null)
    {
        using Process process = Start(command);
        using CancellationTokenSource deadline = new(_deadline);
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
                $"'{string.Join(' ', command)}' did not end in {_deadline}. It said:\n{string.Join('\n', lines)}", e);
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

    private static string Dotnet =>
        Environment.ProcessPath is { } path && Path.GetFileName(path) == "dotnet" ? path : "dotnet";

    private static Process Start(string[] command)
    {
        ProcessStartInfo start = new(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["DOTNET_NOLOGO"] = "1";
        return Process.Start(start) ?? throw new InvalidOperationException($"'{command[0]}' did not start.");
    }
}
