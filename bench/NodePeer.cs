using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Branching.Bench;

/// <summary>What the peer on Node is asked to measure; rocksdb-js/peer.mjs says what each operation is.</summary>
internal sealed record NodeRequest(string Operation, string Directory, long Records)
{
    public long Operations { get; init; } = 1;

    public int Batch { get; init; } = 1;

    public long Length { get; init; }

    public long Changes { get; init; }

    public string? Target { get; init; }

    public bool Logged { get; init; }

    public long CacheBytes { get; init; } = DbBench.CacheBytes;

    public long WriteBufferBytes { get; init; } = DbBench.WriteBufferBytes;
}

/// <summary>
/// The package @harperfast/rocksdb-js in a process of Node, installed for this run into a temporary directory. One
/// process measures all of its rows, so that its compiler is as warm as ours.
/// </summary>
internal sealed class NodePeer : IAsyncDisposable
{
    public const string Package = "@harperfast/rocksdb-js";

    private const string Script = "peer.mjs";

    private static readonly TimeSpan _installTimeout = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan _answerTimeout = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan _endTimeout = TimeSpan.FromSeconds(10);
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web);

    private readonly Process _process;
    private readonly StringBuilder _errors = new();

    private NodePeer(Process process) => _process = process;

    /// <summary>Versions of the package, its RocksDB and Node.</summary>
    public string Version { get; private set; } = "?";

    /// <summary>Installs and starts the peer.</summary>
    /// <param name="directory">Where its own directory is made.</param>
    /// <param name="source">What npm is to install; <see cref="Package"/> for the registry's newest version.</param>
    /// <returns>The peer, or why there is none.</returns>
    public static async Task<(NodePeer? Peer, string? Missing)> StartAsync(string directory, string source)
    {
        string place = Directory.CreateDirectory(Path.Combine(directory, "node")).FullName;
        if (await InstallAsync(place, source) is { } missing)
        {
            return (null, missing);
        }

        // Node looks for packages beside the file that imports them.
        string script = Path.Combine(place, Script);
        File.Copy(Path.Combine(AppContext.BaseDirectory, "rocksdb-js", Script), script);
        NodePeer peer = new(Start("node", [script], place, withInput: true));
        peer._process.ErrorDataReceived += (_, line) => peer._errors.AppendLine(line.Data);
        peer._process.BeginErrorReadLine();
        try
        {
            peer.Version = (await peer.ReadAsync()).GetProperty("version").GetString() ?? "?";
            return (peer, null);
        }
        catch (InvalidOperationException e)
        {
            await peer.DisposeAsync();
            return (null, $"skipped: {Package} was installed but does not start: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>Operations per second.</summary>
    /// <exception cref="InvalidOperationException">The peer failed; the message is its own.</exception>
    public async Task<double> AskAsync(NodeRequest request)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(request, _json));
        await _process.StandardInput.FlushAsync();
        JsonElement answer = await ReadAsync();
        return answer.TryGetProperty("perSecond", out JsonElement rate)
            ? rate.GetDouble()
            : throw new InvalidOperationException($"{request.Operation}: {answer.GetProperty("error").GetString()}");
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using CancellationTokenSource deadline = new(_endTimeout);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    private async Task<JsonElement> ReadAsync()
    {
        using CancellationTokenSource deadline = new(_answerTimeout);
        string? line = await _process.StandardOutput.ReadLineAsync(deadline.Token);
        return line is not null
            ? JsonSerializer.Deserialize<JsonElement>(line)
            : throw new InvalidOperationException($"it ended: {_errors.ToString().Trim()}");
    }

    private static async Task<string?> InstallAsync(string place, string source)
    {
        await File.WriteAllTextAsync(Path.Combine(place, "package.json"), """{ "private": true, "type": "module" }""");
        try
        {
            using Process npm = Start(
                "npm", ["install", "--no-audit", "--no-fund", "--no-progress", source], place, withInput: false);
            using CancellationTokenSource deadline = new(_installTimeout);
            Task<string> errors = npm.StandardError.ReadToEndAsync(deadline.Token);
            Task<string> output = npm.StandardOutput.ReadToEndAsync(deadline.Token);
            try
            {
                await npm.WaitForExitAsync(deadline.Token);
                return npm.ExitCode == 0 ? null : Skipped(await errors + await output);
            }
            catch (OperationCanceledException)
            {
                npm.Kill(entireProcessTree: true);
                return $"skipped: npm did not install {Package} within {_installTimeout.TotalMinutes:0} minutes";
            }
        }
        catch (Win32Exception)
        {
            return $"skipped: npm, which installs {Package}, is not there (Debian and Ubuntu: apt-get install npm)";
        }
    }

    // npm says first what failed, and then where it logged that and what else could be tried.
    private static string Skipped(string output)
    {
        const string Error = "npm error ";
        IEnumerable<string> said = output.Split('\n')
            .Where(line => line.StartsWith(Error, StringComparison.Ordinal))
            .Select(line => line[Error.Length..].Trim())
            .Where(line => line.Length > 0)
            .Take(2);
        string answer = string.Join("; ", said);
        return $"skipped: npm could not install {Package}: {(answer.Length > 0 ? answer : output.Trim())}";
    }

    private static Process Start(string program, string[] arguments, string place, bool withInput)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            UseShellExecute = false,
            WorkingDirectory = place,
            RedirectStandardInput = withInput,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} could not be started.");
    }
}
