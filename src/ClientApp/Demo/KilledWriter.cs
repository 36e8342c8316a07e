using System.Diagnostics;
using System.Globalization;

namespace Branching.ClientApp.Demo;

/// <summary>Starts this program again as a writer and kills it in the middle of its work.</summary>
internal static class KilledWriter
{
    private const int Enough = 3000;

    private static readonly TimeSpan _longEnough = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan _startWithin = TimeSpan.FromSeconds(40);

    /// <summary>The numbers of the writes that were acknowledged before the kill.</summary>
    /// <exception cref="UserError">It ended by itself, or wrote nothing.</exception>
    public static async Task<SortedSet<int>> RunAsync(
        string dataRoot, string database, string branch, CancellationToken cancellationToken)
    {
        using Process process = Process.Start(StartInfo(
            [DemoWriterCommand.Name, database, "--branch", branch, "--data", dataRoot]))!;
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(cancellationToken);
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            deadline.CancelAfter(_startWithin);
            var acknowledged = new SortedSet<int>();
            bool alive = await ReadUntilEnoughAsync(process, acknowledged, deadline);
            bool running = alive && !process.HasExited;

            // On Unix this is SIGKILL: nothing of the process runs any more, not even its handlers.
            process.Kill();
            await ReadRestAsync(process, acknowledged, cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            if (!running || acknowledged.Count == 0)
            {
                string why = (await errors).ReplaceLineEndings(" ").Trim();
                throw new UserError(
                    ExitCode.Failed,
                    $"the writing process acknowledged {acknowledged.Count} writes and then ended by itself: {why}",
                    null,
                    "DemoFailed");
            }

            return acknowledged;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    private static async Task<bool> ReadUntilEnoughAsync(
        Process process, SortedSet<int> acknowledged, CancellationTokenSource deadline)
    {
        try
        {
            while (acknowledged.Count < Enough)
            {
                if (await process.StandardOutput.ReadLineAsync(deadline.Token) is not { } line)
                {
                    return false;
                }

                if (acknowledged.Count == 0)
                {
                    deadline.CancelAfter(_longEnough);
                }

                Add(acknowledged, line);
            }
        }
        catch (OperationCanceledException)
        {
            // Long enough.
        }

        return true;
    }

    /// <summary>
    /// What it printed before it died counts as acknowledged, read or not. A line cut in the middle does not.
    /// </summary>
    private static async Task ReadRestAsync(
        Process process, SortedSet<int> acknowledged, CancellationToken cancellationToken)
    {
        string rest = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        int end = rest.LastIndexOf('\n') + 1;
        foreach (string line in rest[..end].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Add(acknowledged, line);
        }
    }

    private static void Add(SortedSet<int> acknowledged, string line)
        => acknowledged.Add(int.Parse(line, CultureInfo.InvariantCulture));

    private static ProcessStartInfo StartInfo(IReadOnlyList<string> arguments)
    {
        string self = typeof(KilledWriter).Assembly.Location;
        string program = Environment.ProcessPath ?? "dotnet";
        bool isProgram = Path.GetFileNameWithoutExtension(program) == Path.GetFileNameWithoutExtension(self);
        string host = Path.GetFileNameWithoutExtension(program) == "dotnet" ? program : "dotnet";
        return new ProcessStartInfo(isProgram ? program : host, isProgram ? arguments : [self, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }
}
