namespace Branching.Storage;

/// <summary>What a start found left behind by an interrupted operation, and what it did about it.</summary>
public sealed record Reconciliation
{
    /// <summary>Unfinished work that was removed: it was never visible.</summary>
    public int RemovedUnfinished { get; init; }

    /// <summary>Deletions that were finished.</summary>
    public int FinishedDeletions { get; init; }

    /// <summary>Published branches whose catalog record was missing and was written.</summary>
    public int AdoptedBranches { get; init; }

    /// <summary>Entries set aside whole in quarantine.</summary>
    public int Quarantined { get; init; }

    /// <summary>Directories that are not ours; they were left where they are and are not served.</summary>
    public int UnknownEntries { get; init; }

    /// <summary>Branches whose store is not on the disk.</summary>
    public int MissingStores { get; init; }

    /// <summary>Databases that could not be opened; using one throws the reason.</summary>
    public int FailedDatabases { get; init; }

    /// <summary>One sentence for each of the above, and for what else was repaired.</summary>
    public IReadOnlyList<string> Findings { get; init; } = [];

    /// <summary>Those of <see cref="Findings"/> that this start put in order: the next one does not find them again.
    /// </summary>
    public IReadOnlyList<string> Repairs { get; init; } = [];

    /// <summary>Whether there was nothing to repair or report.</summary>
    public bool IsClean => Findings.Count == 0;
}

/// <summary>Collects the findings of a start.</summary>
internal sealed class ReconciliationNotes
{
    private readonly List<string> _findings = [];
    private readonly List<string> _repairs = [];

    public int RemovedUnfinished { get; set; }

    public int FinishedDeletions { get; set; }

    public int AdoptedBranches { get; set; }

    public int Quarantined { get; set; }

    public int UnknownEntries { get; set; }

    public int MissingStores { get; set; }

    public int FailedDatabases { get; set; }

    /// <summary>Something that stays as it is: every start finds it.</summary>
    public void Add(string finding) => _findings.Add(finding);

    /// <summary>Something that this start changed.</summary>
    public void AddRepair(string finding)
    {
        _findings.Add(finding);
        _repairs.Add(finding);
    }

    /// <summary>Deletes what nobody can see any more.</summary>
    /// <returns>
    /// <see langword="false"/>: it could not be deleted. It only takes space, so it keeps nothing from serving; it is
    /// reported, and tried again at the next start.
    /// </returns>
    public bool TryRemove(Disk disk, string path)
    {
        try
        {
            disk.DeleteTree(path);
            return true;
        }
        catch (StorageException e)
        {
            _findings.Add($"'{path}' is of no use any more and was not removed; the next start tries again: " +
                e.Message);
            return false;
        }
    }

    public Reconciliation ToResult() => new()
    {
        RemovedUnfinished = RemovedUnfinished,
        FinishedDeletions = FinishedDeletions,
        AdoptedBranches = AdoptedBranches,
        Quarantined = Quarantined,
        UnknownEntries = UnknownEntries,
        MissingStores = MissingStores,
        FailedDatabases = FailedDatabases,
        Findings = _findings,
        Repairs = _repairs,
    };
}
