using System.Runtime.CompilerServices;
using Branching.Storage;
using Branching.Storage.Changes;

namespace Branching.Grains;

/// <content>The change log. Reading it blocks on the disk, so all of it runs on the thread pool.</content>
internal sealed partial class StoreCalls
{
    private const int ChangePageBytes = 4 << 20;

    // Ends the waits of followers, so that a deactivated or deleted grain answers them.
    private CancellationTokenSource? _following;

    /// <summary>
    /// Streams changes. The store is held for the time of a page only: waiting for more keeps nobody from moving or
    /// deleting it, and the next page then says what became of it.
    /// </summary>
    public async IAsyncEnumerable<IReadOnlyList<ChangeEntry>> ChangesAsync(
        ChangesRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using ChangeReading reading = await RunAsync(
            request,
            static (_, request, _) =>
            {
                GrainFailure.ThrowIfMissing(request, "The request");
                return ValueTask.FromResult(new ChangeReading(
                    ChangeMapping.ToStorage(request.From), request.AcrossDamage));
            },
            cancellationToken);
        while (true)
        {
            IReadOnlyList<ChangeEntry> page = await RunAsync(
                reading,
                static (self, reading, cancellationToken) => self.ReadChangesAsync(reading, cancellationToken),
                cancellationToken);
            if (page.Count > 0)
            {
                yield return page;
            }
            else if (!request.Follow)
            {
                yield break;
            }
            else
            {
                await RunAsync(
                    reading,
                    static (self, reading, cancellationToken) => self.WaitForChangesAsync(reading, cancellationToken),
                    cancellationToken);
            }
        }
    }

    public ValueTask<bool> EnableChangeLogAsync(ChangeLogPolicy? policy, CancellationToken cancellationToken)
        => RunAsync(
            policy ?? ChangeLogPolicy.Default,
            static async (self, policy, cancellationToken) =>
            {
                Database found = await self.GetDatabaseAsync(cancellationToken);
                using WriteGate.Change change = self.BeginChange();
                await found.EnableChangeLogAsync(
                    BranchName.Parse(self.Branch), ChangeMapping.ToStorage(policy), cancellationToken);
                return true;
            },
            cancellationToken);

    public ValueTask<bool> DisableChangeLogAsync(CancellationToken cancellationToken) => RunAsync(
        0,
        static async (self, _, cancellationToken) =>
        {
            Database found = await self.GetDatabaseAsync(cancellationToken);
            using WriteGate.Change change = self.BeginChange();
            await found.DisableChangeLogAsync(BranchName.Parse(self.Branch), cancellationToken);
            return true;
        },
        cancellationToken);

    public ValueTask<ChangeLogDescription> GetChangeLogAsync(CancellationToken cancellationToken) => OnStoreAsync(
        0,
        static async (self, branch, _, cancellationToken) =>
        {
            string directory = branch.Database.GetChangeLogDirectory(branch.Lease.Branch.Name);
            return branch.Store.HasChangeLog
                ? ChangeMapping.ToWire(
                    await Task.Run(() => branch.Store.Changes.GetStatistics(), cancellationToken), directory)
                : ChangeMapping.Off(directory);
        },
        cancellationToken);

    public ValueTask<ConsumerDescription> CreateConsumerAsync(
        string name, ChangeFrom from, CancellationToken cancellationToken) => OnChangesAsync(
        (name, from),
        static (log, asked) => ChangeMapping.ToWire(log.CreateConsumer(
            ChangeMapping.NameOf(asked.name), ChangeMapping.ToStorage(asked.from)).Consumer),
        cancellationToken);

    public ValueTask<ConsumerDescription> AcknowledgeAsync(
        string name, ReadOnlyMemory<byte> position, CancellationToken cancellationToken) => OnChangesAsync(
        (name, position),
        static (log, asked) => ChangeMapping.ToWire(log.Acknowledge(
            ChangeMapping.NameOf(asked.name), ChangePosition.Parse(asked.position.Span))),
        cancellationToken);

    public ValueTask<bool> RemoveConsumerAsync(string name, CancellationToken cancellationToken) => OnChangesAsync(
        name,
        static (log, name) =>
        {
            log.RemoveConsumer(ChangeMapping.NameOf(name));
            return true;
        },
        cancellationToken);

    public ValueTask<PurgeChangesOutcome> PurgeChangesAsync(
        PurgeChangesRequest request, CancellationToken cancellationToken) => OnChangesAsync(
        request,
        static (log, request) =>
        {
            GrainFailure.ThrowIfMissing(request, "The request");
            return ChangeMapping.ToWire(log.Purge(new ChangePurge(
                request.OlderThan, request.Through is { } sequence ? new Sequence(sequence) : null,
                request.ThroughFile)));
        },
        cancellationToken);

    public ValueTask<ChangeLogReport> ValidateChangesAsync(CancellationToken cancellationToken) => RunAsync(
        0,
        static async (self, _, cancellationToken) =>
        {
            Database found = await self.GetDatabaseAsync(cancellationToken);
            return ChangeMapping.ToWire(
                await found.ValidateChangeLogAsync(BranchName.Parse(self.Branch), cancellationToken));
        },
        cancellationToken);

    private ValueTask<TAnswer> OnChangesAsync<TArgument, TAnswer>(
        TArgument argument, Func<ChangeLog, TArgument, TAnswer> call, CancellationToken cancellationToken)
        => OnStoreAsync(
            (argument, call),
            static async (_, branch, what, cancellationToken) => await Task.Run(
                () => what.call(branch.Store.Changes, what.argument), cancellationToken),
            cancellationToken);

    private async ValueTask<IReadOnlyList<ChangeEntry>> ReadChangesAsync(
        ChangeReading reading, CancellationToken cancellationToken)
    {
        (_, StoreLease lease) = await AcquireAsync(cancellationToken);
        using (lease)
        {
            long bytes = Math.Min(ChangePageBytes, MaxResponseBytes);
            return await Task.Run(() => reading.ReadPage(lease.Store.Changes, bytes), cancellationToken);
        }
    }

    private async ValueTask<bool> WaitForChangesAsync(ChangeReading reading, CancellationToken cancellationToken)
    {
        _following ??= new CancellationTokenSource();
        CancellationToken ended = _following.Token;
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(
            ended, cancellationToken);
        try
        {
            await reading.MoreAsync().WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            throw new StorageException(
                Storage.FailureKind.Closed,
                $"The changes of {Label} are no longer followed: its grain was deactivated. Go on from " +
                "the last position.");
        }
    }

    private void EndFollowing()
    {
        _following?.Cancel();
        _following?.Dispose();
        _following = null;
    }

    /// <summary>How far a stream of changes has got, whatever becomes of the store between two pages.</summary>
    private sealed class ChangeReading(ChangeStart start, bool acrossDamage) : IDisposable
    {
        private ChangeStart _next = start;
        private ChangeLog? _log;
        private ChangeReader? _reader;

        /// <summary>The next page; blocking.</summary>
        public ChangeEntry[] ReadPage(ChangeLog log, long maxBytes)
        {
            if (!ReferenceEquals(log, _log))
            {
                // Closed and opened meanwhile: the position says whether it is still the same history.
                _reader?.Dispose();
                _reader = null;
                _reader = log.OpenReader(_next, acrossDamage);
                _log = log;
                _next = ChangeStart.Behind(_reader.Position);
            }

            List<Change> read = [];
            _reader!.ReadPage(maxBytes, read);
            ChangePosition position = _reader.Position;
            _next = ChangeStart.Behind(position);
            return [.. read.Select(change => ChangeMapping.ToWire(change, position))];
        }

        public Task MoreAsync() => _reader!.MoreAsync();

        public void Dispose() => _reader?.Dispose();
    }
}
