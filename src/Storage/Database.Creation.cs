namespace Branching.Storage;

public sealed partial class Database
{
    private const int MaxText = 256;
    private const int MaxOperationId = 128;
    private const int MaxLabels = 64;
    private const int MaxLabelKey = 128;
    private const int MaxLabelValue = 1024;
    private const string ReservedLabels = "branching/";

    /// <summary>
    /// Makes a writable copy of a branch. It holds every write acknowledged before the call; writes to the parent go on
    /// meanwhile. Durable on return.
    /// </summary>
    /// <remarks>
    /// A repetition with the same <see cref="CreateBranch.OperationId"/> and parent joins the first or gets its result.
    /// Cancellation ends the waiting, not the creation.
    /// </remarks>
    /// <exception cref="StorageException">
    /// Nothing is left behind, the parent is untouched and the name is free again.
    /// <see cref="FailureKind.BranchExists"/>,
    /// <see cref="FailureKind.ParentNotFound"/>, <see cref="FailureKind.BeingDeleted"/>,
    /// <see cref="FailureKind.TooManyBranches"/>, <see cref="FailureKind.BranchTooDeep"/>,
    /// <see cref="FailureKind.Overloaded"/>, <see cref="FailureKind.DiskFull"/>,
    /// <see cref="FailureKind.PermissionDenied"/>…
    /// </exception>
    public async Task<BranchRecord> CreateBranchAsync(CreateBranch request, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        Check(request);
        cancellationToken.ThrowIfCancellationRequested();
        Creation creation;
        lock (_names)
        {
            if (FindEarlier(request) is { } earlier)
            {
                return earlier;
            }

            if (_creating.TryGetValue(request.Name, out Creation? other))
            {
                creation = other.IsSameAs(request) ? other : throw Exists(request.Name,
                    "is being created by another request");
            }
            else
            {
                BranchRecord parent = CheckPlace(request);
                creation = new Creation(request, Task.Run(() => CreateAsync(request, parent), CancellationToken.None));
                _creating.Add(request.Name, creation);
            }
        }

        return await creation.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<BranchRecord> CreateAsync(CreateBranch request, BranchRecord parent)
    {
        try
        {
            if (!await _creationTurns.WaitAsync(_options.WriteTimeout).ConfigureAwait(false))
            {
                throw new StorageException(
                    FailureKind.Overloaded,
                    $"{_options.MaxBranchCreationsInFlight} branches of database '{Name}' are being created and " +
                    "none was " +
                    $"finished in {_options.WriteTimeout.TotalSeconds:0.#} s. Try again, or raise " +
                    "MaxBranchCreationsInFlight.");
            }

            try
            {
                return await MakeAsync(request, parent).ConfigureAwait(false);
            }
            finally
            {
                _creationTurns.Release();
            }
        }
        catch (StorageException e)
        {
            throw new StorageException(e.Kind, $"{LabelOf(request.Name)} was not created: {e.Message}", e);
        }
        finally
        {
            lock (_names)
            {
                _creating.Remove(request.Name);
            }
        }
    }

    private async Task<BranchRecord> MakeAsync(CreateBranch request, BranchRecord parent)
    {
        long start = _time.GetTimestamp();

        // The lease keeps the parent from being closed or deleted until the copy is whole.
        using StoreLease lease = await AcquireParentAsync(request, parent).ConfigureAwait(false);
        StoreId id = StoreId.New(_time);
        bool published = false;
        BranchRecord? recorded = null;
        try
        {
            _disk.Reach(CrashPoint.CreationStarted);
            string building = _files.BuildingOf(id);
            LocalCheckpoint checkpoint = _disk.Step(
                DiskStepKind.Checkpoint, building, () => lease.Store.CreateUnflushedCheckpoint(building));
            _disk.Reach(CrashPoint.CreationCheckpointed);
            BranchRecord record = new(
                id, request.Name, parent.Id, parent.Name, checkpoint.Sequence, parent.Depth + 1, _time.GetUtcNow(),
                request.CreatedBy, LabelsOf(request, parent), BranchState.Ready, checkpoint.LinkedFiles,
                    checkpoint.CopiedFiles,
                checkpoint.TotalBytes, DeletedAt: null, request.OperationId, DurabilityOf(request),
                ChangeLogOf(request, parent));
            GiveIdentity(building);
            StoreMarker.WriteUnflushed(_disk, building, record, Id);
            _disk.Reach(CrashPoint.CreationMarked);
            _disk.FlushDirectoryWithFiles(building);
            _disk.Reach(CrashPoint.CreationMarkedDurably);
            _disk.Rename(building, _files.StoreOf(id));
            published = true;
            _disk.Reach(CrashPoint.CreationRenamed);
            _disk.FlushDirectory(_files.Stores);
            _disk.Reach(CrashPoint.CreationRenamedDurably);
            await RecordAsync(record).ConfigureAwait(false);
            recorded = record;
            _disk.Reach(CrashPoint.CreationRecorded);
            await ShareAsync(record, before: null).ConfigureAwait(false);
            await WaitForLeaseAsync(CancellationToken.None).ConfigureAwait(false);
            lock (_names)
            {
                _all[id] = record;
                _living[record.Name] = record;
            }

            _logger.BranchCreated(
                record.Name, Name, parent.Name, id, record.LinkedFiles, record.CopiedFiles,
                _time.GetElapsedTime(start).TotalMilliseconds);
            return record;
        }
        catch
        {
            await UndoAsync(id, published, recorded).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Names the copy for RocksDB, which otherwise does it at the first opening.</summary>
    /// <remarks>
    /// RocksDB syncs the file and its directory, beside the parent's writes; here it is synced with all others.
    /// </remarks>
    private void GiveIdentity(string building) =>
        _disk.WriteUnflushed(Path.Combine(building, "IDENTITY"), Guid.NewGuid().ToString());

    private async Task<StoreLease> AcquireParentAsync(CreateBranch request, BranchRecord parent)
    {
        try
        {
            StoreLease lease = await AcquireAsync(request.Parent, CancellationToken.None).ConfigureAwait(false);
            if (lease.Branch.Id == parent.Id)
            {
                return lease;
            }

            // Deleted and created again since the request was checked: another parent than the caller meant.
            lease.Dispose();
            throw ParentNotFound(request.Parent);
        }
        catch (StorageException e) when (e.Kind == FailureKind.BranchNotFound)
        {
            throw ParentNotFound(request.Parent);
        }
    }

    /// <summary>
    /// Removes what a failed creation made. What cannot be removed now is reconciled at the next start.
    /// </summary>
    private async Task UndoAsync(StoreId id, bool published, BranchRecord? recorded)
    {
        if (!published)
        {
            _disk.TryDeleteTree(_files.BuildingOf(id), _logger);
            _disk.TryDeleteTree(_files.BuildingOf(id) + ".tmp", _logger);
            return;
        }

        try
        {
            _disk.Rename(_files.StoreOf(id), _files.TrashOf(id));
            _disk.FlushDirectory(_files.Trash);
            _disk.FlushDirectory(_files.Stores);
        }
        catch (StorageException e)
        {
            _logger.LeftBehind(_files.StoreOf(id), e);
            return;
        }

        // While the catalog may hold the record of the failed creation, the entry in the trash is the evidence that it
        // is not a lost store.
        if (await UnrecordAsync(recorded).ConfigureAwait(false) && await RepairCatalogAsync().ConfigureAwait(false))
        {
            _disk.TryDeleteTree(_files.TrashOf(id), _logger);
        }
    }

    /// <summary>Takes back a record that was durable here before shared storage refused it.</summary>
    private async Task<bool> UnrecordAsync(BranchRecord? recorded)
    {
        if (recorded is null)
        {
            return true;
        }

        await TakeBackAsync(recorded with { State = BranchState.Deleted }).ConfigureAwait(false);
        try
        {
            await RecordAsync(recorded with { State = BranchState.Deleted, DeletedAt = _time.GetUtcNow() })
                .ConfigureAwait(false);
            return true;
        }
        catch (StorageException e)
        {
            // The entry in the trash tells the next start that the branch is gone.
            _logger.LeftBehind(_files.TrashOf(recorded.Id), e);
            return false;
        }
    }

    /// <summary>Makes a change known to shared storage, where there is one.</summary>
    private Task ShareAsync(BranchRecord record, BranchRecord? before)
    {
        IEnumerable<BranchRecord> ancestors = record.ParentId is { } parent && _all.TryGetValue(parent, out var at)
            ? [at, .. AncestorsOf(at)]
            : [];
        return _lineage?.SetAsync(record, before, ancestors.Reverse()) ?? Task.CompletedTask;
    }

    private Task TakeBackAsync(BranchRecord before) => _lineage?.TakeBackAsync(before) ?? Task.CompletedTask;

    private async Task RecordAsync(BranchRecord record)
    {
        await _catalogTurn.WaitAsync().ConfigureAwait(false);
        try
        {
            ThrowIfClosed();
            _catalog.Set(record);
        }
        finally
        {
            _catalogTurn.Release();
        }
    }

    private async Task<bool> RepairCatalogAsync()
    {
        await _catalogTurn.WaitAsync().ConfigureAwait(false);
        try
        {
            return _catalog.TryRepair();
        }
        finally
        {
            _catalogTurn.Release();
        }
    }

    private BranchRecord? FindEarlier(CreateBranch request)
    {
        if (!_living.TryGetValue(request.Name, out BranchRecord? existing))
        {
            return null;
        }

        if (existing.State is BranchState.Deleting)
        {
            throw new StorageException(
                FailureKind.BeingDeleted, $"{LabelOf(request.Name)} is being deleted; create it again when that " +
                    "is done.");
        }

        return request.OperationId is { } operation && existing.OperationId == operation
            && existing.ParentName == request.Parent
            ? existing
            : throw Exists(request.Name, "exists already");
    }

    private BranchRecord CheckPlace(CreateBranch request)
    {
        if (!_living.TryGetValue(request.Parent, out BranchRecord? parent))
        {
            throw ParentNotFound(request.Parent);
        }

        ThrowIfNotServed(parent);
        if (_living.Count + _creating.Count >= _options.MaxBranchesPerDatabase)
        {
            throw new StorageException(
                FailureKind.TooManyBranches,
                $"{LabelOf(request.Name)} was not created: the database has {_living.Count} branches of at most " +
                $"{_options.MaxBranchesPerDatabase}. Delete some, or raise MaxBranchesPerDatabase.");
        }

        return parent.Depth < _options.MaxBranchDepth
            ? parent
            : throw new StorageException(
                FailureKind.BranchTooDeep,
                $"{LabelOf(request.Name)} was not created: its parent '{request.Parent}' is {parent.Depth} " +
                "branches away " +
                $"from 'main', the most allowed is {_options.MaxBranchDepth}. Branch from one nearer to 'main', " +
                "or raise " +
                "MaxBranchDepth.");
    }

    private StorageException Exists(BranchName name, string how) => new(
        FailureKind.BranchExists, $"{LabelOf(name)} {how}. Use it, choose another name, or delete it first.");

    private StorageException ParentNotFound(BranchName parent) => new(
        FailureKind.ParentNotFound,
        $"Database '{Name}' has no branch '{parent}' to branch from. Nothing was created; choose an existing parent.");

    private BranchDurability DurabilityOf(CreateBranch request) =>
        request.Durability ?? _sharing?.DefaultDurability ?? BranchDurability.Durable;

    private static void Check(CreateBranch request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Name.Value.Length == 0 || request.Parent.Value.Length == 0)
        {
            throw new StorageException(FailureKind.InvalidName, "A branch needs a name and a parent: one of them " +
                "is empty.");
        }

        CheckText(request.CreatedBy, MaxText, nameof(request.CreatedBy));
        CheckText(request.OperationId ?? "", MaxOperationId, nameof(request.OperationId));
        if (request.Labels is not { } labels)
        {
            return;
        }

        if (labels.Count > MaxLabels)
        {
            throw Invalid(nameof(request.Labels), $"has {labels.Count} entries, more than {MaxLabels}");
        }

        foreach ((string key, string value) in labels)
        {
            if (key.Length == 0)
            {
                throw Invalid(nameof(request.Labels), "has an empty key");
            }

            if (key.StartsWith(ReservedLabels, StringComparison.Ordinal))
            {
                throw Invalid(
                    nameof(request.Labels),
                    $"has the key '{key}', and what begins with '{ReservedLabels}' is the program's own");
            }

            CheckText(key, MaxLabelKey, "A label's key");
            CheckText(value, MaxLabelValue, "A label's value");
        }
    }

    private static void CheckText(string? text, int max, string what)
    {
        if (text is null || text.Length > max)
        {
            throw Invalid(what, text is null ? "is missing" : $"has {text.Length} characters, more than {max}");
        }
    }

    private static StorageException Invalid(string what, string why) =>
        new(FailureKind.InvalidArgument, $"The branch was not created: {what} {why}.");

    /// <summary>The caller's labels, and the options that the parent has of its own.</summary>
    private static Dictionary<string, string> LabelsOf(CreateBranch request, BranchRecord parent)
    {
        Dictionary<string, string> labels = request.Labels?.ToDictionary(StringComparer.Ordinal) ?? [];
        foreach ((string label, string value) in parent.Labels)
        {
            if (label.StartsWith(StoreTuning.LabelPrefix, StringComparison.Ordinal))
            {
                labels[label] = value;
            }
        }

        return labels;
    }

    /// <summary>A creation under way, which repetitions of the same request join.</summary>
    private sealed record Creation(CreateBranch Request, Task<BranchRecord> Completion)
    {
        public bool IsSameAs(CreateBranch other) =>
            other.OperationId is { } id && id == Request.OperationId && other.Parent == Request.Parent;
    }
}
