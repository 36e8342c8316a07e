using System.Diagnostics;

namespace Branching.ClientApp.Tests.Processes;

/// <summary>The shell as a process of its own, without a terminal.</summary>
public sealed class ShellProcessTests : CliTest
{
    private static readonly TimeSpan _within = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task A_script_from_a_pipe_runs_without_prompts_and_its_first_failure_is_the_exit_code()
    {
        await SucceedAsync("create", "shop");

        (int exitCode, string output, string error) = await PipeAsync(
            "use shop\nput \\xff\\0 'two words'\nscan\ndrop shop\nput late 1\n", "shell", "--data", Data);
        CliResult after = await SucceedAsync("count", "shop");

        Assert.Equal(ExitCode.Refused, exitCode);
        Assert.Equal("\\xff\\0\ttwo words\n", output);
        Assert.Contains("Nobody can be asked without a terminal", error, StringComparison.Ordinal);
        Assert.DoesNotContain('\x1b', output + error);
        Assert.DoesNotContain("> ", output, StringComparison.Ordinal);
        Assert.Equal("1\n", after.Output);
    }

    private static async Task<(int ExitCode, string Output, string Error)> PipeAsync(
        string script, params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet", ["exec", typeof(CommandLine).Assembly.Location, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        using CancellationTokenSource deadline = new(_within);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.StandardInput.WriteAsync(script);
            process.StandardInput.Close();
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }
}
