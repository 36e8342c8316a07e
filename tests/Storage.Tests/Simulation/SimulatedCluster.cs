using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;
using Branching.Storage.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Simulation;

/// <summary>What was broken, and when.</summary>
internal sealed class InvariantBrokenException(string message) : Exception(message);

/// <summary>Nodes that own one database in turn, and what must be true whatever happens to them.</summary>
internal sealed class SimulatedCluster
{
    public static readonly DatabaseName Name = DatabaseName.Parse("shop");
    public static readonly DatabaseId Id = DatabaseId.Parse("0123456789abcdef0123456789abcdef");

    private static readonly ConcurrentDictionary<string, string> _digests = new(StringComparer.Ordinal);

    private readonly SimulatedWorld _world;
    private readonly MemorySharedStorage _memory;
    private readonly DatabasePaths _paths = new(Name, Id);
    private readonly SnapshotRepository _observer;
    private readonly SharedCatalog _observedCatalog;
    private readonly Dictionary<SnapshotId, IReadOnlyList<SnapshotFile>> _acknowledged = [];
    private readonly HashSet<SnapshotId> _forbidden = [];
    private readonly HashSet<string> _policies = [];
    private readonly List<(SimulatedProcess Process, Tenure Tenure)> _tenures = [];
    private Epoch _answering;
    private Epoch _entered;
    private long _lastAnswered;
    private bool _dirty;

    public SimulatedCluster(int seed, ProtocolRules rules, double lateDeletions = 0.05)
    {
        _world = new SimulatedWorld(seed) { AfterEvent = CheckAfterEvent, LateDeletions = lateDeletions };
        Rules = rules;
        SimulatedProcess clock = new(_world, 0, 0);
        _memory = new MemorySharedStorage(clock);
        _observer = new SnapshotRepository(_memory, Name, Id, clock, NullLogger.Instance, rules);
        _observedCatalog = new SharedCatalog(_memory, Name, Id, NullLogger.Instance);
    }

    public SimulatedWorld World => _world;

    public ProtocolRules Rules { get; }

    public SimulationCounts Counts { get; } = new();

    public void Run()
    {
        int nodes = _world.Random.Next(2, 4);
        for (int node = 1; node <= nodes; node++)
        {
            new SimulatedNode(this, node).Start(life: 1);
        }

        _world.Run(_world.Now + TimeSpan.FromSeconds(90));
        CheckSnapshots();
        CheckCatalog(Await(_observedCatalog.ReadAsync(default)), CataloguedSoFar());
    }

    public SimulatedStorage Connect(SimulatedProcess process) => new(_world, process, _memory, OnEffect);

    public void Serves(SimulatedProcess process, Tenure tenure)
    {
        _tenures.Add((process, tenure));
        Counts.Tenures++;
    }

    /// <summary>(e) A copy that goes on holds every write that was answered since a restored one began to serve: that
    /// one told what it lacked.</summary>
    public void EntersWith(SimulatedCopy copy, Epoch epoch)
    {
        if (epoch < _entered)
        {
            return; // It hears of its entry only now, after a pause: it will be fenced.
        }

        _entered = epoch;
        _lastAnswered = copy.WasServed ? _lastAnswered : 0;
        Require(
            copy.Last >= _lastAnswered,
            $"a copy goes on that ends with write {copy.Last}, and write {_lastAnswered} was answered");
    }

    /// <summary>(a) Nobody answers after a later owner has answered.</summary>
    public void Answered(Tenure tenure, long write)
    {
        _lastAnswered = write;
        Require(tenure.Epoch >= _answering, $"epoch {tenure.Epoch} answered after epoch {_answering} had");
        _answering = tenure.Epoch;
        Counts.Answers++;
    }

    public void Published(SnapshotId id, IReadOnlyList<SnapshotFile> files)
    {
        _acknowledged.Add(id, files);
        Counts.Publications++;
        _dirty = true;
    }

    /// <summary>From here on it may be gone: the outcome of a retirement can be unknown.</summary>
    public void Retires(SnapshotId id)
    {
        _acknowledged.Remove(id);
        Counts.Retirements++;
    }

    public List<SnapshotId> Acknowledged() => [.. _acknowledged.Keys.Order()];

    public void Catalogued(string key)
    {
        _policies.Add(key);
        Counts.Changes++;
    }

    /// <summary>What was acknowledged before somebody begins to take over.</summary>
    public IReadOnlyList<string> CataloguedSoFar() => [.. _policies];

    /// <summary>(d) Every acknowledged change is in the state of every later owner.</summary>
    public void CheckCatalog(CatalogState state, IReadOnlyList<string> acknowledged)
    {
        string? lost = acknowledged.FirstOrDefault(key => !state.Policies.ContainsKey(key));
        Require(lost is null, $"the acknowledged change {lost} of the catalog is lost");
    }

    public static string DigestOf(string content) => _digests.GetOrAdd(
        content, static content => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(content))));

    private void OnEffect(string kind, string name, bool happened)
    {
        if (!happened || name.Contains("/leases/", StringComparison.Ordinal))
        {
            return;
        }

        _dirty |= kind != "put" || !name.Contains("/objects/", StringComparison.Ordinal);
        Counts.Deletions += kind == "delete" ? 1 : 0;
        if (kind == "put" && name.StartsWith(_paths.Snapshots + "/", StringComparison.Ordinal))
        {
            string[] parts = name.Split('/');
            if (DatabasePaths.TryPair(parts[^1], out ulong epoch, out ulong number, out string rest)
                && rest == DatabasePaths.Suffix && HasHeadsAfter(epoch))
            {
                Counts.Fenced++;
                _forbidden.Add(new SnapshotId(StoreId.Parse(parts[^2]), new Epoch(epoch), number));
            }
        }
    }

    private bool HasHeadsAfter(ulong epoch) => _memory.Names.Any(name =>
        name.EndsWith(DatabasePaths.HeadsSuffix, StringComparison.Ordinal)
        && ulong.Parse(name.Split('/')[^1][..20]) > epoch);

    private void CheckAfterEvent()
    {
        _tenures.RemoveAll(t => t.Process.Crashed || t.Tenure.EndCause is not null);
        int valid = _tenures.Count(t => t.Tenure.IsValid);
        Require(valid <= 1, $"{valid} owners may answer at once: " +
            string.Join(", ", _tenures.Where(t => t.Tenure.IsValid)
                .Select(t => $"{t.Process.Id} in {t.Tenure.Epoch}")));
        if (_dirty)
        {
            _dirty = false;
            CheckSnapshots();
        }
    }

    private void CheckSnapshots()
    {
        Counts.Checks++;
        SnapshotView view = Await(_observer.ReadAsync(default));
        HashSet<SnapshotId> valid = [.. view.Snapshots.Select(s => s.Id)];
        foreach (SnapshotId id in _acknowledged.Keys)
        {
            Require(valid.Contains(id), $"the acknowledged snapshot {id} does not exist");
        }

        foreach (SnapshotManifest snapshot in view.Snapshots)
        {
            Require(!_forbidden.Contains(snapshot.Id), $"{snapshot.Id} was put by a fenced owner, and counts");
            foreach (SnapshotFile file in snapshot.Files)
            {
                byte[]? content = _memory.Peek($"{_paths.Root}/{file.ObjectName}");
                Require(content is not null, $"{snapshot.Id} needs {file.ObjectName}, which is gone");
                Require(
                    DigestOf(Encoding.ASCII.GetString(content!)) == file.Sha256,
                    $"{file.ObjectName} of {snapshot.Id} has another content");
            }
        }
    }

    private static T Await<T>(Task<T> task)
    {
        Assert.True(task.IsCompleted);
        return task.GetAwaiter().GetResult();
    }

    private void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvariantBrokenException($"At {_world.Now - TimeSpan.FromDays(1)}: {what}.");
        }
    }
}

/// <summary>What happened in a schedule, to show that it was no idle one.</summary>
internal sealed class SimulationCounts
{
    public int Tenures { get; set; }

    public int Answers { get; set; }

    public int Publications { get; set; }

    public int Retirements { get; set; }

    public int Changes { get; set; }

    public int Deletions { get; set; }

    public int Fenced { get; set; }

    public int Kept { get; set; }

    public int FailedRestores { get; set; }

    public int Checks { get; set; }

    public int Pauses { get; set; }

    public int Crashes { get; set; }

    public void Add(SimulationCounts other)
    {
        Tenures += other.Tenures;
        Answers += other.Answers;
        Publications += other.Publications;
        Retirements += other.Retirements;
        Changes += other.Changes;
        Deletions += other.Deletions;
        Fenced += other.Fenced;
        Kept += other.Kept;
        FailedRestores += other.FailedRestores;
        Checks += other.Checks;
        Pauses += other.Pauses;
        Crashes += other.Crashes;
    }

    public override string ToString() =>
        $"{Tenures} tenures, {Answers} answers, {Publications} publications, {Retirements} retirements, {Changes} " +
        $"catalog changes, {Deletions} deletions, {Fenced} manifests put by fenced owners, {Kept} copies that " +
        $"went on, {FailedRestores} restores that failed, {Pauses} pauses, " +
        $"{Crashes} crashes, {Checks} checks of all snapshots";
}
