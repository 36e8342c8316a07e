using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>What is known of durability, in words and cells.</summary>
internal static class SnapshotText
{
    /// <summary>What every listing says where there is no shared storage.</summary>
    public const string NothingSurvives = "no shared storage: nothing here survives the loss of this node";

    /// <summary>A branch's durability: without shared storage nothing is durable.</summary>
    public static string Durability(BranchDescription branch, bool shared) => branch.Durability switch
    {
        BranchDurability.Ephemeral => "ephemeral",
        _ => shared ? "durable" : "this node only",
    };

    /// <summary>What of a branch is not on shared storage.</summary>
    public static string Lag(BranchDescription branch, bool shared)
        => shared && branch.LagSequences is { } sequences ? Lag(sequences, branch.LagAge ?? TimeSpan.Zero) : "-";

    /// <summary>What of a database is not on shared storage.</summary>
    public static string Lag(DatabaseLag? lag) => lag is { } known ? Lag(known.Sequences, known.Age) : "-";

    /// <summary>Sequence numbers and the age of the oldest.</summary>
    public static string Lag(ulong sequences, TimeSpan age)
        => sequences == 0 ? "0" : $"{Screen.Number((long)sequences)}, {Screen.Duration(age)}";

    /// <summary>A time, or a dash for none.</summary>
    public static string TimeOrDash(DateTimeOffset? time) => time is { } known ? Screen.Time(known) : "-";

    /// <summary>A database's state.</summary>
    public static string State(DatabaseState state) => state switch
    {
        DatabaseState.Serving => "serving",
        DatabaseState.AtRest => "at rest",
        DatabaseState.TakingOver => "taking over",
        DatabaseState.Failed => "failed",
        DatabaseState.Held => "held",
        DatabaseState.Unreachable => "unreachable",
        DatabaseState.Moving => "moving",
        _ => state.ToString(),
    };

    /// <summary>A verification in a word or two.</summary>
    public static string Verified(VerificationOutcome? verified) => verified switch
    {
        null => "no",
        { Good: false } => "DAMAGED",
        { Kind: VerificationKind.Opened } => "opened",
        _ => "checksums",
    };

    /// <summary>Says once, beside a listing, that nothing survives the node.</summary>
    public static void NoteWithoutSharedStorage(Invocation invocation, bool shared)
    {
        if (!shared)
        {
            invocation.Note(invocation.Target.Cluster is null
                ? $"{NothingSurvives}; --shared-storage DIR changes that"
                : $"{NothingSurvives}; {Sessions.SharedStorageDirectory} on every server changes that");
        }
    }
}
