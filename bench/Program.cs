using System.Runtime.InteropServices;
using Branching.Bench;

if (args is ["help" or "-h" or "--help"])
{
    Console.WriteLine(BenchOptions.Usage);
    return 0;
}

BenchOptions? options = BenchOptions.Parse(args, out string? error);
if (options is null)
{
    Console.Error.WriteLine($"bench: {error}\n\n{BenchOptions.Usage}");
    return 2;
}

Report report = new(options);
DbBench? peer = DbBench.Find();
string directory = Directory.CreateDirectory(
    Path.Combine(options.ParentDirectory, "branching-bench-" + Guid.NewGuid().ToString("N"))).FullName;

// Interrupted or told to stop: what was measured is on the screen, the temporary data is not left behind.
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Clean());
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Clean());
(string Name, Func<Task> Run)[] rows =
[
    ("binding", () => new BindingBench(options, report, peer, directory).RunAsync()),
    ("store", () => new StoreBench(options, report, peer, directory).RunAsync()),
    ("engine", () => new EngineBench(options, report, peer, directory).RunAsync()),
    ("branch", () => new BranchBench(options, report, directory).RunAsync()),
    ("import", () => new ImportBench(options, report, directory).RunAsync()),
    ("snapshot", () => new SnapshotBench(options, report, directory).RunAsync()),
    ("grain", () => new GrainBench(options, report, directory).RunAsync()),
    ("failover", () => new FailoverBench(options, report, directory).RunAsync()),
];

int failed = 0;
try
{
    foreach ((string name, Func<Task> run) in rows.Where(row => options.Includes(row.Name)))
    {
        try
        {
            await run();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The other rows still have something to say; the exit code tells that not all did.
            Console.Error.WriteLine($"\n{name}: failed: {e}");
            failed++;
        }
    }
}
finally
{
    Clean();
}

report.PrintTable();
return failed == 0 ? 0 : 1;

void Clean()
{
    if (Directory.Exists(directory))
    {
        Directory.Delete(directory, recursive: true);
    }
}
