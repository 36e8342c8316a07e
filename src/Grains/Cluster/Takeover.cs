using Branching.Storage;

namespace Branching.Grains;

/// <summary>One try of this node to own a database, under way or ended. Thread-safe.</summary>
internal sealed class Takeover(string attemptId, string reason, TimeProvider time) : IProgress<TakeoverProgress>
{
    private readonly Lock _lock = new();
    private TakeoverStatus _now = new(OperationState.Running, "looking");

    public string AttemptId => attemptId;

    public string Reason => reason;

    /// <summary>The owned database, or why it is not.</summary>
    public Task<Database> Task { get; private set; } = null!;

    public bool IsRunning => !Task.IsCompleted;

    public TakeoverStatus Status
    {
        get
        {
            lock (_lock)
            {
                return _now;
            }
        }
    }

    /// <summary>Begins on the thread pool: never on a grain's turn.</summary>
    public void Begin(Func<Takeover, Task<Database>> own)
    {
        Task = System.Threading.Tasks.Task.Run(async () =>
        {
            try
            {
                Database database = await own(this);
                NoteServing(database);
                return database;
            }
            catch (Exception e)
            {
                NoteFailure(e);
                throw;
            }
        });
        // Whoever waits sees the failure; nobody may be waiting.
        _ = Task.ContinueWith(
            static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default);
    }

    public void Report(TakeoverProgress value)
    {
        ArgumentNullException.ThrowIfNull(value);
        lock (_lock)
        {
            if (_now.State != OperationState.Running)
            {
                return;
            }

            DateTimeOffset now = time.GetUtcNow();
            bool fenced = value.Step >= TakeoverStep.Restoring;
            bool restored = value.Step >= TakeoverStep.Serving;
            _now = _now with
            {
                Phase = PhaseOf(value),
                Epoch = value.Epoch.Value,
                FencedAt = _now.FencedAt ?? (fenced ? now : null),
                RestoredAt = _now.RestoredAt ?? (restored ? now : null),
                BytesDone = Math.Max(_now.BytesDone, value.BytesDone),
            };
        }
    }

    private void NoteServing(Database database)
    {
        BranchRecord[] records = [.. database.ListBranches()];
        lock (_lock)
        {
            DateTimeOffset now = time.GetUtcNow();
            _now = _now with
            {
                State = OperationState.Succeeded,
                Phase = "serving",
                Epoch = database.Epoch.Value,
                FencedAt = _now.FencedAt ?? now,
                RestoredAt = _now.RestoredAt ?? now,
                ServingAt = now,
                Sequence = database.GetLag(BranchName.Main).Acknowledged?.Value ?? 0,
                Branches = records.Count(record => record.State == Storage.BranchState.Ready),
                LostBranches =
                    records.Where(record => record.State == Storage.BranchState.Lost)
                        .Select(record => record.Name.Value).ToArray(),
            };
        }
    }

    private void NoteFailure(Exception e)
    {
        lock (_lock)
        {
            _now = _now with
            {
                State = OperationState.Failed,
                Failure = e is StorageException known ? (FailureKind)(int)known.Kind : FailureKind.Internal,
                IsTransient = e is OperationCanceledException or StorageException { IsTransient: true },
                Problem = e.Message,
            };
        }
    }

    private static string PhaseOf(TakeoverProgress value) => value.Step switch
    {
        TakeoverStep.Looking => "looking",
        TakeoverStep.Claiming => "waiting for the lease",
        TakeoverStep.Restoring => $"restoring, {value.StoresDone} of {value.Stores} branches",
        TakeoverStep.Publishing => "putting in place",
        _ => "opening",
    };
}
