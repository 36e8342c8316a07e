using Branching.Silo;

namespace Branching.ClientApp;

/// <summary>
/// How to follow advice that names a setting of the node: by an option or a variable of the environment for a node in
/// this process, else where the node is started.
/// </summary>
internal static class SettingAdvice
{
    private static readonly Advice[] _known =
    [
        new(Sessions.DirtyStore, "RestoreSnapshot", ["--dirty-store", "restore-snapshot"]),
        new(Sessions.AcceptOlderSnapshots, "true", ["--accept-older-snapshots"]),
        new("Branching:SharedStorage:AcceptOther", "true"),
        new("Branching:SharedStorage:AcceptUnknown", "true"),
        new("Branching:SharedStorage:RequireMark", "false"),
    ];

    /// <summary>The advice for the first setting that <paramref name="message"/> names; null when it names none.
    /// </summary>
    public static string? For(string message, Invocation invocation)
    {
        Advice? found = Array.Find(_known, one => message.Contains(one.Setting, StringComparison.Ordinal));
        if (found is null)
        {
            return null;
        }

        string variable = $"{NodeSettings.VariableOf(found.Setting)}={found.Value}";
        if (invocation.Target.Cluster is not null)
        {
            return $"{variable} in the environment of the node that says so, or the setting in its file, and start it "
                + "again";
        }

        string inEnvironment = $"{variable} in the environment";
        return found.Option is not { } option ? inEnvironment
            : invocation.Host.Wording is null ? $"{invocation.Again(option)}, or {inEnvironment}"
            : $"open another shell with {string.Join(' ', option)}, or {inEnvironment}";
    }

    /// <param name="Setting">Its key.</param>
    /// <param name="Value">What it is set to.</param>
    /// <param name="Option">The words of the command line that do the same; null: there are none.</param>
    private sealed record Advice(string Setting, string Value, string[]? Option = null);
}
