using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>
/// Names a snapshot on the command line: its id, the beginning of one, or a branch for the newest one of it.
/// </summary>
internal static class SnapshotReference
{
    private const int NearShown = 3;

    /// <summary>Words of the argument's help.</summary>
    public const string Help = "Id of the snapshot, the beginning of one, or a branch's name for its newest.";

    /// <summary>Calls with the id that is meant. When there is no such snapshot, the failure names near ones.</summary>
    public static async Task<T> UseAsync<T>(
        Invocation invocation,
        ISnapshotCoordinatorGrain grain,
        string text,
        Func<string, ValueTask<T>> call,
        CancellationToken cancellationToken)
    {
        if (!LooksLikeId(text))
        {
            IReadOnlyList<SnapshotDescription> all = await grain.ListAsync(null, cancellationToken);
            return await call(Find(text, all) ?? throw NotFound(invocation, text, all));
        }

        try
        {
            return await call(text);
        }
        catch (BranchingException missing) when (missing.Kind == FailureKind.SnapshotNotFound)
        {
            throw NotFound(invocation, text, await grain.ListAsync(null, cancellationToken));
        }
    }

    /// <summary>Edits that make one text of the other.</summary>
    internal static int Distance(string left, string right)
    {
        int[] row = [.. Enumerable.Range(0, right.Length + 1)];
        for (int i = 1; i <= left.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= right.Length; j++)
            {
                int replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }

    private static bool LooksLikeId(string text)
        => text.Split('-') is [{ Length: 32 } store, var epoch, var number]
            && store.All(char.IsAsciiHexDigitLower) && IsNumber(epoch) && IsNumber(number);

    private static bool IsNumber(string text) => text.Length > 0 && text.All(char.IsAsciiDigit);

    private static string? Find(string text, IReadOnlyList<SnapshotDescription> newestFirst)
    {
        // A damaged one is no answer to "the newest of this branch"; by its id it can still be looked at.
        if (newestFirst.FirstOrDefault(one => one.Branch == text && one.Problem is null) is { } newest)
        {
            return newest.SnapshotId;
        }

        SnapshotDescription[] begun =
            [.. newestFirst.Where(one => one.SnapshotId.StartsWith(text, StringComparison.Ordinal)).Take(2)];
        return begun is [var only] ? only.SnapshotId : null;
    }

    private static UserError NotFound(Invocation invocation, string text, IReadOnlyList<SnapshotDescription> all)
    {
        string database = invocation.Database!;
        string[] near =
        [
            .. all.OrderByDescending(one => CommonLength(one.SnapshotId, text))
                .ThenBy(one => Math.Min(Distance(one.SnapshotId, text), Distance(one.Branch, text)))
                .Take(NearShown)
                .Select(one => $"{one.SnapshotId} ({one.Branch} at {Screen.Number((long)one.Sequence)})"),
        ];
        string list = invocation.Command("snapshot", "list", database);
        return new UserError(
            ExitCode.NotFound,
            all.Count(one => one.SnapshotId.StartsWith(text, StringComparison.Ordinal)) > 1
                ? $"several snapshots of database {database} begin with '{text}'"
                : $"database {database} has no snapshot '{text}'",
            near.Length == 0
                ? "there is none yet: " + invocation.Command("snapshot", "take", database)
                : $"near ones: {string.Join(", ", near)}; all of them: {list}",
            nameof(FailureKind.SnapshotNotFound));
    }

    private static int CommonLength(string left, string right)
    {
        int length = 0;
        while (length < Math.Min(left.Length, right.Length) && left[length] == right[length])
        {
            length++;
        }

        return length;
    }
}
