using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage;

public sealed partial class LocalStore
{
    /// <summary>Checks a request before it takes a place in the queue: bad input never reaches the disk.</summary>
    /// <param name="request">The request.</param>
    /// <param name="bytes">Its keys and values.</param>
    /// <param name="reads">Whether the writer must read what is there to know what to write.</param>
    /// <param name="refusal">Why it is refused.</param>
    private bool TryMeasure(
        WriteRequest request, out long bytes, out bool reads, [NotNullWhen(false)] out StorageException? refusal)
    {
        bytes = 0;
        reads = false;
        refusal = IsReadOnly ? ReadOnlyRefusal() : Volatile.Read(ref _poison) is { } cause ? Poisoned(cause) : null;
        IReadOnlyList<WriteOperation> operations = request.Operations;
        int count = operations.Count;
        for (int i = 0; refusal is null && i < count; i++)
        {
            WriteOperation operation = operations[i];
            bytes += operation.Key.Length + operation.Value.Length;
            reads |= operation.Kind >= WriteKind.Merge;
            refusal = Check(operation, i);
        }

        if (request.Preconditions is { } conditions)
        {
            for (int i = 0; refusal is null && i < conditions.Count; i++)
            {
                bytes += conditions[i].Key.Length + conditions[i].Value.Length;
                refusal = Check(conditions[i], i);
            }
        }

        if (refusal is null && request.Durability is not (Durability.Sync or Durability.Buffered))
        {
            refusal = Refused($"its durability {(int)request.Durability} is unknown");
        }

        if (refusal is null && bytes > _options.MaxRequestBytes)
        {
            refusal = new StorageException(FailureKind.RequestTooLarge,
                $"A write to {Label} has {bytes} bytes of keys and values; at most {_options.MaxRequestBytes} are " +
                "allowed (MaxRequestBytes). Split it, or raise the limit.");
        }

        return refusal is null;
    }

    private StorageException? Check(in WriteOperation operation, int index)
    {
        switch (operation.Kind)
        {
            case WriteKind.Put:
            case WriteKind.Delete:
            case WriteKind.Merge:
            case WriteKind.Append:
                return CheckKeyLength(operation.Key.Length, "operation", index)
                    ?? (operation.TimeToLive == default ? null : CheckTimeToLive(operation, index));
            case WriteKind.DeleteRange:
                if (operation.Value.IsEmpty)
                {
                    return Refused($"operation {index} deletes a range without an end");
                }

                return CheckKeyLength(operation.Key.Length, "operation", index)
                    ?? CheckKeyLength(operation.Value.Length, "operation", index)
                    ?? (operation.TimeToLive == default ? null : CheckTimeToLive(operation, index))
                    ?? (operation.Key.Span.SequenceCompareTo(operation.Value.Span) > 0
                        ? Refused($"operation {index} deletes a range that ends before it begins")
                        : null);
            default:
                return Refused($"operation {index} is of the unknown kind {(int)operation.Kind}");
        }
    }

    private StorageException? CheckTimeToLive(in WriteOperation operation, int index)
    {
        if (operation.Kind is WriteKind.Delete or WriteKind.DeleteRange)
        {
            return Refused($"operation {index} gives a time to live to what it deletes");
        }

        return operation.TimeToLive == Timeout.InfiniteTimeSpan || IsTimeToLive(operation.TimeToLive)
            ? null
            : Refused($"operation {index} has a time to live of {operation.TimeToLive}, outside of 1 ms to " +
                $"{ExpiryStamp.MaxMilliseconds} ms");
    }

    private StorageException? Check(in Precondition condition, int index) =>
        condition.Kind is PreconditionKind.KeyAbsent or PreconditionKind.KeyPresent or PreconditionKind.ValueEquals
            ? CheckKeyLength(condition.Key.Length, "precondition", index)
            : Refused($"precondition {index} is of the unknown kind {(int)condition.Kind}");

    private StorageException? CheckKeyLength(int length, string what, int index) => length switch
    {
        0 => Refused($"{what} {index} has an empty key"),
        > MaxKeyBytes => Refused($"{what} {index} has a key of {length} bytes, more than {MaxKeyBytes}"),
        _ => null,
    };

    private StorageException Refused(string why) => new(
        FailureKind.InvalidArgument, $"A write to {Label} was refused: {why}. Nothing was applied.");
}
