using System.Text;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Terminal;
using Branching.ClientApp.Transfer;
using Branching.Grains;

namespace Branching.ClientApp.Demo;

/// <summary>A database that the demo fills, with a model of every branch beside it.</summary>
internal sealed class DemoDatabase(DemoReport report, string name)
{
    public const string Staging = "staging";
    public const string Experiment = "experiment";
    public const string Deep = "experiment/deep";

    /// <summary>What each branch must hold.</summary>
    public Dictionary<string, DemoModel> Models { get; } = new(StringComparer.Ordinal);

    /// <summary>Creates the database, imports, branches, and changes every branch.</summary>
    public async Task FillAsync(
        IGrainFactory grains, ImportPlan plan, DemoModel imported, CancellationToken cancellationToken)
    {
        IDatabaseGrain database = grains.GetDatabase(name);
        await database.CreateAsync(new CreateDatabaseRequest(DatabaseCommands.Creator), cancellationToken);
        Importer importer = new(new WrittenImport(database), plan);
        ImportOutcome outcome = await report.StepAsync(
            "import", () => importer.WriteAsync((_, _) => { }, cancellationToken));
        if (outcome.Failure is { } failure)
        {
            throw failure;
        }

        Models[BranchKey.Main] = imported;
        await BranchAsync(grains, Staging, BranchKey.Main, null, cancellationToken);
        await BranchAsync(grains, Experiment, BranchKey.Main, null, cancellationToken);
        await ChangeAsync(grains, Experiment, 1, cancellationToken);
        await BranchAsync(grains, Deep, Experiment, null, cancellationToken);
        int round = 2;
        foreach (string branch in (string[])[BranchKey.Main, Staging, Experiment, Deep])
        {
            await ChangeAsync(grains, branch, round++, cancellationToken);
        }
    }

    /// <summary>Creates a branch.</summary>
    public async Task BranchAsync(
        IGrainFactory grains,
        string branch,
        string parent,
        BranchDurability? durability,
        CancellationToken cancellationToken)
    {
        var request = new CreateBranchRequest(parent, DatabaseCommands.Creator, Durability: durability);
        IBranchGrain grain = grains.GetBranch(name, branch);
        await report.StepAsync(
            $"branch {branch} from {parent}", async () => await grain.CreateAsync(request, cancellationToken));
        Models[branch] = Models[parent].Branch();
    }

    /// <summary>Overwrites every 97th key, removes every 89th and adds some, each branch beginning elsewhere.</summary>
    public async Task ChangeAsync(
        IGrainFactory grains, string branch, int round, CancellationToken cancellationToken)
    {
        DemoModel model = Models[branch];
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

        IStoreGrain store = StoreOf(grains, branch);
        await report.StepAsync($"change {Screen.Number(operations.Count)} keys in {branch}", async () =>
        {
            foreach (WriteOperation[] batch in operations.Chunk(100))
            {
                await store.WriteAsync(new WriteRequest(batch), cancellationToken);
            }
        });
        operations.ForEach(model.Apply);
    }

    /// <summary>Compares every key and value of every branch that has a model.</summary>
    /// <returns>How many differ.</returns>
    public async Task<int> CompareAllAsync(IGrainFactory grains, CancellationToken cancellationToken)
    {
        List<(string Branch, List<Difference> Differences)> found = [];
        foreach ((string branch, DemoModel model) in Models)
        {
            found.Add((branch, await model.CompareAsync(StoreOf(grains, branch), cancellationToken)));
        }

        // Told at the end: a comparison that a dying node interrupts is repeated from its beginning.
        found.ForEach(one => report.Tell(one.Branch, one.Differences));
        return found.Sum(one => one.Differences.Count);
    }

    public IStoreGrain StoreOf(IGrainFactory grains, string branch)
        => branch == BranchKey.Main ? grains.GetDatabase(name) : grains.GetBranch(name, branch);

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
