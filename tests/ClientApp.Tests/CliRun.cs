using System.Text;
using System.Text.Json;

namespace Branching.ClientApp.Tests;

/// <summary>What one run of the command line gave.</summary>
internal sealed record CliResult(int ExitCode, byte[] OutputBytes, string Error)
{
    public string Output => Encoding.UTF8.GetString(OutputBytes);

    public JsonElement Json => JsonDocument.Parse(OutputBytes).RootElement;

    /// <summary>The lines of the output, each its own JSON value.</summary>
    public IReadOnlyList<JsonElement> JsonLines =>
        [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)];
}

/// <summary>Runs the command line in this process.</summary>
internal static class Cli
{
    /// <param name="input">Standard input.</param>
    /// <param name="arguments">The words after <c>branching</c>.</param>
    /// <param name="connect">How a session is opened; as the program does unless given.</param>
    /// <param name="variable">The environment; empty unless given.</param>
    /// <param name="settings">Settings of the node in the environment; none unless given.</param>
    public static async Task<CliResult> RunAsync(
        byte[] input,
        IReadOnlyList<string> arguments,
        Func<SessionTarget, CancellationToken, Task<ISession>>? connect = null,
        Func<string, string?>? variable = null,
        IReadOnlyDictionary<string, string>? settings = null)
    {
        using var output = new MemoryStream();
        await using var error = new StringWriter();
        using var host = new CommandHost
        {
            Input = new MemoryStream(input),
            Output = output,
            Error = error,
            Variable = variable ?? (_ => null),
            Variables = () => settings ?? new Dictionary<string, string>(),
            Connect = connect ?? Sessions.ConnectAsync,
        };
        int exitCode = await CommandLine.RunAsync(arguments, host);
        return new CliResult(exitCode, output.ToArray(), error.ToString());
    }
}

/// <summary>Runs the command line in this process on a temporary data root.</summary>
public abstract class CliTest : IDisposable
{
    protected string Scratch { get; } = Directory.CreateTempSubdirectory("branching-cli-").FullName;

    protected string Data => Path.Combine(Scratch, "data");

    public void Dispose()
    {
        Directory.Delete(Scratch, recursive: true);
        GC.SuppressFinalize(this);
    }

    private protected Task<CliResult> RunAsync(params string[] arguments) => RunWithInputAsync([], arguments);

    private protected Task<CliResult> RunWithInputAsync(byte[] input, params string[] arguments)
        => Cli.RunAsync(
            input,
            arguments.Contains("--data", StringComparer.Ordinal) ? arguments : [.. arguments, "--data", Data]);

    private protected async Task<CliResult> SucceedAsync(params string[] arguments)
    {
        CliResult result = await RunAsync(arguments);
        Assert.True(
            result.ExitCode == 0, $"{string.Join(' ', arguments)} exited with {result.ExitCode}: {result.Error}");
        return result;
    }

    private protected string WriteFile(string name, string content)
    {
        string path = Path.Combine(Scratch, name);
        File.WriteAllText(path, content);
        return path;
    }
}
