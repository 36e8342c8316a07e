using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Branching.Storage.Changes;

/// <content>The readers' side.</content>
public sealed partial class ChangeLog
{
    /// <summary>Opens a reader. Blocking: a start by time reads the file that the time lies in.</summary>
    /// <param name="start">Where it begins.</param>
    /// <param name="acrossDamage">
    /// What to do with a damaged frame: <see langword="false"/> fails, <see langword="true"/> gives a gap and goes on.
    /// </param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.ChangesGone"/>: the log begins later. <see cref="FailureKind.ChangePositionInvalid"/>:
    /// the position is of another store or history, or beyond the log's end.
    /// <see cref="FailureKind.ConsumerNotFound"/>, <see cref="FailureKind.ConsumerDropped"/>,
    /// <see cref="FailureKind.Closed"/>.
    /// </exception>
    public ChangeReader OpenReader(ChangeStart start, bool acrossDamage = false)
    {
        ThrowIfClosed();
        return new ChangeReader(this, Resolve(start, acrossDamage), acrossDamage);
    }

    /// <summary>Streams the entries from a place on; with <paramref name="follow"/> it waits for more.</summary>
    /// <exception cref="StorageException">As <see cref="OpenReader"/> and <see cref="ChangeReader.ReadPage"/>; a
    /// followed log that is closed ends with <see cref="FailureKind.Closed"/>.</exception>
    public async IAsyncEnumerable<Change> ReadAsync(
        ChangeStart start, bool follow = false, bool acrossDamage = false,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        const long PageBytes = 1 << 20;
        using ChangeReader reader = await Task.Run(() => OpenReader(start, acrossDamage), cancellationToken)
            .ConfigureAwait(false);
        List<Change> page = [];
        while (true)
        {
            page.Clear();
            if (await Task.Run(() => reader.ReadPage(PageBytes, page), cancellationToken).ConfigureAwait(false) == 0)
            {
                if (!follow)
                {
                    yield break;
                }

                await reader.MoreAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
                ThrowIfClosed();
                continue;
            }

            foreach (Change change in page)
            {
                yield return change;
            }
        }
    }

    /// <summary>Reads everything that the log has and says what of it is damaged. Blocking.</summary>
    public ChangeLogValidation Validate(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        List<(string, ulong, long?)> files;
        ulong end;
        lock (_lock)
        {
            files = [.. _files.Select(file => (file.Path, file.First, (long?)file.Bytes))];
            end = _end;
        }

        ChangeLogValidation found = ChangeLogValidator.Validate(Directory, files, end, cancellationToken);
        Guard();
        return found;
    }

    internal void ThrowIfMayNotAnswer() => Guard();

    /// <summary>The file that has what follows a sequence.</summary>
    /// <param name="after">The sequence.</param>
    /// <param name="atLeast">No file that begins earlier.</param>
    /// <param name="file">The file.</param>
    /// <param name="end">How far it may be read.</param>
    /// <param name="until">The last sequence that it must have.</param>
    /// <returns><see langword="false"/>: nothing follows yet.</returns>
    internal bool TryLocate(
        ulong after, ulong atLeast, [NotNullWhen(true)] out ChangeFile? file, out long end, out ulong until)
    {
        ThrowIfClosed();
        lock (_lock)
        {
            file = null;
            end = 0;
            until = 0;
            if (after >= _end)
            {
                return false;
            }

            if (after + 1 < _files[0].First)
            {
                throw Gone(after);
            }

            ulong wanted = Math.Max(after + 1, atLeast);
            int at = _files.FindLastIndex(f => f.First <= wanted);
            file = _files[at];
            end = file.Bytes;
            until = at + 1 < _files.Count ? _files[at + 1].First - 1 : _end;
            return true;
        }
    }

    internal StorageException Gone(ulong after)
    {
        ulong first = _files[0].First;
        return new StorageException(
            FailureKind.ChangesGone,
            $"The changes of {Label} behind sequence {after} are not in its log: it begins with sequence {first} and " +
            $"ends with {_end}. They were removed by retention, or the log was begun later. Read the store itself " +
            $"and go on from there.");
    }

    internal static StorageException Damaged(ChangeDamage damage, string label) => new(
        FailureKind.Corruption,
        $"The change log of {label} is damaged in '{damage.File}' at byte {damage.Offset}: {damage.Reason}. The " +
        $"changes of sequences {damage.First} to {damage.Last?.ToString() ?? "the end"} cannot be read. Nothing was " +
        "passed over; ask to read across damage to go on behind it.")
    {
        Damage = damage,
    };

    private ulong Resolve(ChangeStart start, bool acrossDamage)
    {
        switch (start.Kind)
        {
            case ChangeStartKind.First:
                lock (_lock)
                {
                    return _files[0].First - 1;
                }

            case ChangeStartKind.Now:
                return End.Value;
            case ChangeStartKind.Sequence:
                return InLog(start.After);
            case ChangeStartKind.Time:
                return FindTime(start.Time.UtcTicks, acrossDamage);
            case ChangeStartKind.Position:
                CheckPosition(start.From);
                return InLog(start.From.Sequence.Value);
            default:
                return InLog(PositionOfConsumer(start.Name!));
        }
    }

    private ulong InLog(ulong after)
    {
        lock (_lock)
        {
            if (after > _end)
            {
                throw new StorageException(
                    FailureKind.ChangePositionInvalid,
                    $"Sequence {after} is beyond the change log of {Label}, which ends with {_end}: it was read from " +
                    "a store that no longer is, or from another one. Begin from a sequence that the log has.");
            }

            return after + 1 >= _files[0].First ? after : throw Gone(after);
        }
    }

    /// <summary>Refuses a position of another store, or of a history that did not last.</summary>
    private void CheckPosition(ChangePosition position)
    {
        string? problem = position.Database != _place.Database
            ? $"it is of database id {position.Database}, this one is {_place.Database}"
            : position.Store != _place.Store
                ? $"it is of store {position.Store}, {Label} is store {_place.Store}"
                : null;
        lock (_lock)
        {
            problem ??= ChangeHistories.Problem(_histories, position.History, position.Sequence.Value);
        }

        if (problem is not null)
        {
            throw Invalid(
                $"The position behind sequence {position.Sequence}, given in epoch {position.Epoch},", problem);
        }
    }

    private StorageException Invalid(string what, string problem) => new(
        FailureKind.ChangePositionInvalid,
        $"{what} cannot be used in the change log of {Label}: {problem}. This log has sequences " +
        $"{_files[0].First} to {_end}, in epoch {_place.Epoch()}, and its history began behind sequence " +
        $"{_histories[^1].Start}. Read the store itself and go on from there.");

    /// <summary>The sequence before the first entry of a time or later.</summary>
    private ulong FindTime(long ticks, bool acrossDamage)
    {
        ulong from;
        lock (_lock)
        {
            // The last file that was begun before; an entry of that time is in it or comes first in the next.
            int at = Math.Max(0, _files.FindLastIndex(f => f.CreatedTicks < ticks));
            from = _files[at].First - 1;
        }

        using ChangeReader reader = new(this, from, acrossDamage);
        List<Change> page = [];
        while (reader.ReadPage(1 << 20, page) > 0)
        {
            if (page.Find(entry => entry.Time.UtcTicks >= ticks) is { } found)
            {
                return found.First.Value - 1;
            }

            page.Clear();
        }

        return reader.After.Value;
    }
}
