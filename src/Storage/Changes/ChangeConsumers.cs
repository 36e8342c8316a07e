namespace Branching.Storage.Changes;

/// <summary>Somebody who reads a change log to its end and says how far; its files stay until then.</summary>
/// <param name="Name">1 to 128 of <c>A-Z a-z 0-9 . _ -</c>.</param>
/// <param name="Acknowledged">What it has done with, and all before.</param>
/// <param name="Lag">Sequences behind the end of the log.</param>
/// <param name="LagBytes">Bytes of files that wait for it.</param>
/// <param name="CreatedAt">When it was created, UTC.</param>
/// <param name="AcknowledgedAt">When it acknowledged last, UTC.</param>
/// <param name="DroppedAt">When it was dropped because it lagged too far behind; its files may be gone.</param>
/// <param name="Problem">Why it cannot go on where it was; <see langword="null"/> when it can.</param>
public sealed record ChangeConsumer(
    string Name, Sequence Acknowledged, ulong Lag, long LagBytes, DateTimeOffset CreatedAt,
    DateTimeOffset? AcknowledgedAt, DateTimeOffset? DroppedAt, string? Problem);
