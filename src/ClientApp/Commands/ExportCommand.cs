using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>export</c>.</summary>
internal static class ExportCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string?> file = new("FILE")
        {
            Description = "The file to write; left out or -, standard output.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<RecordFormat?> format = CommonSymbols.Format();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        var range = new RangeOptions();
        Option<bool> force = new("--force") { Description = "Replace the file when it exists." };
        return new ExampledCommand(
            host,
            "export",
            "Export records, all as of one moment. Importing the file again gives the same keys and values.",
            [
                "branching export shop shop.ndjson",
                "branching export shop --format tsv --branch topic | gzip > topic.tsv.gz",
                "branching export shop users.csv --prefix user/ --force",
            ],
            [database, file, format, branch, family, .. range.All, force],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                string? path = parsed.GetValue(file) is { } given and not "-" ? given : null;
                RecordFormat fileFormat = CommonSymbols.FormatOf(parsed.GetValue(format), path);
                if (path is not null && File.Exists(path) && !parsed.GetValue(force))
                {
                    throw new UserError(
                        ExitCode.Precondition,
                        $"the file '{path}' exists already",
                        "add --force to replace it",
                        "FileExists");
                }

                var request = new StreamRequest(
                    range.Parse(parsed, ByteNotation.Text), ColumnFamily: parsed.GetValue(family));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = Invocation.Store(session, invocation.Database!, parsed.GetValue(branch)!);
                return await RunAsync(invocation, store, request, fileFormat, path, cancellationToken);
            });
    }

    private static async Task<int> RunAsync(
        Invocation invocation,
        IStoreGrain store,
        StreamRequest request,
        RecordFormat format,
        string? path,
        CancellationToken cancellationToken)
    {
        long started = invocation.Host.Time.GetTimestamp();
        (long records, long bytes) = path is null
            ? await CopyAsync(invocation, store, request, format, invocation.Host.Output, cancellationToken)
            : await WriteFileAsync(invocation, store, request, format, path, cancellationToken);
        TimeSpan elapsed = invocation.Host.Time.GetElapsedTime(started);
        if (path is null)
        {
            invocation.Note($"exported {Screen.Count(records, "record")} in {Screen.Duration(elapsed)}");
        }
        else if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["file"] = path,
                ["format"] = format.ToString().ToLowerInvariant(),
                ["records"] = records,
                ["bytes"] = bytes,
                ["elapsedMs"] = Math.Round(elapsed.TotalMilliseconds, 1),
            });
        }
        else
        {
            await invocation.Host.Out.WriteLineAsync(
                $"exported {Screen.Count(records, "record")} ({Screen.Bytes(bytes)}) to {path} "
                + $"in {Screen.Duration(elapsed)}");
        }

        return ExitCode.Ok;
    }

    /// <summary>Writes beside the file and renames at the end: a reader never sees half of an export.</summary>
    private static async Task<(long Records, long Bytes)> WriteFileAsync(
        Invocation invocation,
        IStoreGrain store,
        StreamRequest request,
        RecordFormat format,
        string path,
        CancellationToken cancellationToken)
    {
        string partial = $"{path}.{Guid.NewGuid():N}.partial";
        try
        {
            (long, long) done;
            await using (var stream = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1))
            {
                done = await CopyAsync(invocation, store, request, format, stream, cancellationToken);
                stream.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
            return done;
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static Task<(long Records, long Bytes)> CopyAsync(
        Invocation invocation,
        IStoreGrain store,
        StreamRequest request,
        RecordFormat format,
        Stream stream,
        CancellationToken cancellationToken)
        => new ProgressDisplay(invocation).RunAsync("exporting", 0, async report =>
        {
            using RecordWriter writer = RecordWriter.Create(format, stream);
            long records = 0;
            await foreach (IReadOnlyList<Entry> page in store.StreamAsync(request, cancellationToken))
            {
                foreach (Entry entry in page)
                {
                    await writer.WriteAsync(entry.Key, entry.Value, cancellationToken);
                }

                records += page.Count;
                report(0, records);
            }

            await writer.FlushAsync(cancellationToken);
            return (records, writer.BytesWritten);
        });
}
