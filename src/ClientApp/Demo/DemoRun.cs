using System.Text.Json.Nodes;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Terminal;
using Branching.ClientApp.Transfer;
using Branching.Grains;

namespace Branching.ClientApp.Demo;

/// <summary>The steps of the demo, each timed, each checked.</summary>
internal sealed class DemoRun(Invocation invocation, string dataRoot)
{
    private const string Database = "demo";
    private const string Staging = "staging";
    private const string Experiment = "experiment";
    private const string Deep = "experiment/deep";
    private const int Branches = 3;
    private const int DifferencesShown = 5;

    private readonly CommandHost _host = invocation.Host;
    private readonly Dictionary<string, DemoModel> _models = new(StringComparer.Ordinal);
    private readonly List<string> _problems = [];
    private readonly JsonObject _elapsedMs = [];

    public string DataRoot { get; } = dataRoot;

    /// <summary>Runs all steps. The last line says what was found.</summary>
    public async Task<int> ExecuteAsync(
        string? file, RecordFormat? format, string? keyColumn, CancellationToken cancellationToken)
    {
        string scratch = Directory.CreateTempSubdirectory("branching-demo-input-").FullName;
        try
        {
            ImportPlan plan = await StepAsync(
                "read the data", () => PrepareAsync(file, format, keyColumn, scratch, cancellationToken));
            await using ImportFile input = plan.File;
            int records = _models[BranchKey.Main].Count;
            await using (ISession session = await OpenAsync(cancellationToken))
            {
                await DivergeAsync(session, plan, cancellationToken);
                await StepAsync("compare every store", () => CompareAllAsync(session, cancellationToken));
            }

            SortedSet<int> acknowledged = await StepAsync(
                "kill a writer", () => KilledWriter.RunAsync(DataRoot, Database, Experiment, cancellationToken));
            Say($"a process writing to '{Experiment}' was killed after "
                + $"{Screen.Number(acknowledged.Count)} acknowledged writes");
            (int lost, int leaked) = await RecoverAsync(acknowledged, cancellationToken);
            return Conclude(records, acknowledged.Count, lost, leaked);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
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
            _models[BranchKey.Main] = new DemoModel(ReadRecords(fromFile));
            Say($"data: {file}, {Screen.Number(_models[BranchKey.Main].Count)} records");
            return fromFile;
        }

        DemoRecords found = await DemoData.FindAsync(cancellationToken);
        Say($"data: {found.Source}, {Screen.Number(found.Records.Count)} records");
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

        _models[BranchKey.Main] = new DemoModel(found.Records);
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

    private async Task DivergeAsync(ISession session, ImportPlan plan, CancellationToken cancellationToken)
    {
        IDatabaseGrain database = session.Grains.GetDatabase(Database);
        await database.CreateAsync(new CreateDatabaseRequest(DatabaseCommands.Creator), cancellationToken);
        ImportOutcome imported = await StepAsync(
            "import", () => new Importer(database, plan).WriteAsync((_, _) => { }, cancellationToken));
        if (imported.Failure is { } failure)
        {
            throw failure;
        }

        await BranchAsync(session, Staging, BranchKey.Main, cancellationToken);
        await BranchAsync(session, Experiment, BranchKey.Main, cancellationToken);
        await ChangeAsync(session, Experiment, 1, cancellationToken);
        await BranchAsync(session, Deep, Experiment, cancellationToken);
        await ChangeAsync(session, BranchKey.Main, 2, cancellationToken);
        await ChangeAsync(session, Staging, 3, cancellationToken);
        await ChangeAsync(session, Experiment, 4, cancellationToken);
        await ChangeAsync(session, Deep, 5, cancellationToken);
    }

    private async Task BranchAsync(ISession session, string name, string parent, CancellationToken cancellationToken)
    {
        var request = new CreateBranchRequest(parent, DatabaseCommands.Creator);
        IBranchGrain branch = session.Grains.GetBranch(Database, name);
        await StepAsync(
            $"branch {name} from {parent}", async () => await branch.CreateAsync(request, cancellationToken));
        _models[name] = _models[parent].Branch();
    }

    /// <summary>Overwrites every 97th key, removes every 89th and adds some, each branch beginning elsewhere.</summary>
    private async Task ChangeAsync(ISession session, string branch, int round, CancellationToken cancellationToken)
    {
        DemoModel model = _models[branch];
        List<WriteOperation> operations = [];
        int position = 0;
        foreach (byte[] key in model.Keys)
        {
            position++;
            if ((position + (round * 13)) % 97 == 0)
            {
                operations.Add(
                    new WriteOperation(WriteOperationKind.Put, key, Text($"changed in {branch}, round {round}")));
            }
            else if ((position + (round * 7)) % 89 == 0)
            {
                operations.Add(new WriteOperation(WriteOperationKind.Delete, key, default));
            }
        }

        for (int i = 0; i < 200; i++)
        {
            operations.Add(new WriteOperation(
                WriteOperationKind.Put, Text($"added/{branch}/{round}/{i:D4}"), Text($"only in {branch}: {i}")));
        }

        IStoreGrain store = Invocation.Store(session, Database, branch);
        await StepAsync($"change {Screen.Number(operations.Count)} keys in {branch}", async () =>
        {
            foreach (WriteOperation[] batch in operations.Chunk(100))
            {
                await store.WriteAsync(new WriteRequest(batch), cancellationToken);
            }

            return 0;
        });
        operations.ForEach(model.Apply);
    }

    private async Task<int> CompareAllAsync(ISession session, CancellationToken cancellationToken)
    {
        int differing = 0;
        foreach ((string branch, DemoModel model) in _models)
        {
            IStoreGrain store = Invocation.Store(session, Database, branch);
            List<Difference> differences = await model.CompareAsync(store, cancellationToken);
            Tell(branch, differences);
            differing += differences.Count;
        }

        return differing;
    }

    private async Task<(int Lost, int Leaked)> RecoverAsync(
        SortedSet<int> acknowledged, CancellationToken cancellationToken)
    {
        await using ISession session = await StepAsync("reopen", () => OpenAsync(cancellationToken));
        DemoModel before = _models[Experiment];
        var plan = new CrashPlan([.. before.Keys]);
        DemoModel after = before.Branch();
        foreach (int index in acknowledged)
        {
            after.Apply(plan[index]);
        }

        _models.Remove(Experiment);
        (int lost, int leaked) = await StepAsync("verify every acknowledged write", async () =>
        {
            List<Difference> differences = await after.CompareAsync(
                Invocation.Store(session, Database, Experiment), cancellationToken);
            CrashVerdict verdict = CrashVerdict.Of(plan, acknowledged, DemoWriterCommand.Writers, differences);
            Tell(Experiment, verdict.Unexplained);
            int elsewhere = await CompareAllAsync(session, cancellationToken);
            Say($"'{Experiment}' holds {Screen.Number(verdict.Unacknowledged)} writes that were under way "
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
        Say("");
        Say($"space: {sizes.Count} stores of {Screen.Bytes(total)} together; {Screen.Bytes(shared)} of that are files "
            + "shared by hard links");
        Say("");
    }

    private int Conclude(int records, int acknowledged, int lost, int leaked)
    {
        bool ok = _problems.Count == 0 && lost == 0 && leaked == 0;
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
                ["problems"] = new JsonArray([.. _problems.Select(problem => (JsonNode)problem)]),
                ["elapsedMs"] = _elapsedMs,
            });
            return ok ? ExitCode.Ok : ExitCode.Failed;
        }

        if (!ok)
        {
            foreach (string problem in _problems)
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

    private void Tell(string branch, List<Difference> differences)
    {
        foreach (Difference difference in differences.Take(DifferencesShown))
        {
            _problems.Add(
                $"{branch}: key '{ByteText.ToLine(difference.Key)}' should have {Shown(difference.Expected)} "
                + $"and has {Shown(difference.Actual)}");
        }

        if (differences.Count > DifferencesShown)
        {
            _problems.Add($"{branch}: {Screen.Number(differences.Count - DifferencesShown)} more differences");
        }
    }

    private static string Shown(byte[]? value)
        => value is null ? "no value" : $"'{ByteText.ToLine(value.AsSpan(0, Math.Min(value.Length, 60)))}'";

    private async Task<T> StepAsync<T>(string name, Func<Task<T>> step)
    {
        long started = _host.Time.GetTimestamp();
        T result = await step();
        TimeSpan elapsed = _host.Time.GetElapsedTime(started);
        _elapsedMs[name] = Math.Round(elapsed.TotalMilliseconds, 1);
        Say($"{Screen.Duration(elapsed),10}  {name}");
        return result;
    }

    private void Say(string text)
    {
        if (!invocation.Json)
        {
            _host.Out.WriteLine(text);
            _host.Out.Flush();
        }
    }

    private static byte[] Text(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
