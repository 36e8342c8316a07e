using Branching.Storage;

namespace Branching.Grains;

/// <content>How the store is, and opening it anew.</content>
internal sealed partial class StoreCalls
{
    public ValueTask<StoreHealth> GetHealthAsync(CancellationToken cancellationToken) => RunAsync(
        0,
        static async (self, _, cancellationToken) =>
        {
            Database found = await self.GetDatabaseAsync(cancellationToken);
            return HealthOf(await found.ExamineAsync(BranchName.Parse(self.Branch), cancellationToken));
        },
        cancellationToken);

    public ValueTask<StoreHealth> ReopenAsync(CancellationToken cancellationToken) => RunAsync(
        0,
        static async (self, _, cancellationToken) =>
        {
            Database found = await self.GetDatabaseAsync(cancellationToken);
            using WriteGate.Change change = self.BeginChange();

            // Open streams hold the store; they are this grain's own and end with it.
            await self.CloseStreamsAsync();
            return HealthOf(await found.ReopenAsync(BranchName.Parse(self.Branch), cancellationToken));
        },
        cancellationToken);

    public ValueTask<string?> GetPropertyAsync(string name, string? columnFamily, CancellationToken cancellationToken)
        => OnStoreAsync(
            (name, columnFamily),
            static async (_, branch, what, cancellationToken) =>
            {
                GrainFailure.ThrowIfMissing(what.name, "The name of the property");
                return await Task.Run(
                    () => branch.Store.GetProperty(what.columnFamily, what.name), cancellationToken);
            },
            cancellationToken);

    private string Branch => branch;

    private static StoreHealth HealthOf(StoreHealthReport report) => new(
        (StoreCondition)(int)report.Condition, report.Causes.ToArray(), report.NeedsRestart, report.Directory);
}
