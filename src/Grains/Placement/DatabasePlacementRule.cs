using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Branching.Grains;

/// <summary>What one node said when it was asked about a database.</summary>
/// <param name="Silo">The node.</param>
/// <param name="Name">Its name, which outlives restarts as its address does not.</param>
/// <param name="Holds">Whether its data root holds the database; null when it did not answer.</param>
/// <param name="Databases">How many databases it holds.</param>
/// <param name="Epoch">The tenure that its copy belongs to, or that it gave up; 0 without shared storage.</param>
/// <param name="Owned">Whether it serves the database now.</param>
/// <param name="TakingOver">Whether it is bringing the database up now.</param>
/// <param name="GivenTo">Name of the node that it gave the database up for a moment ago; null when it did not.</param>
internal readonly record struct NodeAnswer(
    SiloAddress Silo,
    string Name,
    bool? Holds,
    int Databases = 0,
    ulong Epoch = 0,
    bool Owned = false,
    bool TakingOver = false,
    string? GivenTo = null)
{
    /// <summary>Whether it serves the database or is bringing it up.</summary>
    public bool Serves => Owned || TakingOver;

    public static NodeAnswer Of(SiloAddress silo, string name, DatabaseHolding said) =>
        new(silo, name, said.Holds, said.Databases, said.Epoch, said.Owned, said.TakingOver, said.GivenTo);
}

/// <summary>Chooses a node for a database. Same answers, same choice: on every node that asks.</summary>
internal static class DatabasePlacementRule
{
    /// <summary>
    /// The node that serves the database, else the one that is bringing it up, else the one that it was given to a
    /// moment ago, else the one with its newest copy; the first by name of equal ones.
    /// </summary>
    public static NodeAnswer? Holder(IReadOnlyCollection<NodeAnswer> answers)
    {
        string? heir = Heir(answers);
        NodeAnswer? first = null;
        foreach (NodeAnswer answer in answers)
        {
            bool isHeir = answer.Holds is not null && answer.Name == heir;
            if ((answer.Holds == true || answer.TakingOver || isHeir)
                && (first is not { } best || IsNearer(answer, best, heir)))
            {
                first = answer;
            }
        }

        return first;
    }

    /// <summary>Name of the node that the database was given to last, a moment ago; null when it was given to none.
    /// </summary>
    public static string? Heir(IEnumerable<NodeAnswer> answers)
    {
        NodeAnswer last = default;
        foreach (NodeAnswer answer in answers)
        {
            if (answer.GivenTo is not null && (last.GivenTo is null || answer.Epoch > last.Epoch))
            {
                last = answer;
            }
        }

        return last.GivenTo;
    }

    private static bool IsNearer(NodeAnswer left, NodeAnswer right, string? heir)
    {
        int byNearness = (left.Owned, left.TakingOver, left.Name == heir, left.Epoch).CompareTo(
            (right.Owned, right.TakingOver, right.Name == heir, right.Epoch));
        return byNearness != 0 ? byNearness > 0 : IsBefore(left, right);
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
