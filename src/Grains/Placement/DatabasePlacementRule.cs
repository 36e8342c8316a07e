using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Branching.Grains;

/// <summary>What one node said when it was asked about a database.</summary>
/// <param name="Silo">The node.</param>
/// <param name="Name">Its name, which outlives restarts as its address does not.</param>
/// <param name="Holds">Whether its data root holds the database; null when it did not answer.</param>
/// <param name="Databases">How many databases it holds; only asked when nobody holds this one.</param>
internal readonly record struct NodeAnswer(SiloAddress Silo, string Name, bool? Holds, int Databases = 0);

/// <summary>Chooses a node for a database. Same answers, same choice: on every node that asks.</summary>
internal static class DatabasePlacementRule
{
    /// <summary>The node that holds the database; the first by name when several claim to.</summary>
    public static NodeAnswer? Holder(IEnumerable<NodeAnswer> answers)
    {
        NodeAnswer? first = null;
        foreach (NodeAnswer answer in answers)
        {
            if (answer.Holds == true && (first is not { } best || IsBefore(answer, best)))
            {
                first = answer;
            }
        }

        return first;
    }

    /// <summary>
    /// The node for a database that nobody holds: of those that answered, or of all when none did, the one with the
    /// fewest databases; of equal ones the one that a hash of both names prefers.
    /// </summary>
    /// <remarks>The hash spreads many databases that are created at once and find all nodes equally full.</remarks>
    public static NodeAnswer LeastLoaded(string database, IReadOnlyCollection<NodeAnswer> answers)
    {
        NodeAnswer? best = null;
        bool anybody = answers.Any(answer => answer.Holds is not null);
        foreach (NodeAnswer answer in answers)
        {
            if (anybody && answer.Holds is null)
            {
                continue;
            }

            if (best is not { } found || IsBetter(database, answer, found))
            {
                best = answer;
            }
        }

        return best ?? throw new SiloUnavailableException($"No live node can take database '{database}'.");
    }

    private static bool IsBetter(string database, NodeAnswer candidate, NodeAnswer best)
    {
        int byLoad = candidate.Databases.CompareTo(best.Databases);
        if (byLoad != 0)
        {
            return byLoad < 0;
        }

        int byHash = Weight(database, candidate).CompareTo(Weight(database, best));
        return byHash != 0 ? byHash > 0 : IsBefore(candidate, best);
    }

    private static bool IsBefore(NodeAnswer left, NodeAnswer right)
    {
        int byName = string.CompareOrdinal(left.Name, right.Name);
        return byName != 0 ? byName < 0 : left.Silo.CompareTo(right.Silo) < 0;
    }

    // Rendezvous hashing: each pair of names has its own weight, so a node that comes or goes changes few choices.
    private static ulong Weight(string database, NodeAnswer node)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{database}\n{node.Name}"), digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }
}
