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
try
{
    if (options.Includes("binding"))
    {
        new BindingBench(options, report, peer, directory).Run();
    }

    if (options.Includes("store"))
    {
        await new StoreBench(options, report, peer, directory).RunAsync();
    }

    if (options.Includes("branch"))
    {
        await new BranchBench(options, report, directory).RunAsync();
    }
}
finally
{
    Directory.Delete(directory, recursive: true);
}

report.PrintTable();
return 0;
