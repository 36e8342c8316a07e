using Branching.Storage;
using Branching.Storage.Changes;

namespace Branching.Grains;

/// <summary>Maps Storage's change log to the wire and back.</summary>
internal static class ChangeMapping
{
    public static ChangeStart ToStorage(ChangeFrom? from)
    {
        GrainFailure.ThrowIfMissing(from, "The place to begin at");
        return from.Kind switch
        {
            ChangeFromKind.First => ChangeStart.First,
            ChangeFromKind.Now => ChangeStart.Now,
            ChangeFromKind.Sequence => ChangeStart.At(new Sequence(from.Number)),
            ChangeFromKind.AfterSequence => ChangeStart.Behind(new Sequence(from.Number)),
            ChangeFromKind.Time => ChangeStart.Since(from.At),
            ChangeFromKind.Position => ChangeStart.Behind(ChangePosition.Parse(from.Token.Span)),
            ChangeFromKind.Consumer => ChangeStart.OfConsumer(NameOf(from.Name)),
            _ => throw GrainFailure.Refused($"A place in a change log has the unknown kind {(int)from.Kind}."),
        };
    }

    public static string NameOf(string? name)
    {
        GrainFailure.ThrowIfMissing(name, "The name of the consumer");
        return name;
    }

    public static ChangeLogSettings ToStorage(ChangeLogPolicy policy) => new()
    {
        RotateBytes = policy.RotateBytes,
        RotateAfter = policy.RotateAfter,
        KeepBytes = policy.KeepBytes,
        KeepFor = policy.KeepFor,
        KeepFiles = policy.KeepFiles,
        DropConsumersBehindBytes = policy.DropConsumersBehindBytes,
    };

    public static ChangeEntry ToWire(Change change, ChangePosition position)
    {
        LoggedOperation[] operations = [.. change.Operations.Select(operation => new LoggedOperation(
            (LoggedOperationKind)(int)operation.Kind, operation.ColumnFamily, operation.Key, operation.Value,
            operation.ExpiresAt))];
        return new ChangeEntry(
            (ChangeEntryKind)(int)change.Kind, change.First.Value, change.Last.Value, change.Time, operations,
            (ChangeEntryGap)(int)change.Gap, (position with { Sequence = change.Last }).ToBytes());
    }

    public static ConsumerDescription ToWire(ChangeConsumer consumer) => new(
        consumer.Name, consumer.Acknowledged.Value, consumer.Lag, consumer.LagBytes, consumer.CreatedAt,
        consumer.AcknowledgedAt, consumer.DroppedAt, consumer.Problem);

    public static ChangeLogDescription ToWire(ChangeLogStatistics known, string directory)
    {
        ConsumerDescription[] consumers = [.. known.Consumers.Select(ToWire)];
        return new ChangeLogDescription(
            IsOn: true, known.Files, known.Bytes, known.First.Value, known.Last.Value, known.FirstTime,
            known.LastTime, ToWire(known.Settings), consumers, directory);
    }

    public static ChangeLogDescription Off(string directory) => new(
        IsOn: false, 0, 0, 0, 0, null, null, ChangeLogPolicy.Default, Array.Empty<ConsumerDescription>(), directory);

    public static PurgeChangesOutcome ToWire(ChangePurgeResult result)
    {
        string[] dropped = [.. result.DroppedConsumers];
        return new PurgeChangesOutcome(result.Files, result.Entries, result.Bytes, result.KeptFor, dropped);
    }

    public static ChangeLogReport ToWire(ChangeLogValidation found)
    {
        ChangeLogFinding[] findings = [.. found.Damage.Select(damage => new ChangeLogFinding(
            damage.File, damage.Offset, damage.First.Value, damage.Last?.Value, damage.Reason))];
        return new ChangeLogReport(
            found.Files, found.Bytes, found.Entries, found.Gaps, found.First?.Value, found.Last?.Value, findings);
    }

    private static ChangeLogPolicy ToWire(ChangeLogSettings settings) => new(
        settings.RotateBytes, settings.RotateAfter, settings.KeepBytes, settings.KeepFor, settings.KeepFiles,
        settings.DropConsumersBehindBytes);
}
