using Branching.ClientApp.Commands;
using Branching.Grains;

namespace Branching.ClientApp.Shell;

/// <summary>How a shell was asked to behave.</summary>
/// <param name="Globals">Options of every command, as they were given to the shell.</param>
/// <param name="ReadOnly">Nothing that changes anything is sent.</param>
/// <param name="Yes">Nothing is asked.</param>
/// <param name="ContinueOnError">A failed command does not end a script.</param>
internal sealed record ShellOptions(
    IReadOnlyList<string> Globals, bool ReadOnly, bool Yes, bool ContinueOnError);

/// <summary>Where a shell is: its way to the grains, the branch in use, and the transaction under way.</summary>
internal sealed class ShellState(Invocation invocation, ISession session, ShellOptions options)
{
    public Invocation Invocation { get; } = invocation;

    public ISession Session { get; } = session;

    public ShellOptions Options { get; } = options;

    /// <summary>The database in use; null: none.</summary>
    public string? Database { get; private set; }

    /// <summary>The branch in use.</summary>
    public string Branch { get; private set; } = BranchKey.Main;

    /// <summary>The transaction under way on that branch; null: none.</summary>
    public ShellTransaction? Transaction { get; set; }

    /// <summary>Whether somebody asked to leave.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>The way to the grains for one command: inside a transaction through that.</summary>
    public IGrainFactory Grains => Transaction?.Grains ?? Session.Grains;

    /// <summary>What the person who types is asked with.</summary>
    public string Prompt
        => (Database is null ? "branching" : $"{Database}/{Branch}")
            + (Transaction is null ? "" : "*")
            + (Options.ReadOnly ? " (read-only)" : "")
            + "> ";

    /// <summary>The database in use.</summary>
    /// <exception cref="UserError">None is.</exception>
    public string RequireDatabase()
        => Database ?? throw new UserError(ExitCode.Usage, "no database is in use", "use DATABASE, or databases");

    /// <summary>The branch in use.</summary>
    /// <exception cref="UserError">No database is in use.</exception>
    public IStoreGrain RequireStore() => Invocation.Store(Session, RequireDatabase(), Branch);

    /// <summary>Goes to a branch that exists.</summary>
    public async Task UseAsync(string database, string branch, CancellationToken cancellationToken)
    {
        if (Transaction is not null && (database != Database || branch != Branch))
        {
            throw new UserError(
                ExitCode.Usage, $"a transaction on {Database}/{Branch} is open", "commit or rollback first");
        }

        // The database first: when it is absent, that is the news, not its branch.
        await Session.Grains.GetDatabase(database).DescribeAsync(cancellationToken);
        if (branch != BranchKey.Main)
        {
            await Session.Grains.GetBranch(database, branch).DescribeAsync(includeSize: false, cancellationToken);
        }

        GoTo(database, branch);
    }

    /// <summary>Goes to a branch that is known to exist.</summary>
    public void GoTo(string database, string branch)
    {
        Database = database;
        Branch = branch;
    }

    /// <summary>Forgets a database that was dropped, or goes to its main store when a branch was deleted.</summary>
    /// <param name="done">A command that has succeeded.</param>
    public void LeaveIfGone(ResolvedCommand done)
    {
        if (done.Path == "drop" && done.ValueOf(CommonSymbols.DatabaseName) == Database)
        {
            Database = null;
            Branch = BranchKey.Main;
        }
        else if (done.Path == "branch delete" && done.ValueOf(BranchCommands.BranchName) == Branch)
        {
            Branch = BranchKey.Main;
        }
    }
}
