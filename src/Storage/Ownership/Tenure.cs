using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Storage.Ownership;

/// <summary>The time in which this process owns a database.</summary>
/// <remarks>
/// <para>
/// Nothing may be answered unless <see cref="IsValid"/> is true after the work was done; nothing counts as published
/// unless <see cref="ConfirmAsync"/> succeeded after it was put. Thread-safe.
/// </para>
/// <para>
/// Why two owners never answer at once: a renewal writes the lease, then sees no later claim, and only then extends
/// the validity, counted from before the write. A taker claims after it saw the lease unchanged for a whole length,
/// and looks at it once more after the claim. A renewal that it did not see was written after its first look or sees
/// its claim; if the last look shows one, it waits a length more.
/// </para>
/// </remarks>
public sealed partial class Tenure : IAsyncDisposable
{
    private readonly OwnershipOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _lock = new();
    private volatile StorageException? _endCause;
    private volatile bool _serving;
    private volatile Stamp? _renewed;
    private volatile TaskCompletionSource _change = NewChange();
    private ulong _objects;

    internal Tenure(
        ISharedStorage shared,
        DatabasePaths paths,
        OwnerIdentity owner,
        HeadsRecord heads,
        OwnershipOptions options,
        ProtocolRules rules,
        TimeProvider time,
        ILogger logger)
    {
        Shared = shared;
        Paths = paths;
        Owner = owner;
        Heads = heads;
        Rules = rules;
        _options = options;
        _time = time;
        _logger = logger;
        Ended = _ending.Token;
    }

    /// <summary>The epoch.</summary>
    public Epoch Epoch => Heads.Epoch;

    /// <summary>The database's name.</summary>
    public DatabaseName Name => Paths.Name;

    /// <summary>The database's identity.</summary>
    public DatabaseId Database => Paths.Id;

    /// <summary>This process.</summary>
    public OwnerIdentity Owner { get; }

    /// <summary>What the epoch started from.</summary>
    public HeadsRecord Heads { get; internal set; }

    /// <summary>Whether an answer may be given now. Costs two readings of clocks.</summary>
    public bool IsValid => _endCause is null && _serving && _renewed is { } renewed
        && _time.GetElapsedTime(renewed.Timestamp) < _options.LeaseLength - _options.LeaseMargin
        // The monotonic clock stands still while a machine is suspended; the wall clock does not.
        && _time.GetUtcNow() - renewed.Wall <= _options.LeaseLength;

    /// <summary>Cancelled when the tenure is over: fenced, released or disposed.</summary>
    public CancellationToken Ended { get; }

    /// <summary>Why it is over; <see langword="null"/> while it is not.</summary>
    public StorageException? EndCause => _endCause;

    internal DateTimeOffset Now => _time.GetUtcNow();

    internal ISharedStorage Shared { get; }

    internal DatabasePaths Paths { get; }

    internal ProtocolRules Rules { get; }

    /// <summary>Publications share it, a collection has it alone.</summary>
    internal AsyncGate Publications { get; } = new();

    /// <summary>What the repository and the catalog remember for the length of the tenure.</summary>
    internal TenureMemory Memory { get; } = new();

    /// <summary>Refuses to answer when <see cref="IsValid"/> is false.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.LeaseExpired"/>: it may become valid again;
    /// <see cref="FailureKind.Fenced"/> or <see cref="FailureKind.Closed"/>: it never will.</exception>
    public void ThrowIfInvalid()
    {
        if (!IsValid)
        {
            ThrowIfEnded();
            throw new StorageException(
                FailureKind.LeaseExpired,
                $"Node {Owner.NodeName} could not renew its lease of database '{Name}' (epoch {Epoch}) on shared " +
                $"storage '{Shared.Location}' in time, so another node may own it by now. The outcome of a write is " +
                "unknown: read before repeating it. It goes on when the storage answers again.");
        }
    }

    /// <summary>
    /// Waits until an answer may be given, for <see cref="OwnershipOptions.HoldAnswersFor"/> at most.
    /// </summary>
    /// <remarks>
    /// What was read or written while the lease had run out may be answered once it is valid again: the renewal saw no
    /// later claim, claims are never taken back, and nobody answers for a database without one.
    /// </remarks>
    /// <exception cref="StorageException">As <see cref="ThrowIfInvalid"/>.</exception>
    public async Task WaitUntilValidAsync(CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        while (true)
        {
            // Taken before the look, so that a renewal after the look ends the waiting.
            Task change = _change.Task;
            if (IsValid)
            {
                return;
            }

            ThrowIfEnded();
            TimeSpan left = _options.HoldAnswersFor - _time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
            {
                ThrowIfInvalid();
                return;
            }

            await change.WaitAsync(left, _time, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Asks shared storage whether this is still the newest epoch; a later one ends the tenure.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: it is not. Any other kind: it is unknown,
    /// and what was put before is neither acknowledged nor withdrawn.</exception>
    public async Task ConfirmAsync(CancellationToken cancellationToken)
    {
        ThrowIfEnded();
        if (Rules.Fence)
        {
            await CheckNewestAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Says on shared storage that this owner's copy is complete and that it is about to change and to answer: from
    /// here on every copy of an earlier epoch is stale. Until then the former owner's copy holds everything that was
    /// ever acknowledged, and goes on should this process fail.
    /// </summary>
    /// <exception cref="StorageException"><see cref="FailureKind.Fenced"/>: a later claim exists, whose owner may or
    /// may not have seen that this one entered. Nothing may be answered or changed.</exception>
    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        EnteredDocument entered = new(Formats.Shared, Epoch.Value, Owner.ProcessId);
        await PutOursOrThrowAsync(
            Paths.Entered(Epoch), SealedDocument.Seal(entered, SharedDocuments.Default.EnteredDocument),
            cancellationToken).ConfigureAwait(false);
        await ConfirmAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The next number for the name of an object: never given twice in an epoch.</summary>
    public ulong NextObjectNumber() => Interlocked.Increment(ref _objects);

    /// <summary>Stops renewing without a release: the next owner waits for the lease to end.</summary>
    public async ValueTask DisposeAsync()
    {
        End(new StorageException(
            FailureKind.Closed, $"This process has given up database '{Name}' (epoch {Epoch}): open it again."));
        await _renewing.ConfigureAwait(false);
        _ending.Dispose();
    }

    /// <summary>Ends the tenure; the first cause stays.</summary>
    internal void End(StorageException cause)
    {
        lock (_lock)
        {
            if (_endCause is not null)
            {
                return;
            }

            _endCause = cause;
        }

        _change.TrySetResult();
        _ending.Cancel();
    }

    internal Task PutHeadsAsync(CancellationToken cancellationToken) => PutOursOrThrowAsync(
        Paths.Heads(Epoch), SealedDocument.Seal(Heads.ToDocument(), SharedDocuments.Default.HeadsDocument),
        cancellationToken);

    internal async Task CheckNewestAsync(CancellationToken cancellationToken)
    {
        Epoch next = new(Epoch.Value + 1);
        byte[]? bytes = await Shared.TryReadAsync(Paths.Claim(next), cancellationToken).ConfigureAwait(false);
        if (bytes is not null)
        {
            EndFenced(bytes);
            ThrowIfEnded();
        }
    }

    private async Task PutOursOrThrowAsync(string name, byte[] bytes, CancellationToken cancellationToken)
    {
        if (!await Shared.PutOursAsync(name, bytes, cancellationToken).ConfigureAwait(false))
        {
            throw new StorageException(
                FailureKind.Internal, $"Somebody else wrote '{name}', which is ours alone. The epoch is given up.");
        }
    }

    private static TaskCompletionSource NewChange() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void ThrowIfEnded()
    {
        if (_endCause is { } cause)
        {
            throw new StorageException(cause.Kind, cause.Message, cause);
        }
    }

    private void EndFenced(byte[] claim)
    {
        string by;
        try
        {
            ClaimDocument later = SealedDocument.Open(
                claim, SharedDocuments.Default.ClaimDocument, Formats.Shared, "The claim", "");
            by = later.Drop ? "It was dropped" : $"Node {later.Owner.NodeName} took it over";
        }
        catch (StorageException)
        {
            by = "Somebody took it over (its claim cannot be read)"; // A later claim fences, readable or not.
        }

        End(new StorageException(
            FailureKind.Fenced,
            $"This process owned database '{Name}' in epoch {Epoch}. {by}, so nothing is answered or published here " +
            "any more. Ask again: the cluster finds the new owner."));
        _logger.Fenced(Name, Epoch, by);
    }

    private sealed record Stamp(long Timestamp, DateTimeOffset Wall);
}
