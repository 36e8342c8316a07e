using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Branching.Bench;

/// <summary>RocksDB's own benchmark program as the peer, with the options that our side uses.</summary>
internal sealed partial class DbBench
{
    public const string Missing =
        "skipped: db_bench is not installed (Debian and Ubuntu: apt-get install rocksdb-tools)";
    public const long CacheBytes = 512L << 20;
    public const long WriteBufferBytes = 64L << 20;

    private readonly string _program;

    private DbBench(string program) => _program = program;

    public string Version { get; private init; } = "";

    public static DbBench? Find()
    {
        string? program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Where(folder => folder.Length > 0)
            .Select(folder => Path.Combine(folder, "db_bench"))
            .FirstOrDefault(File.Exists);
        if (program is null)
        {
            return null;
        }

        Match version = VersionText().Match(Run(program, ["--version"], out _));
        return new DbBench(program) { Version = version.Success ? version.Groups["version"].Value : "?" };
    }

    /// <summary>Runs the named benchmarks in one process and returns the operations per second of the last.</summary>
    public double Measure(string directory, long records, string benchmarks, params string[] more)
    {
        string[] arguments =
        [
            $"--db={directory}", $"--benchmarks={benchmarks}",
            string.Create(CultureInfo.InvariantCulture, $"--num={records}"),
            $"--key_size={BenchOptions.KeyBytes}", $"--value_size={BenchOptions.ValueBytes}",
            "--compression_type=none", $"--cache_size={CacheBytes}", $"--write_buffer_size={WriteBufferBytes}",
            "--max_write_buffer_number=2", "--bloom_bits=10", "--block_size=4096", "--open_files=-1",
            "--max_background_jobs=2", "--level_compaction_dynamic_level_bytes=true", "--disable_wal=0",
            "--enable_pipelined_write=false", "--seed=42", "--stats_interval=0", .. more,
        ];
        string output = Run(_program, arguments, out string errors);
        string name = benchmarks.Split(',')[^1];
        Match? last = ResultLine().Matches(output).LastOrDefault(match => match.Groups["name"].Value == name);
        return last is not null
            ? double.Parse(last.Groups["rate"].Value, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException(
                $"db_bench {string.Join(' ', arguments)} printed no result for {name}:\n{output}\n{errors}");
    }

    private static string Run(string program, string[] arguments, out string errors)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)
            ?? throw new InvalidOperationException($"{program} could not be started.");
        System.Text.StringBuilder text = new();
        process.ErrorDataReceived += (_, line) => text.AppendLine(line.Data);
        process.BeginErrorReadLine();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        errors = text.ToString();
        return output.Contains("micros/op", StringComparison.Ordinal) ? output : output + errors;
    }

    [GeneratedRegex(
        @"(?<name>[a-z]+)\s*:\s+[0-9.]+ micros/op (?<rate>[0-9]+) ops/sec",
        RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex ResultLine();

    [GeneratedRegex(@"version (?<version>[0-9.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex VersionText();
}
