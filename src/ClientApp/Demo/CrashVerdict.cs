using Branching.Grains;

namespace Branching.ClientApp.Demo;

/// <summary>What the differences of a branch mean whose writer was killed.</summary>
/// <param name="Lost">Acknowledged writes that the branch does not hold.</param>
/// <param name="Unacknowledged">Writes it holds that were under way and not acknowledged: allowed.</param>
/// <param name="Unexplained">Everything else, lost writes included.</param>
internal sealed record CrashVerdict(int Lost, int Unacknowledged, List<Difference> Unexplained)
{
    /// <summary>Judges differences from the state after all acknowledged writes.</summary>
    public static CrashVerdict Of(
        CrashPlan plan, SortedSet<int> acknowledged, int writers, List<Difference> differences)
    {
        // Numbers are handed out in order, so what was under way lies within the writers' number of the last one seen;
        // as many again may have been acknowledged without their line having been printed.
        int last = acknowledged.Max + (2 * writers);
        var underWay = new SortedDictionary<byte[], WriteOperation>(ByteOrder.Instance);
        var done = new SortedSet<byte[]>(ByteOrder.Instance);
        for (int index = 0; index <= last; index++)
        {
            WriteOperation operation = plan[index];
            if (acknowledged.Contains(index))
            {
                done.Add(operation.Key.ToArray());
            }
            else
            {
                underWay[operation.Key.ToArray()] = operation;
            }
        }

        List<Difference> unexplained = [.. differences.Where(difference => !IsResultOf(difference, underWay))];
        return new CrashVerdict(
            unexplained.Count(difference => done.Contains(difference.Key)),
            differences.Count - unexplained.Count,
            unexplained);
    }

    private static bool IsResultOf(Difference difference, SortedDictionary<byte[], WriteOperation> underWay)
    {
        if (!underWay.TryGetValue(difference.Key, out WriteOperation operation))
        {
            return false;
        }

        return operation.Kind == WriteOperationKind.Delete
            ? difference.Actual is null
            : difference.Actual is not null && operation.Value.Span.SequenceEqual(difference.Actual);
    }
}
