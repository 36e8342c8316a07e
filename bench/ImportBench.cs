using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Branching.Bench;

/// <summary>The command line's import as a process of its own: rate and memory as a user sees them.</summary>
internal sealed class ImportBench(BenchOptions options, Report report, string directory)
{
    private const string Question = "How fast does the command line import, and with how much memory?";
    private const string PeakLine = "VmHWM:"; // Peak resident memory in /proc/<pid>/status, in kB.

    public async Task RunAsync()
    {
        string program = ProgramPath();
        if (!File.Exists(program))
        {
            report.Print(new Row("process", "import", Question)
            {
                Result = "skipped: the command line is not built (./dev bench builds it)",
            });
            return;
        }

        string file = Path.Combine(directory, "import.tsv");
        await WriteFileAsync(file, options.Records);
        Samples rates = new();
        Samples peaks = new();
        for (int run = 0; run < options.Runs; run++)
        {
            string data = Path.Combine(directory, $"import-{run}");
            long start = Stopwatch.GetTimestamp();
            peaks.Add(await ExecuteAsync(
                program, ["import", "bench", file, "--format", "tsv", "--create", "--quiet", "--data", data]));
            rates.Add(Comparison.PerSecond(options.Records, start));
            Directory.Delete(data, recursive: true);
        }

        report.Print(new Row("process", "import", Question)
        {
            Data = string.Create(CultureInfo.InvariantCulture, $"{options.Records:N0} lines of tab-separated text, ")
                + "16-byte keys in random order, 100-byte values, default options",
            WarmUp = "none: starting and stopping the process is part of it",
            Runs = $"{options.Runs}, each into a new data root",
            Result = rates.Rate(),
            Details = [string.Create(CultureInfo.InvariantCulture,
                $"peak resident memory: median {peaks.Median:N0} MB, most {peaks.Most:N0} MB")],
        });
    }

    internal static string ProgramPath()
    {
        // artifacts/<runtime>/bin/Bench/<configuration>/ beside artifacts/<runtime>/bin/ClientApp/<configuration>/
        DirectoryInfo own = new(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string name = OperatingSystem.IsWindows() ? "branching.exe" : "branching";
        return Path.Combine(own.Parent!.Parent!.FullName, "ClientApp", own.Name, name);
    }

    private static async Task WriteFileAsync(string file, int records)
    {
        const string Letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
        Workload workload = new(seed: 41);
        char[] value = new char[BenchOptions.ValueBytes];
        await using StreamWriter writer = new(file, append: false, Encoding.ASCII, bufferSize: 1 << 16);
        for (int i = 0; i < records; i++)
        {
            ReadOnlySpan<byte> bytes = workload.Value().Span;
            for (int j = 0; j < value.Length; j++)
            {
                value[j] = Letters[bytes[j] & 63];
            }

            // An odd multiplier makes every number once, in no order.
            ulong key = unchecked((ulong)i * 0x9E3779B97F4A7C15UL);
            await writer.WriteAsync(key.ToString("x16", CultureInfo.InvariantCulture));
            await writer.WriteAsync('\t');
            await writer.WriteAsync(value);
            await writer.WriteAsync('\n');
        }
    }

    /// <summary>Runs the program to its end and returns its peak resident memory in MB (NaN where unknown).</summary>
    private static async Task<double> ExecuteAsync(string program, string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)
            ?? throw new InvalidOperationException($"{program} could not be started.");
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        double peak = double.NaN;
        Task exit = process.WaitForExitAsync();
        while (!exit.IsCompleted)
        {
            peak = PeakOf(process.Id) ?? peak;
            await Task.WhenAny(exit, Task.Delay(20));
        }

        return process.ExitCode == 0
            ? peak
            : throw new InvalidOperationException(
                $"branching {string.Join(' ', arguments)} ended with {process.ExitCode}:\n"
                + await output + await errors);
    }

    private static double? PeakOf(int process)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{process}/status")
                .FirstOrDefault(line => line.StartsWith(PeakLine, StringComparison.Ordinal));
            return line is null
                ? null
                : double.Parse(line[PeakLine.Length..].Replace("kB", "", StringComparison.Ordinal),
                    NumberStyles.Float, CultureInfo.InvariantCulture) * 1024 / 1e6;
        }
        catch (IOException)
        {
            return null; // Gone meanwhile, or a system without /proc.
        }
    }
}
