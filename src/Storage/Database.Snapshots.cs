namespace Branching.Storage;

public sealed partial class Database
{
    /// <summary>Where the database keeps what, for those who take and restore its snapshots.</summary>
    internal DatabaseFiles Files => _files;
}
