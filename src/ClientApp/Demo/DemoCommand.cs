using System.CommandLine;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Formats;

namespace Branching.ClientApp.Demo;

/// <summary><c>demo</c>: the main job on real data, checked.</summary>
internal static class DemoCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string?> file = new("FILE")
        {
            Description = "A tsv, csv or ndjson file; left out, this machine's package list or another real source.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<RecordFormat?> format = CommonSymbols.Format();
        Option<string?> key = new("--key", "-k")
        {
            Description = "The file's key column or field.",
            HelpName = "COLUMN",
        };
        Option<bool> keep = new("--keep") { Description = "Keep the data directory." };
        return new ExampledCommand(
            host,
            "demo",
            "Import real data, branch it, kill a writer, kill a node, and check every store against a model.",
            ["branching demo", "branching demo products.csv --key sku", "branching demo --data /tmp/demo --keep"],
            [file, format, key, keep],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                if (invocation.Target.Cluster is not null)
                {
                    throw new UserError(
                        ExitCode.Usage,
                        "demo kills a process of its own and does not run on a cluster",
                        "branching demo");
                }

                bool temporary = !invocation.DataIsExplicit;
                string root = temporary
                    ? Directory.CreateTempSubdirectory("branching-demo-").FullName
                    : Path.GetFullPath(invocation.Target.DataRoot);
                var run = new DemoRun(invocation, Path.Combine(root, temporary ? "data" : ""), parsed.GetValue(keep));
                try
                {
                    return await run.ExecuteAsync(
                        parsed.GetValue(file), parsed.GetValue(format), parsed.GetValue(key), cancellationToken);
                }
                finally
                {
                    if (temporary && !parsed.GetValue(keep))
                    {
                        Directory.Delete(root, recursive: true);
                    }
                    else
                    {
                        invocation.Note($"the data is in {run.DataRoot}");
                    }
                }
            });
    }
}
