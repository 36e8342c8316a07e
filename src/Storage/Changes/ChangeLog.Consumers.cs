using System.Text.RegularExpressions;

namespace Branching.Storage.Changes;

/// <content>Named consumers: their positions are durable, and what they have not read is not removed.</content>
public sealed partial class ChangeLog
{
    private const int MaxConsumers = 1000;

    private readonly Dictionary<string, ConsumerDocument> _consumers = new(StringComparer.Ordinal);
    private readonly Lock _stateFile = new();
    private ulong _consumerChanges;
    private ulong _consumerChangesWritten;

    /// <summary>The consumers, ordered by name.</summary>
    public IReadOnlyList<ChangeConsumer> ListConsumers()
    {
        lock (_lock)
        {
            return [.. _consumers.Values.OrderBy(c => c.Name, StringComparer.Ordinal).Select(Describe)];
        }
    }

    /// <summary>Creates a consumer; one of that name that can go on stays as it is. Durable on return. Blocking.
    /// </summary>
    /// <returns>The consumer, and whether it is new.</returns>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidName"/>; as <see cref="OpenReader"/> for the start;
    /// <see cref="FailureKind.ConsumerDropped"/> or <see cref="FailureKind.ChangePositionInvalid"/>: there is one that
    /// cannot go on; remove it first.
    /// </exception>
    public (ChangeConsumer Consumer, bool IsNew) CreateConsumer(string name, ChangeStart start)
    {
        CheckConsumerName(name);
        if (start.Kind == ChangeStartKind.Consumer)
        {
            throw new StorageException(FailureKind.InvalidArgument, "A consumer begins at a place in the log.");
        }

        ThrowIfClosed();
        ulong after = Resolve(start, acrossDamage: true);
        ConsumerDocument created;
        lock (_lock)
        {
            if (_consumers.TryGetValue(name, out ConsumerDocument? there))
            {
                ThrowIfCannotGoOn(there);
                return (Describe(there), false);
            }

            if (_consumers.Count >= MaxConsumers)
            {
                throw new StorageException(
                    FailureKind.Refused,
                    $"Consumer '{name}' was not created: the change log of {Label} has {MaxConsumers} already. " +
                    "Remove some.");
            }

            // Between the look and now what it begins with may have been removed.
            InLog(after);
            created = new ConsumerDocument(name, History, after, _time.GetUtcNow());
            _consumers.Add(name, created);
            _consumerChanges++;
        }

        SaveOr(() => _consumers.Remove(name));
        return (Described(created), true);
    }

    /// <summary>
    /// Says that a consumer has done with everything up to a sequence. Durable on return. Going back is ignored.
    /// Blocking.
    /// </summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.ConsumerNotFound"/>, <see cref="FailureKind.ConsumerDropped"/>,
    /// <see cref="FailureKind.ChangePositionInvalid"/>: the sequence is beyond the log's end, or the position of
    /// another store or history.
    /// </exception>
    public ChangeConsumer Acknowledge(string name, ChangePosition position)
    {
        CheckPosition(position);
        return Acknowledge(name, position.Sequence);
    }

    /// <inheritdoc cref="Acknowledge(string, ChangePosition)"/>
    public ChangeConsumer Acknowledge(string name, Sequence sequence)
    {
        ThrowIfClosed();
        ConsumerDocument before;
        lock (_lock)
        {
            before = Find(name);
            ThrowIfCannotGoOn(before);
            if (sequence.Value > _end)
            {
                throw Invalid($"The acknowledgement of sequence {sequence}", "it is beyond the end");
            }

            if (sequence.Value <= before.Sequence)
            {
                return Describe(before);
            }

            _consumers[name] = before with { Sequence = sequence.Value, AcknowledgedAt = _time.GetUtcNow() };
            _consumerChanges++;
        }

        SaveOr(() => _consumers[name] = before);
        lock (_lock)
        {
            return _consumers.TryGetValue(name, out ConsumerDocument? now) ? Describe(now) : Describe(before);
        }
    }

    /// <summary>Removes a consumer. Durable on return. Blocking.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.ConsumerNotFound"/>.</exception>
    public void RemoveConsumer(string name)
    {
        ThrowIfClosed();
        ConsumerDocument before;
        lock (_lock)
        {
            before = Find(name);
            _consumers.Remove(name);
            _consumerChanges++;
        }

        SaveOr(() => _consumers.TryAdd(name, before));
    }

    private ulong PositionOfConsumer(string name)
    {
        lock (_lock)
        {
            ConsumerDocument consumer = Find(name);
            ThrowIfCannotGoOn(consumer);
            return consumer.Sequence;
        }
    }

    /// <summary>What no consumer needs any more; everything when there is none.</summary>
    private ulong NeededByNone()
    {
        ulong least = ulong.MaxValue;
        foreach (ConsumerDocument consumer in _consumers.Values.Where(Holds))
        {
            least = Math.Min(least, consumer.Sequence);
        }

        return least;
    }

    // One that was dropped, or that read what did not last, has to begin again; nothing waits for it.
    private bool Holds(ConsumerDocument consumer) => ProblemOf(consumer) is null;

    private string? ProblemOf(ConsumerDocument consumer) => consumer.DroppedAt is { } at
        ? $"it was dropped on {at:u}, because it lagged too far behind"
        : ChangeHistories.Problem(_histories, consumer.History, consumer.Sequence);

    private ConsumerDocument Find(string name) => _consumers.TryGetValue(name, out ConsumerDocument? found)
        ? found
        : throw new StorageException(
            FailureKind.ConsumerNotFound,
            $"The change log of {Label} has no consumer '{Names.Show(name)}'. List them, or create it first.");

    private void ThrowIfCannotGoOn(ConsumerDocument consumer)
    {
        if (consumer.DroppedAt is { } at)
        {
            throw new StorageException(
                FailureKind.ConsumerDropped,
                $"Consumer '{consumer.Name}' of the change log of {Label} had acknowledged sequence " +
                $"{consumer.Sequence} and was dropped on {at:u}, because it lagged too far behind. The log begins " +
                $"with sequence {_files[0].First} now. Remove it, read the store itself, and create it again.");
        }

        if (ProblemOf(consumer) is { } problem)
        {
            throw Invalid($"Consumer '{consumer.Name}', which has acknowledged sequence {consumer.Sequence},", problem);
        }
    }

    private ChangeConsumer Described(ConsumerDocument consumer)
    {
        lock (_lock)
        {
            return Describe(consumer);
        }
    }

    private ChangeConsumer Describe(ConsumerDocument consumer) => new(
        consumer.Name, new Sequence(consumer.Sequence), _end > consumer.Sequence ? _end - consumer.Sequence : 0,
        BytesBehind(consumer.Sequence), consumer.CreatedAt, consumer.AcknowledgedAt, consumer.DroppedAt,
        ProblemOf(consumer));

    private long BytesBehind(ulong sequence)
    {
        long bytes = 0;
        for (int i = _files.Count - 1; i >= 0 && LastOf(i) > sequence; i--)
        {
            bytes += _files[i].Bytes;
        }

        return bytes;
    }

    /// <summary>Makes the consumers as they are now durable; several callers share one write.</summary>
    private void SaveOr(Action undo)
    {
        ulong mine;
        lock (_lock)
        {
            mine = _consumerChanges;
        }

        try
        {
            Save(mine);
        }
        catch (StorageException)
        {
            lock (_lock)
            {
                undo();
                _consumerChanges++;
            }

            throw;
        }
    }

    private void Save(ulong atLeast)
    {
        lock (_stateFile)
        {
            ThrowIfClosed();
            if (_consumerChangesWritten >= atLeast)
            {
                return;
            }

            ChangeStateDocument state;
            ulong change;
            lock (_lock)
            {
                change = _consumerChanges;
                state = new ChangeStateDocument(
                    ChangeState.Format, _place.Database.ToString(), _place.Store.ToString(), [.. _histories],
                    [.. _consumers.Values.OrderBy(c => c.Name, StringComparer.Ordinal)]);
            }

            ChangeState.Write(_place, state);
            _consumerChangesWritten = change;
        }
    }

    private static void CheckConsumerName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!ConsumerName().IsMatch(name))
        {
            throw new StorageException(
                FailureKind.InvalidName,
                $"'{Names.Show(name)}' is not a consumer name: use 1 to 128 of A-Z, a-z, 0-9, '.', '_' and '-'.");
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,128}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ConsumerName();
}
