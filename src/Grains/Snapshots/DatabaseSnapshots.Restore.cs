using Branching.Storage;
using Branching.Storage.Snapshots;

namespace Branching.Grains;

/// <content>Putting snapshots back.</content>
internal sealed partial class DatabaseSnapshots
{
    /// <summary>Restores as asked; what is wrong with the request is found before anything is fetched.</summary>
    public async Task<RestoreOutcome> RestoreAsync(
        RestoreRequest request, Operation? operation, CancellationToken cancellationToken)
    {
        Check(request);
        SnapshotView view = await Repository.ReadAsync(cancellationToken);
        SnapshotManifest named = Find(request, view);
        List<SnapshotManifest> wanted = request.WholeDatabase ? WithBranches(named, view) : [named];
        foreach (SnapshotManifest one in wanted)
        {
            ThrowIfTaken(request, TargetOf(request, one));
        }

        List<RestoreReport> reports = [];
        foreach (SnapshotManifest one in wanted)
        {
            operation?.Report($"restoring branch '{one.Branch}' ({reports.Count + 1} of {wanted.Count})");
            reports.Add(await _root.RestoreAsync(
                Database.Name,
                new Storage.RestoreRequest(
                    one.Id,
                    request.RequestedBy,
                    request.IntoDatabase is null ? TargetOf(request, one) : null,
                    request.IntoDatabase is { } name ? DatabaseName.Parse(name) : null,
                    request.DryRun,
                    OpenCheck: true),
                Progress(operation),
                cancellationToken));
        }

        return Outcome(request, reports);
    }

    private static void Check(RestoreRequest request)
    {
        Descriptions.CheckCreatedBy(request.RequestedBy);
        if (request.IntoDatabase is not null && (request.IntoBranch is not null || request.WholeDatabase))
        {
            throw GrainFailure.Refused(
                "A new database is restored from one snapshot, which becomes its main store: leave IntoBranch and " +
                "WholeDatabase out.");
        }

        if (request.WholeDatabase && request.IntoBranch is not null)
        {
            throw GrainFailure.Refused("WholeDatabase restores each branch into itself: leave IntoBranch out.");
        }

        if (request.Options is { Count: > 0 })
        {
            throw new StorageException(
                Storage.FailureKind.NotSupported,
                "A restored store is opened with the options of its node: set them there, in Branching:Storage.");
        }

        if (request.FromDirectory is { } directory)
        {
            throw new StorageException(
                Storage.FailureKind.NotSupported,
                $"Snapshots are restored from the shared storage of the node. Start a node with " +
                $"{SharedStorageOptions.Section}:Directory set to '{directory}' and restore there.");
        }
    }

    private SnapshotManifest Find(RestoreRequest request, SnapshotView view)
    {
        if (request.SnapshotId is { } text)
        {
            SnapshotId id = SnapshotId.Parse(text);
            return view.Snapshots.FirstOrDefault(one => one.Id == id) ?? throw NotFound(
                $"snapshot {text}", view.Damaged.FirstOrDefault(one => one.Id == id)?.Reason, view);
        }

        string branch = request.SourceBranch ?? BranchKey.Main;
        IEnumerable<SnapshotManifest> candidates = view.Snapshots.Where(
            one => one.Branch.Value == branch && (request.At is not { } at || one.TakenAt <= at));
        string until = request.At is { } time ? $" taken until {time.UtcDateTime:u}" : "";
        return candidates.MaxBy(one => one.TakenAt) ?? throw NotFound(
            $"snapshot of branch '{branch}'{until}", null, view);
    }

    private StorageException NotFound(string what, string? damage, SnapshotView view)
    {
        if (damage is not null)
        {
            return new StorageException(
                Storage.FailureKind.SnapshotDamaged,
                $"There is a {what} of database '{Database.Name}', but it cannot be used: {damage}");
        }

        string[] near = [.. view.Snapshots.OrderByDescending(one => one.TakenAt).Take(3)
            .Select(one => $"{one.Id} of branch '{one.Branch}' ({one.TakenAt.UtcDateTime:u})")];
        return new StorageException(
            Storage.FailureKind.SnapshotNotFound,
            $"There is no {what} of database '{Database.Name}'. " +
            (near.Length == 0 ? "It has no snapshots." : $"The newest are: {string.Join(", ", near)}."));
    }

    /// <summary>The snapshot, and for each other living branch its newest one that is not later.</summary>
    private List<SnapshotManifest> WithBranches(SnapshotManifest named, SnapshotView view)
    {
        List<SnapshotManifest> wanted = [named];
        foreach (BranchRecord record in Database.ListBranches().Where(record => record.Id != named.Id.Store))
        {
            if (view.Snapshots.Where(one => one.Id.Store == record.Id && one.TakenAt <= named.TakenAt)
                .MaxBy(one => one.TakenAt) is { } older)
            {
                wanted.Add(older);
            }
        }

        return wanted;
    }

    private static BranchName TargetOf(RestoreRequest request, SnapshotManifest one) =>
        request.IntoBranch is { } name ? BranchName.Parse(name) : one.Branch;

    private void ThrowIfTaken(RestoreRequest request, BranchName target)
    {
        if (request.IntoDatabase is null && !request.Replace && !request.DryRun
            && Database.TryGetBranch(target, out BranchRecord? there) && there.State != Storage.BranchState.Lost)
        {
            throw new StorageException(
                Storage.FailureKind.BranchExists,
                $"Branch '{target}' of database '{Database.Name}' exists: nothing was restored. Say that it is to be " +
                $"replaced (it is put into quarantine then), or name a new branch or database.");
        }
    }

    private static RestoreOutcome Outcome(RestoreRequest request, List<RestoreReport> reports)
    {
        List<string> steps = [];
        foreach (RestoreReport report in reports)
        {
            steps.Add(
                $"fetch {report.Plan.FilesToFetch} files, {report.Plan.BytesToFetch} bytes, of snapshot " +
                $"{report.Snapshot}");
            if (report.Replaced is { } replaced)
            {
                steps.Add(
                    $"set the store {replaced} of branch '{report.Branch}', at sequence {report.ReplacedSequence}, " +
                    $"aside{(report.Quarantine is { } place ? $" in '{place}'" : "")}");
            }

            steps.Add($"put it in place as branch '{report.Branch}' of database '{report.Database}' at sequence " +
                $"{report.Sequence}");
            steps.AddRange(report.Plan.Problems.Select(problem => $"not possible: {problem}"));
        }

        return new RestoreOutcome(
            request.DryRun,
            reports[0].Database.Value,
            reports.Select(report => new RestoredStore(
                report.Branch.Value, report.Snapshot.ToString(), report.Sequence.Value, report.Plan.BytesToFetch,
                report.Plan.TotalBytes - report.Plan.BytesToFetch)).ToArray(),
            reports.Sum(report => report.Plan.BytesNeeded),
            reports[0].Plan.BytesAvailable,
            reports.Select(report => report.Quarantine).FirstOrDefault(place => place is not null),
            steps);
    }
}
