using System.Text.Json.Nodes;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Terminal;
using Branching.ClientApp.Transfer;
using Branching.Grains;

namespace Branching.ClientApp.Demo;

/// <summary>The steps of the demo, each timed, each checked.</summary>
internal sealed class DemoRun(Invocation invocation, string dataRoot, bool keep)
{
    private const string Database = "demo";
    private const string Experiment = DemoDatabase.Experiment;
    private const int Branches = 3;

    private readonly CommandHost _host = invocation.Host;
    private readonly DemoReport _report = new(invocation);

    public string DataRoot { get; } = dataRoot;

    private DemoDatabase Store => field ??= new DemoDatabase(_report, Database);

    private Dictionary<string, DemoModel> Models => Store.Models;

    /// <summary>Runs all steps. The last line says what was found.</summary>
    public async Task<int> ExecuteAsync(
        string? file, RecordFormat? format, string? keyColumn, CancellationToken cancellationToken)
    {
        string scratch = Directory.CreateTempSubdirectory("branching-demo-input-").FullName;
        try
        {
            ImportPlan plan = await _report.StepAsync(
                "read the data", () => PrepareAsync(file, format, keyColumn, scratch, cancellationToken));
            await using ImportFile input = plan.File;
            DemoModel imported = Models[BranchKey.Main];
            int records = imported.Count;
            DemoModel again = imported.Branch();
            await using (ISession session = await OpenAsync(cancellationToken))
            {
                await Store.FillAsync(session.Grains, plan, imported, cancellationToken);
                await _report.StepAsync(
                    "compare every store", () => Store.CompareAllAsync(session.Grains, cancellationToken));
            }

            SortedSet<int> acknowledged = await _report.StepAsync(
                "kill a writer", () => KilledWriter.RunAsync(DataRoot, Database, Experiment, cancellationToken));
            _report.Say($"a process writing to '{Experiment}' was killed after "
                + $"{Screen.Number(acknowledged.Count)} acknowledged writes");
            (int lost, int leaked) = await RecoverAsync(acknowledged, cancellationToken);
            JsonObject failover = await FailOverAsync(plan, again, cancellationToken);
            return Conclude(records, acknowledged.Count, lost, leaked, failover);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private async Task<JsonObject> FailOverAsync(
        ImportPlan plan, DemoModel imported, CancellationToken cancellationToken)
    {
        _report.Begin("failover");
        string cluster = Directory.CreateTempSubdirectory("branching-demo-cluster-").FullName;
        try
        {
            return await new FailoverDemo(_host, _report, cluster).RunAsync(plan, imported, cancellationToken);
        }
        finally
        {
            if (keep)
            {
                invocation.Note($"the nodes' data and shared storage are in {cluster}");
            }
            else
            {
                Directory.Delete(cluster, recursive: true);
            }
        }
    }

    private Task<ISession> OpenAsync(CancellationToken cancellationToken)
        => _host.Connect(new SessionTarget(DataRoot, null), cancellationToken);

    /// <summary>
    /// Makes the model and a file to import; the model comes from the source, not from what import read.
    /// </summary>
    private async Task<ImportPlan> PrepareAsync(
        string? file, RecordFormat? format, string? keyColumn, string scratch, CancellationToken cancellationToken)
    {
        if (file is not null)
        {
            RecordFormat known = CommonSymbols.FormatOf(format, file);
            ImportFile given = await ImportFile.OpenAsync(file, _host.Input, cancellationToken);
            var fromFile = new ImportPlan(given, known, keyColumn, null, SkipBad: false);
            Models[BranchKey.Main] = new DemoModel(ReadRecords(fromFile));
            _report.Say($"data: {file}, {Screen.Number(Models[BranchKey.Main].Count)} records");
            return fromFile;
        }

        DemoRecords found = await DemoData.FindAsync(cancellationToken);
        _report.Say($"data: {found.Source}, {Screen.Number(found.Records.Count)} records");
        string path = Path.Combine(scratch, "records.tsv");
        await using (FileStream stream = File.Create(path))
        {
            using RecordWriter writer = RecordWriter.Create(RecordFormat.Tsv, stream);
            foreach ((byte[] key, byte[] value) in found.Records)
            {
                await writer.WriteAsync(key, value, cancellationToken);
            }

            await writer.FlushAsync(cancellationToken);
        }

        Models[BranchKey.Main] = new DemoModel(found.Records);
        ImportFile written = await ImportFile.OpenAsync(path, _host.Input, cancellationToken);
        return new ImportPlan(written, RecordFormat.Tsv, null, null, SkipBad: false);
    }

    private static SortedDictionary<byte[], byte[]> ReadRecords(ImportPlan plan)
    {
        var records = new SortedDictionary<byte[], byte[]>(ByteOrder.Instance);
        using RecordReader reader = plan.File.Read(plan.Format, plan.KeyColumn);
        for (ReadOutcome outcome = reader.Read(); outcome != ReadOutcome.End; outcome = reader.Read())
        {
            if (outcome == ReadOutcome.Malformed)
            {
                throw new UserError(
                    ExitCode.Malformed, $"{plan.File.Name}: {reader.Malformed}", "mend the file", "ImportMalformed");
            }

            records[reader.Key.ToArray()] = reader.Value.ToArray();
        }

        return records;
    }

    private async Task<(int Lost, int Leaked)> RecoverAsync(
        SortedSet<int> acknowledged, CancellationToken cancellationToken)
    {
        await using ISession session = await _report.StepAsync("reopen", () => OpenAsync(cancellationToken));
        DemoModel before = Models[Experiment];
        var plan = new CrashPlan([.. before.Keys]);
        DemoModel after = before.Branch();
        foreach (int index in acknowledged)
        {
            after.Apply(plan[index]);
        }

        Models.Remove(Experiment);
        (int lost, int leaked) = await _report.StepAsync("verify every acknowledged write", async () =>
        {
            List<Difference> differences = await after.CompareAsync(
                Invocation.Store(session, Database, Experiment), cancellationToken);
            CrashVerdict verdict = CrashVerdict.Of(plan, acknowledged, DemoWriterCommand.Writers, differences);
            _report.Tell(Experiment, verdict.Unexplained);
            int elsewhere = await Store.CompareAllAsync(session.Grains, cancellationToken);
            _report.Say($"'{Experiment}' holds {Screen.Number(verdict.Unacknowledged)} writes that were under way "
                + "and not yet acknowledged");
            return (verdict.Lost, verdict.Unexplained.Count - verdict.Lost + elsewhere);
        });
        await ShowAsync(session, cancellationToken);
        return (lost, leaked);
    }

    private async Task ShowAsync(ISession session, CancellationToken cancellationToken)
    {
        IReadOnlyList<BranchDescription> lineage = await session.Grains.GetDatabase(Database)
            .GetLineageAsync(cancellationToken);
        var sizes = new Dictionary<string, BranchSize>(StringComparer.Ordinal);
        foreach (BranchDescription branch in lineage)
        {
            BranchDescription described = await session.Grains.GetBranch(Database, branch.Name)
                .DescribeAsync(includeSize: true, cancellationToken);
            sizes[branch.Name] = described.Size ?? new BranchSize(0, 0, 0, 0);
        }

        if (invocation.Json)
        {
            return;
        }

        await _host.Out.WriteLineAsync();
        LineageTree.Draw(_host, lineage, branch =>
            $"{Screen.Bytes(sizes[branch.Name].TotalBytes)}, {Screen.Bytes(sizes[branch.Name].UniqueBytes)} its own");
        long shared = sizes.Values.Sum(size => size.SharedBytes);
        long total = sizes.Values.Sum(size => size.TotalBytes);
        _report.Say("");
        _report.Say($"space: {sizes.Count} stores of {Screen.Bytes(total)} together; {Screen.Bytes(shared)} of that "
            + "are files shared by hard links");
        _report.Say("");
    }

    private int Conclude(int records, int acknowledged, int lost, int leaked, JsonObject failover)
    {
        bool ok = _report.Problems.Count == 0 && lost == 0 && leaked == 0;
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                ["ok"] = ok,
                ["records"] = records,
                ["branches"] = Branches,
                ["acknowledged"] = acknowledged,
                ["lost"] = lost,
                ["leaked"] = leaked,
                ["problems"] = new JsonArray([.. _report.Problems.Select(problem => (JsonNode)problem)]),
                ["failover"] = failover,
                ["elapsedMs"] = _report.ElapsedMs,
            });
            return ok ? ExitCode.Ok : ExitCode.Failed;
        }

        if (!ok)
        {
            foreach (string problem in _report.Problems)
            {
                _host.Out.WriteLine(problem);
            }
        }

        string verdict = ok ? "ok" : "FAILED";
        _host.Out.WriteLine(
            $"demo {verdict}: {records} records, {Branches} branches, {acknowledged} acknowledged writes verified, "
            + $"{lost} lost, {leaked} leaked");
        return ok ? ExitCode.Ok : ExitCode.Failed;
    }
}
