using Branching.Storage;
using Branching.Storage.Snapshots;

namespace Branching.Grains;

/// <summary>Puts snapshots back: finds what is meant, has it restored, and says what was done.</summary>
/// <param name="root">Where to.</param>
/// <param name="name">The database that was asked.</param>
/// <param name="database">It, when this node serves it; a restore into a new database needs none.</param>
internal sealed class SnapshotRestores(DataRoot root, string name, Database? database)
{
    /// <summary>Whether a request can be answered by any node, whatever it serves.</summary>
    public static bool NeedsNoDatabase(RestoreRequest request) =>
        request is { FromDirectory: not null, IntoDatabase: not null };

    /// <summary>Restores as asked; what is wrong with the request is found before anything is fetched.</summary>
    public async Task<RestoreOutcome> RestoreAsync(
        RestoreRequest request,
        Operation? operation,
        IProgress<SnapshotProgress>? progress,
        CancellationToken cancellationToken)
    {
        Check(request);
        operation?.Report("looking for the snapshot");
        SnapshotSource source = await root.OpenSourceAsync(
            DatabaseName.Parse(request.FromDatabase ?? name), request.FromDirectory, cancellationToken);
        SnapshotView view = await source.Repository.ReadAsync(cancellationToken);
        SnapshotManifest named = Find(request, source, view);
        if (request is { WholeDatabase: true, IntoDatabase: not null })
        {
            WholeRestoreReport whole = await root.RestoreDatabaseAsync(
                source, RequestOf(request, named), Until(request, named), progress, cancellationToken);
            return Outcome(request, whole.Stores, whole.Plan, whole.Left);
        }

        List<SnapshotManifest> wanted = request.WholeDatabase
            ? WithBranches(named, Until(request, named), source, view)
            : [named];
        foreach (SnapshotManifest one in wanted)
        {
            ThrowIfTaken(request, TargetOf(request, one));
        }

        IReadOnlyList<RestoreReport> reports = await root.RestoreAsync(
            source,
            DatabaseName.Parse(name),
            [.. wanted.Select(one => RequestOf(request, one))],
            progress,
            cancellationToken);
        RestorePlan plan = reports[0].Plan;
        return Outcome(
            request, reports, plan with { BytesNeeded = reports.Sum(report => report.Plan.BytesNeeded) }, []);
    }

    private static Storage.RestoreRequest RequestOf(RestoreRequest request, SnapshotManifest one) => new(
        one.Id,
        request.RequestedBy,
        request.IntoDatabase is null ? TargetOf(request, one) : null,
        request.IntoDatabase is { } name ? DatabaseName.Parse(name) : null,
        request.DryRun,
        OpenCheck: true,
        ReadCheck: request.Verify,
        Options: request.Options);

    private static void Check(RestoreRequest request)
    {
        Descriptions.CheckCreatedBy(request.RequestedBy);
        if (request.IntoDatabase is not null && request.IntoBranch is not null)
        {
            throw GrainFailure.Refused(
                "A new database is restored with the branches it had, or from one snapshot that becomes its main " +
                "store: leave IntoBranch out.");
        }

        if (request.WholeDatabase && request.IntoBranch is not null)
        {
            throw GrainFailure.Refused("WholeDatabase restores each branch into itself: leave IntoBranch out.");
        }

        if (request.FromDirectory is { Length: 0 })
        {
            throw GrainFailure.Refused("FromDirectory is empty: name a directory, or leave it out.");
        }
    }

    private static SnapshotManifest Find(RestoreRequest request, SnapshotSource source, SnapshotView view)
    {
        if (request.SnapshotId is { } text)
        {
            return FindNamed(text, view) ?? throw NotFound($"snapshot '{text}'", Damage(text, view), source, view);
        }

        string branch = request.SourceBranch ?? BranchKey.Main;
        IEnumerable<SnapshotManifest> candidates = view.Snapshots.Where(
            one => one.Branch.Value == branch && (request.At is not { } at || one.TakenAt <= at));
        string until = request.At is { } time ? $" taken until {time.UtcDateTime:u}" : "";
        return candidates.MaxBy(one => one.TakenAt)
            ?? throw NotFound($"snapshot of branch '{branch}'{until}", null, source, view);
    }

    /// <summary>By its id; or, as people name it, by the beginning of one or by the branch it is the newest of.
    /// </summary>
    private static SnapshotManifest? FindNamed(string text, SnapshotView view)
    {
        if (SnapshotId.TryParse(text, out SnapshotId id))
        {
            return view.Snapshots.FirstOrDefault(one => one.Id == id);
        }

        if (view.Snapshots.Where(one => one.Branch.Value == text).MaxBy(one => one.TakenAt) is { } newest)
        {
            return newest;
        }

        SnapshotManifest[] begun = [.. view.Snapshots.Where(
            one => text.Length > 0 && one.Id.ToString().StartsWith(text, StringComparison.Ordinal)).Take(2)];
        return begun is [var only] ? only : null;
    }

    private static string? Damage(string text, SnapshotView view) =>
        view.Damaged.FirstOrDefault(one => one.Id is { } id && id.ToString() == text)?.Reason;

    private static StorageException NotFound(string what, string? damage, SnapshotSource source, SnapshotView view)
    {
        if (damage is not null)
        {
            return new StorageException(
                Storage.FailureKind.SnapshotDamaged,
                $"There is a {what} of database '{source.Name}', but it cannot be used: {damage}");
        }

        string[] near = [.. view.Snapshots.OrderByDescending(one => one.TakenAt).Take(3)
            .Select(one => $"{one.Id} of branch '{one.Branch}' ({one.TakenAt.UtcDateTime:u})")];
        string where = source.IsForeign ? $" on '{source.Shared.Location}'" : "";
        return new StorageException(
            Storage.FailureKind.SnapshotNotFound,
            $"There is no {what} of database '{source.Name}'{where}. " +
            (near.Length == 0 ? "It has no snapshots." : $"The newest are: {string.Join(", ", near)}."));
    }

    /// <summary>A snapshot that is named by its id is of one moment; otherwise each branch's newest is meant, since
    /// those of one run follow each other.</summary>
    private static DateTimeOffset Until(RestoreRequest request, SnapshotManifest named) =>
        request.SnapshotId is not null ? named.TakenAt : request.At ?? DateTimeOffset.MaxValue;

    /// <summary>The snapshot, and for each other living branch its newest one until a time.</summary>
    private List<SnapshotManifest> WithBranches(
        SnapshotManifest named, DateTimeOffset until, SnapshotSource source, SnapshotView view)
    {
        Database here = Serving();
        if (source.Life.Id != here.Id)
        {
            throw GrainFailure.Refused(
                $"'{source.Name}' on '{source.Shared.Location}' is another database than '{name}' here: with all its " +
                "branches it becomes a new one. Name that one in IntoDatabase.");
        }

        List<SnapshotManifest> wanted = [named];
        foreach (BranchRecord record in here.ListBranches().Where(record => record.Id != named.Id.Store))
        {
            if (view.Snapshots.Where(one => one.Id.Store == record.Id && one.TakenAt <= until)
                .MaxBy(one => one.TakenAt) is { } older)
            {
                wanted.Add(older);
            }
        }

        return wanted;
    }

    private Database Serving() => database ?? throw new StorageException(
        Storage.FailureKind.NotOwner, $"Database '{name}' is not served by this node.");

    private static BranchName TargetOf(RestoreRequest request, SnapshotManifest one) =>
        request.IntoBranch is { } branch ? BranchName.Parse(branch) : one.Branch;

    private void ThrowIfTaken(RestoreRequest request, BranchName target)
    {
        if (request.IntoDatabase is null && !request.Replace
            && Serving().TryGetBranch(target, out BranchRecord? there) && there.State != Storage.BranchState.Lost)
        {
            throw new StorageException(
                Storage.FailureKind.BranchExists,
                $"Branch '{target}' of database '{name}' exists: nothing was restored. Say that it is to be " +
                $"replaced (it is put into quarantine then), or name a new branch or database.");
        }
    }

    private static RestoreOutcome Outcome(
        RestoreRequest request, IReadOnlyList<RestoreReport> reports, RestorePlan plan, IReadOnlyList<string> left)
    {
        List<string> steps = [];
        foreach (RestoreReport report in reports)
        {
            steps.Add(
                $"fetch {report.Plan.FilesToFetch} files, {report.Plan.BytesToFetch} bytes, of snapshot " +
                $"{report.Snapshot}");
            if (report.Replaced is { } replaced)
            {
                string at = report.ReplacedSequence is { } sequence ? $", at sequence {sequence}," : "";
                steps.Add(
                    report.Quarantine is { } place
                        ? $"set the store {replaced} of branch '{report.Branch}'{at} aside in '{place}'"
                        : $"the store {replaced} of branch '{report.Branch}' has no files here to set aside");
            }

            if (report.Damage is { } damage)
            {
                steps.Add($"no snapshot of that store was taken before, since it cannot be opened: {damage}");
            }

            steps.Add($"put it in place as branch '{report.Branch}' of database '{report.Database}' at sequence " +
                $"{report.Sequence}");
            steps.AddRange(report.Plan.Problems.Select(problem => $"not possible: {problem}"));
        }

        steps.AddRange(left);
        if (plan.BytesAvailable is null)
        {
            steps.Add("how much space the disk has cannot be told");
        }

        return new RestoreOutcome(
            request.DryRun,
            reports[0].Database.Value,
            reports.Select(report => new RestoredStore(
                report.Branch.Value, report.Snapshot.ToString(), report.Sequence.Value, report.Plan.BytesToFetch,
                report.Plan.TotalBytes - report.Plan.BytesToFetch)).ToArray(),
            plan.BytesNeeded,
            plan.BytesAvailable,
            reports.Select(report => report.Quarantine).FirstOrDefault(place => place is not null),
            steps);
    }
}
