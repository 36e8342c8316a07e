using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Branching.ClientApp.Tests.Processes;

/// <summary>One node of a cluster as a process of its own: <c>branching serve</c>.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private static readonly TimeSpan _startWithin = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan _stopWithin = TimeSpan.FromMinutes(1);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource _serving = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private NodeProcess(string name, Process process)
    {
        Name = name;
        _process = process;
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
    }

    public string Name { get; }

    public int ProcessId => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Everything it wrote so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts a node and waits until it serves.</summary>
    /// <param name="program">The command line's program or assembly.</param>
    /// <param name="name">The node's name.</param>
    /// <param name="dataRoot">Its data root.</param>
    /// <param name="settings">Settings of the server.</param>
    public static async Task<NodeProcess> StartAsync(
        string program, string name, string dataRoot, params string[] settings)
    {
        bool assembly = program.EndsWith(".dll", StringComparison.Ordinal);
        ProcessStartInfo start = new(assembly ? "dotnet" : program)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] arguments = ["serve", "--data", dataRoot, "--", "--node-name", name, .. settings];
        foreach (string argument in assembly ? ["exec", program, .. arguments] : arguments)
        {
            start.ArgumentList.Add(argument);
        }

        NodeProcess node = new(name, Process.Start(start)!);
        node._process.BeginOutputReadLine();
        node._process.BeginErrorReadLine();
        Task ended = node._process.WaitForExitAsync();
        Task first = await Task.WhenAny(node._serving.Task, ended, Task.Delay(_startWithin));
        if (first == node._serving.Task)
        {
            return node;
        }

        string why = first == ended ? $"ended with {node._process.ExitCode}" : $"does not serve after {_startWithin}";
        string output = node.Output;
        await node.DisposeAsync();
        throw new InvalidOperationException($"Node {name} {why}: {output}");
    }

    /// <summary>Ends the process as a crash does: nothing of it runs any more, not even its handlers.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks the process to stop, as an operator does, and returns its exit code.</summary>
    public async Task<int> StopAsync()
    {
        using Process kill = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        try
        {
            await _process.WaitForExitAsync().WaitAsync(_stopWithin);
            return _process.ExitCode;
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"Node {Name} did not stop within {_stopWithin}: {Output}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    private void Hear(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (line.StartsWith($"Node {Name} serves at ", StringComparison.Ordinal))
        {
            _serving.TrySetResult();
        }
    }
}
