namespace Branching.Grains;

/// <summary>What an entry of a change log is. The numbers travel and are never reused.</summary>
public enum ChangeEntryKind
{
    /// <summary>A batch that was committed.</summary>
    Batch = 0,

    /// <summary>Sequences of which the log knows only that they were there.</summary>
    Gap = 1,
}

/// <summary>Why sequences are a gap. The numbers travel and are never reused.</summary>
public enum ChangeEntryGap
{
    /// <summary>It is no gap.</summary>
    None = 0,

    /// <summary>They were written while the log was off, or past it: by an ingested file.</summary>
    NotLogged = 1,

    /// <summary>The store has them; the log had lost them with the power, or by damage at its end.</summary>
    LostTail = 2,

    /// <summary>A part of the log is damaged; only a reader that asked to go on is given this.</summary>
    Damaged = 3,
}

/// <summary>What a logged operation did. The numbers travel and are never reused.</summary>
public enum LoggedOperationKind
{
    /// <summary>The key got the value.</summary>
    Put = 0,

    /// <summary>The key was removed.</summary>
    Delete = 1,

    /// <summary>Every key from <see cref="LoggedOperation.Key"/> up to, not including,
    /// <see cref="LoggedOperation.Value"/> was removed.</summary>
    DeleteRange = 2,

    /// <summary>The value was given to the merge operator.</summary>
    Merge = 3,
}

/// <summary>One operation of a committed batch.</summary>
/// <param name="Kind">What was done.</param>
/// <param name="ColumnFamily">Name of the column family at that time.</param>
/// <param name="Key">The key, or the first key of a range.</param>
/// <param name="Value">The value or operand; of a range the first key that was kept.</param>
/// <param name="ExpiresAt">When a key that was put ceases to live, UTC; null: never.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.logged-operation")]
public readonly record struct LoggedOperation(
    [property: Id(0)] LoggedOperationKind Kind,
    [property: Id(1)] string ColumnFamily,
    [property: Id(2)] ReadOnlyMemory<byte> Key,
    [property: Id(3)] ReadOnlyMemory<byte> Value,
    [property: Id(4)] DateTimeOffset? ExpiresAt = null);

/// <summary>One entry of a change log.</summary>
/// <param name="Kind">A batch or a gap.</param>
/// <param name="First">The sequence of its first operation.</param>
/// <param name="Last">The sequence of its last operation: what the write was answered with.</param>
/// <param name="Time">When it was committed, UTC; never before that of an earlier entry.</param>
/// <param name="Operations">In the order in which they were applied; empty for a gap.</param>
/// <param name="Gap">Why it is a gap.</param>
/// <param name="Position">The place behind it, good for this store in this history only: hand it back to go on
/// without a gap or a repetition.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.change-entry")]
public sealed record ChangeEntry(
    [property: Id(0)] ChangeEntryKind Kind,
    [property: Id(1)] ulong First,
    [property: Id(2)] ulong Last,
    [property: Id(3)] DateTimeOffset Time,
    [property: Id(4)] IReadOnlyList<LoggedOperation> Operations,
    [property: Id(5)] ChangeEntryGap Gap,
    [property: Id(6)] ReadOnlyMemory<byte> Position);

/// <summary>How a place in a change log is named. The numbers travel and are never reused.</summary>
public enum ChangeFromKind
{
    /// <summary>The oldest entry of the log.</summary>
    First = 0,

    /// <summary>What is committed after the call.</summary>
    Now = 1,

    /// <summary>The entry that holds a sequence.</summary>
    Sequence = 2,

    /// <summary>The entry behind a sequence.</summary>
    AfterSequence = 3,

    /// <summary>The first entry of a time or later.</summary>
    Time = 4,

    /// <summary>What follows a position.</summary>
    Position = 5,

    /// <summary>What follows a consumer's last acknowledgement.</summary>
    Consumer = 6,
}

/// <summary>A place in a change log.</summary>
[GenerateSerializer]
[Immutable]
[Alias("branching.change-from")]
public sealed record ChangeFrom(
    [property: Id(0)] ChangeFromKind Kind,
    [property: Id(1)] ulong Number = 0,
    [property: Id(2)] DateTimeOffset At = default,
    [property: Id(3)] ReadOnlyMemory<byte> Token = default,
    [property: Id(4)] string? Name = null)
{
    /// <summary>The oldest entry of the log.</summary>
    public static ChangeFrom First { get; } = new(ChangeFromKind.First);

    /// <summary>What is committed after the call.</summary>
    public static ChangeFrom Now { get; } = new(ChangeFromKind.Now);

    /// <summary>The entry that holds this sequence.</summary>
    public static ChangeFrom Sequence(ulong sequence) => new(ChangeFromKind.Sequence, sequence);

    /// <summary>The entry behind this sequence.</summary>
    public static ChangeFrom After(ulong sequence) => new(ChangeFromKind.AfterSequence, sequence);

    /// <summary>The first entry of this time or later.</summary>
    public static ChangeFrom Since(DateTimeOffset time) => new(ChangeFromKind.Time, At: time);

    /// <summary>What follows a position.</summary>
    public static ChangeFrom Position(ReadOnlyMemory<byte> position) => new(ChangeFromKind.Position, Token: position);

    /// <summary>What follows a consumer's last acknowledgement.</summary>
    public static ChangeFrom Consumer(string name) => new(ChangeFromKind.Consumer, Name: name);
}

/// <summary>Asks for changes.</summary>
/// <param name="From">Where they begin.</param>
/// <param name="Follow">At the end of the log wait for more; the stream then ends only when it is cancelled or the
/// store goes away.</param>
/// <param name="AcrossDamage">Give a gap for what is damaged and go on, instead of failing there.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.changes-request")]
public sealed record ChangesRequest(
    [property: Id(0)] ChangeFrom From,
    [property: Id(1)] bool Follow = false,
    [property: Id(2)] bool AcrossDamage = false);

/// <summary>How a change log is kept.</summary>
/// <param name="RotateBytes">A file is ended at this size. Range: 4 KiB to 4 GiB. Default: 64 MiB.</param>
/// <param name="RotateAfter">A file is ended at this age. Range: 1 s to 10 years. Default: 1 day.</param>
/// <param name="KeepBytes">The oldest files go while all are larger. Default: 1 GiB; null: never.</param>
/// <param name="KeepFor">Files go whose last entry is older. Default: 7 days; null: never.</param>
/// <param name="KeepFiles">The oldest files go while there are more. Default: null.</param>
/// <param name="DropConsumersBehindBytes">A consumer is dropped that more than so many bytes wait for. Default: null,
/// never: files stay as long as a consumer needs them.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.change-log-policy")]
public sealed record ChangeLogPolicy(
    [property: Id(0)] long RotateBytes,
    [property: Id(1)] TimeSpan RotateAfter,
    [property: Id(2)] long? KeepBytes,
    [property: Id(3)] TimeSpan? KeepFor,
    [property: Id(4)] int? KeepFiles,
    [property: Id(5)] long? DropConsumersBehindBytes)
{
    /// <summary>The defaults.</summary>
    public static ChangeLogPolicy Default { get; } =
        new(64L << 20, TimeSpan.FromDays(1), 1L << 30, TimeSpan.FromDays(7), null, null);
}

/// <summary>A consumer of a change log.</summary>
/// <param name="Name">1 to 128 characters of <c>[A-Za-z0-9._-]</c>.</param>
/// <param name="Acknowledged">What it has done with, and all before.</param>
/// <param name="Lag">Sequences behind the end of the log.</param>
/// <param name="LagBytes">Bytes of files that wait for it.</param>
/// <param name="CreatedAt">UTC.</param>
/// <param name="AcknowledgedAt">UTC; null: never yet.</param>
/// <param name="DroppedAt">When it was dropped because it lagged too far behind, UTC.</param>
/// <param name="Problem">Why it cannot go on; null when it can.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.consumer-description")]
public sealed record ConsumerDescription(
    [property: Id(0)] string Name,
    [property: Id(1)] ulong Acknowledged,
    [property: Id(2)] ulong Lag,
    [property: Id(3)] long LagBytes,
    [property: Id(4)] DateTimeOffset CreatedAt,
    [property: Id(5)] DateTimeOffset? AcknowledgedAt,
    [property: Id(6)] DateTimeOffset? DroppedAt,
    [property: Id(7)] string? Problem);

/// <summary>What is known about a store's change log.</summary>
/// <param name="IsOn">Whether it is kept; when not, the rest says nothing.</param>
/// <param name="Files">Its files.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="First">The first sequence it has.</param>
/// <param name="Last">The last one; one less than <paramref name="First"/> when it has none.</param>
/// <param name="FirstTime">When its oldest file was begun, UTC.</param>
/// <param name="LastTime">When its last entry was written, UTC.</param>
/// <param name="Policy">How it is kept.</param>
/// <param name="Consumers">Ordered by name.</param>
/// <param name="Directory">Where it lies on its node.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.change-log-description")]
public sealed record ChangeLogDescription(
    [property: Id(0)] bool IsOn,
    [property: Id(1)] int Files,
    [property: Id(2)] long Bytes,
    [property: Id(3)] ulong First,
    [property: Id(4)] ulong Last,
    [property: Id(5)] DateTimeOffset? FirstTime,
    [property: Id(6)] DateTimeOffset? LastTime,
    [property: Id(7)] ChangeLogPolicy Policy,
    [property: Id(8)] IReadOnlyList<ConsumerDescription> Consumers,
    [property: Id(9)] string Directory);

/// <summary>Asks to remove whole files of a change log, the oldest first. At least one limit is given; all
/// hold.</summary>
/// <param name="OlderThan">Files whose entries are all older.</param>
/// <param name="Through">Files whose entries all lie up to this sequence.</param>
/// <param name="ThroughFile">Files up to and including the one of this name.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.purge-changes-request")]
public sealed record PurgeChangesRequest(
    [property: Id(0)] DateTimeOffset? OlderThan = null,
    [property: Id(1)] ulong? Through = null,
    [property: Id(2)] string? ThroughFile = null);

/// <summary>What was removed.</summary>
/// <param name="Files">Files.</param>
/// <param name="Entries">Entries in them.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="KeptFor">A consumer that kept more from being removed; null when none did.</param>
/// <param name="DroppedConsumers">Consumers that were dropped because they lagged too far behind.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.purge-changes-outcome")]
public sealed record PurgeChangesOutcome(
    [property: Id(0)] int Files,
    [property: Id(1)] long Entries,
    [property: Id(2)] long Bytes,
    [property: Id(3)] string? KeptFor,
    [property: Id(4)] IReadOnlyList<string> DroppedConsumers);

/// <summary>A part of a change log that cannot be read.</summary>
/// <param name="File">The file, on its node.</param>
/// <param name="Offset">Where in it, in bytes.</param>
/// <param name="First">The first sequence that cannot be read.</param>
/// <param name="Last">The last one; less than <paramref name="First"/> when none is lost; null: up to the end.</param>
/// <param name="Reason">What is wrong.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.change-log-finding")]
public sealed record ChangeLogFinding(
    [property: Id(0)] string File,
    [property: Id(1)] long Offset,
    [property: Id(2)] ulong First,
    [property: Id(3)] ulong? Last,
    [property: Id(4)] string Reason);

/// <summary>What reading all of a change log found.</summary>
/// <param name="Files">Files read.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Entries">Batches that can be read.</param>
/// <param name="Gaps">Gaps that the log itself tells of.</param>
/// <param name="First">The first sequence.</param>
/// <param name="Last">The last sequence that can be read.</param>
/// <param name="Findings">What cannot be read; empty when all can.</param>
[GenerateSerializer]
[Immutable]
[Alias("branching.change-log-validation")]
public sealed record ChangeLogReport(
    [property: Id(0)] int Files,
    [property: Id(1)] long Bytes,
    [property: Id(2)] long Entries,
    [property: Id(3)] int Gaps,
    [property: Id(4)] ulong? First,
    [property: Id(5)] ulong? Last,
    [property: Id(6)] IReadOnlyList<ChangeLogFinding> Findings);
