using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.LocalStores;
using Branching.Storage.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Ownership;

/// <summary>A database on shared storage in memory, and nodes that own it by a clock the test moves.</summary>
internal sealed class SharedShop
{
    public static readonly DatabaseName Name = DatabaseName.Parse("shop");
    public static readonly DatabaseId Id = DatabaseId.Parse("0123456789abcdef0123456789abcdef");
    public static readonly StoreId Store = StoreId.Parse(new string('a', 32));

    public ManualTime Time { get; } = new();

    public MemorySharedStorage Memory { get; } = new();

    public DatabasePaths Paths { get; } = new(Name, Id);

    public OwnershipOptions Options { get; } = new();

    public DatabaseOwnership Ownership => new(Memory, Name, Id, Options, Time, NullLogger.Instance);

    public SnapshotRepository Repository => new(Memory, Name, Id, Time, NullLogger.Instance);

    public SharedCatalog Catalog => new(Memory, Name, Id, NullLogger.Instance);

    public static OwnerIdentity Node(string name, int process = 1) => new(name, $"id-{name}", $"{name}-{process}");

    public Task<Claim> ClaimAsync(string node, ClaimOptions? options = null, int process = 1) =>
        Ownership.ClaimAsync(Node(node, process), options ?? new ClaimOptions(), default);

    public async Task<Tenure> OwnAsync(string node, ClaimOptions? options = null, int process = 1) =>
        await (await ClaimAsync(node, options, process)).ServeAsync(default);

    /// <summary>Takes it from whoever has it, as after a death of that node.</summary>
    public async Task<Tenure> TakeOverAsync(string node)
    {
        Task<Claim> claiming = ClaimAsync(node, new ClaimOptions(WaitForLease: false));
        Task<Tenure> serving = (await claiming).ServeAsync(default);
        await PassAsync(serving);
        return await serving;
    }

    /// <summary>Moves the clock until a task ends.</summary>
    public async Task PassAsync(Task task)
    {
        for (int i = 0; i < 1000 && !task.IsCompleted; i++)
        {
            Time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }

        Assert.True(task.IsCompleted, "The task did not end within 50 seconds by its own clock.");
    }

    /// <summary>Publishes a snapshot of files with these contents.</summary>
    public async Task<SnapshotId> PublishAsync(Tenure tenure, params string[] contents)
    {
        SnapshotRepository repository = Repository;
        using Publication publication = await repository.BeginPublicationAsync(tenure, default);
        List<SnapshotFile> files = [];
        foreach (string content in contents)
        {
            string sha256 = Simulation.SimulatedCluster.DigestOf(content);
            string? name = publication.FindObject(sha256);
            if (name is null)
            {
                name = publication.NameObject(sha256);
                await Memory.PutIfAbsentAsync(
                    publication.FullNameOf(name), System.Text.Encoding.ASCII.GetBytes(content), default);
                publication.Uploaded(sha256, name);
            }

            files.Add(new SnapshotFile($"{files.Count:d6}.sst", SnapshotFileRole.Table, content.Length, sha256, name));
        }

        return await repository.PublishAsync(tenure, Draft(files), default);
    }

    public static SnapshotManifest Draft(IReadOnlyList<SnapshotFile> files) => new(
        1, "1.2.3", Id, Name, new SnapshotId(Store, default, 0), BranchName.Parse("feature/x"),
        StoreId.Parse(new string('b', 32)), new Sequence(7), 1, new Sequence(12), DateTimeOffset.UnixEpoch, "node",
        "7.8.3", new OptionsFingerprint([new FamilyFingerprint("default", "bytewise", "add")]), files,
        files.Sum(f => f.Bytes), 3, new Dictionary<string, string>(StringComparer.Ordinal) { ["why"] = "größer" });
}
