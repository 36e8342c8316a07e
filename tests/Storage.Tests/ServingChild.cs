using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Branching.Storage.Tests;

/// <summary>
/// A child process that does many runs (tests/Storage.CrashChild, Serving), each on a data root of its own. A run ends
/// as a process of its own would: with its exit code, or as killed when it came to its event, where it then stands
/// until the process is killed. Look at what such a run left and said only after <see cref="KillAsync"/>: other threads
/// of it may go on until then.
/// </summary>
internal sealed class ServingChild : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Asked> _runs = new(StringComparer.Ordinal);
    private readonly Lock _asking = new();
    private readonly Process _process;
    private readonly Task<string> _reading;
    private int _count;

    private ServingChild(Process process)
    {
        _process = process;
        _reading = Task.Run(ReadAsync);
    }

    /// <param name="wrap">What runs the command, such as <see cref="ChildProcess.AsNobody"/>.</param>
    public static ServingChild Start(Func<string[], string[]>? wrap = null)
    {
        string[] command = ChildProcess.Child("serve");
        return new ServingChild(ChildProcess.Start(wrap?.Invoke(command) ?? command, asks: true));
    }

    /// <param name="arguments">As for a process of its own: <see cref="ChildProcess.Storage"/>.</param>
    /// <exception cref="TimeoutException">It neither ended nor came to its event.</exception>
    public async Task<Ended> RunAsync(string[] arguments)
    {
        Asked run = new();
        lock (_asking)
        {
            string number = (++_count).ToString(CultureInfo.InvariantCulture);
            _runs[number] = run;
            _process.StandardInput.WriteLine(string.Join('\t', [number, .. arguments]));
            _process.StandardInput.Flush();
        }

        string what = $"'{string.Join(' ', arguments)}'";
        try
        {
            Task first = await Task.WhenAny(run.Ended, _reading).WaitAsync(ChildProcess.Deadline);
            return first == run.Ended ? await run.Ended : throw new InvalidOperationException(
                $"The child process ended during {what}, with {await _reading}. The run said:\n{run}");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(
                $"{what} neither ended nor came to its event in {ChildProcess.Deadline}. It said:\n{run}", e);
        }
    }

    /// <summary>The child kills itself (SIGKILL), and with it whatever stands at its event.</summary>
    public async Task KillAsync()
    {
        _process.StandardInput.Close();
        string end = await _reading.WaitAsync(ChildProcess.Deadline);
        Assert.True(_process.ExitCode == Ended.Killed, end);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _reading.WaitAsync(ChildProcess.Deadline);
        _process.Dispose();
    }

    /// <returns>How the process ended.</returns>
    private async Task<string> ReadAsync()
    {
        Task<string> errors = _process.StandardError.ReadToEndAsync();
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            string[] words = line.Split(' ', 3);
            _runs[words[0]].Hear(words[1], words[2]);
        }

        await _process.WaitForExitAsync();
        return $"exit {_process.ExitCode}: {await errors}";
    }

    /// <summary>A run and what was heard of it.</summary>
    private sealed class Asked
    {
        private readonly List<string> _lines = [];
        private readonly TaskCompletionSource<Ended> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<Ended> Ended => _ended.Task;

        public void Hear(string kind, string what)
        {
            switch (kind)
            {
                case "said":
                    lock (_lines)
                    {
                        _lines.Add(what);
                    }

                    break;
                case "stopped":
                    _ended.SetResult(new Ended(Tests.Ended.Killed, _lines) { At = what });
                    break;
                default:
                    _ended.SetResult(new Ended(int.Parse(what, CultureInfo.InvariantCulture), _lines));
                    break;
            }
        }

        public override string ToString()
        {
            lock (_lines)
            {
                return string.Join('\n', _lines);
            }
        }
    }
}
