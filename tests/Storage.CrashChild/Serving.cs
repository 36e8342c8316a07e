using System.Globalization;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Does many runs in one process, for starting a process costs more than a run. Each line of the input is one: its
/// number and arguments, separated by tabs. Says "number said line", and "number stopped event" or "number exit code"
/// when the run goes no further. The end of the input kills the process (SIGKILL): nothing that stopped is disposed.
/// </summary>
internal static class Serving
{
    // The threads of a run that stopped are lost to the pool.
    private const int ThreadsOfRun = 4;
    private const int SpareThreads = 64;

    public static async Task ServeAsync()
    {
        int runs = 0;
        while (await Console.In.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            int threads = SpareThreads + (++runs * ThreadsOfRun);
            ThreadPool.SetMinThreads(threads, threads);
            _ = Task.Run(() => RunAsync(line.Split('\t')));
        }

        KillSwitch.Die();
    }

    private static async Task RunAsync(string[] words)
    {
        string number = words[0];
        try
        {
            Run run = new(words[1..], alone: false, line => Program.Say($"{number} said {line}"));
            Task<int> ended = Task.Run(() => Program.RunAsync(run));
            Task first = await Task.WhenAny(ended, run.Switch.Stopped).ConfigureAwait(false);
            string how = first == ended
                ? "exit " + (await ended.ConfigureAwait(false)).ToString(CultureInfo.InvariantCulture)
                : "stopped " + await run.Switch.Stopped.ConfigureAwait(false);
            Program.Say($"{number} {how}");
        }
        catch (Exception e)
        {
            // The test that asked shows it; the other runs go on.
            Program.Say($"{number} said {e.ToString().ReplaceLineEndings(" ")}");
            Program.Say($"{number} exit 1");
        }
    }
}
