using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>
/// How far one store got and how much of it is on shared storage. Thread-safe; outlives the open store.
/// </summary>
internal sealed class StoreProgress
{
    private readonly Lock _lock = new();
    private ulong _acknowledged;
    private long _unsentSince; // UTC ticks of the first write that no snapshot holds; 0: there is none.
    private SnapshotId? _snapshot;
    private Sequence? _snapshotted;
    private DateTimeOffset? _snapshottedAt;
    private bool _wasOpened;
    private volatile bool _wasLookedFor;

    /// <summary>Whether this process has opened the store, or looked into it, be it in vain.</summary>
    public bool WasLookedFor
    {
        get => _wasLookedFor;
        set => _wasLookedFor = value;
    }

    /// <summary>Whether the store was opened by this process; before, nobody knows what its log holds.</summary>
    public bool WasOpened
    {
        get
        {
            lock (_lock)
            {
                return _wasOpened;
            }
        }
    }

    /// <summary>A store was opened at this sequence.</summary>
    public void NoteOpened(Sequence sequence, TimeProvider time)
    {
        lock (_lock)
        {
            _wasOpened = true;
            NoteFound(sequence, time);
        }
    }

    /// <summary>A store that is closed has this sequence.</summary>
    public void NoteFound(Sequence sequence, TimeProvider time)
    {
        lock (_lock)
        {
            _wasLookedFor = true;
            Volatile.Write(ref _acknowledged, Math.Max(_acknowledged, sequence.Value));
            if (_snapshotted is { } sent && sequence <= sent)
            {
                return;
            }

            // When it was written is not known any more; the last snapshot is the earliest it can be.
            if (_unsentSince == 0)
            {
                Volatile.Write(ref _unsentSince, (_snapshottedAt ?? time.GetUtcNow()).UtcTicks);
            }
        }
    }

    /// <summary>
    /// A write was committed. On the writer's path: one comparison and one store when nothing is new.
    /// </summary>
    public void NoteWritten(Sequence sequence, TimeProvider time)
    {
        Volatile.Write(ref _acknowledged, sequence.Value);
        if (Volatile.Read(ref _unsentSince) == 0)
        {
            lock (_lock)
            {
                if (_unsentSince == 0)
                {
                    Volatile.Write(ref _unsentSince, time.GetUtcNow().UtcTicks);
                }
            }
        }
    }

    /// <summary>A snapshot of this sequence, cut at this time, is on shared storage.</summary>
    public void NoteSnapshot(SnapshotId snapshot, Sequence sequence, DateTimeOffset cutAt)
    {
        lock (_lock)
        {
            if (_snapshotted is { } before && before > sequence)
            {
                return;
            }

            _snapshot = snapshot;
            _snapshotted = sequence;
            _snapshottedAt = cutAt;
            bool all = Volatile.Read(ref _acknowledged) <= sequence.Value;
            Volatile.Write(ref _unsentSince, all ? 0 : Math.Max(_unsentSince, cutAt.UtcTicks));
        }
    }

    /// <summary>What is not on shared storage now.</summary>
    public SnapshotLag Measure(DateTimeOffset now)
    {
        lock (_lock)
        {
            ulong acknowledged = Volatile.Read(ref _acknowledged);
            ulong sent = _snapshotted?.Value ?? 0;
            bool known = acknowledged > 0 || _snapshotted is not null;
            ulong missing = acknowledged > sent ? acknowledged - sent : 0;
            long since = Volatile.Read(ref _unsentSince);
            long oldest = since != 0 ? since : _snapshottedAt?.UtcTicks ?? now.UtcTicks;
            TimeSpan behind = missing == 0 ? TimeSpan.Zero : TimeSpan.FromTicks(Math.Max(0, now.UtcTicks - oldest));
            return new SnapshotLag(
                known ? new Sequence(Math.Max(acknowledged, sent)) : null, _snapshotted, _snapshottedAt, missing,
                behind, _snapshot);
        }
    }
}

/// <summary>How much of a branch is not yet on shared storage.</summary>
/// <param name="Acknowledged">
/// The last acknowledged sequence; <see langword="null"/> while the branch was neither opened nor snapshotted.
/// </param>
/// <param name="Snapshotted">The sequence of its newest snapshot; <see langword="null"/> when there is none.</param>
/// <param name="SnapshottedAt">When that snapshot was cut, UTC.</param>
/// <param name="Sequences">Acknowledged sequences that would be lost with the node.</param>
/// <param name="Behind">Age of the oldest of them.</param>
/// <param name="Snapshot">Its newest snapshot; <see langword="null"/> when there is none.</param>
public readonly record struct SnapshotLag(
    Sequence? Acknowledged, Sequence? Snapshotted, DateTimeOffset? SnapshottedAt, ulong Sequences, TimeSpan Behind,
    SnapshotId? Snapshot = null);
