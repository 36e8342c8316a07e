using Branching.Grains;
using Microsoft.Extensions.Configuration;

namespace Branching.Silo;

/// <summary>Settings of a node in the environment, as <c>Branching__SharedStorage__DirtyStore=Fresh</c>.</summary>
public static class NodeSettings
{
    private const string Separator = "__";

    /// <summary>All settings among <paramref name="variables"/>, checked as those of a server are.</summary>
    /// <returns>Keys, as <c>Branching:SharedStorage:DirtyStore</c>, and their values.</returns>
    /// <exception cref="BranchingException"><see cref="FailureKind.InvalidArgument"/>: there is no such setting, or it
    /// does not take that value.</exception>
    public static IReadOnlyDictionary<string, string?> Read(IEnumerable<KeyValuePair<string, string>> variables)
    {
        ArgumentNullException.ThrowIfNull(variables);
        Dictionary<string, string?> settings = new(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, string value) in variables)
        {
            string key = KeyOf(name);
            if (key.StartsWith("Branching:", StringComparison.OrdinalIgnoreCase))
            {
                settings[key] = value;
            }
        }

        if (settings.Count > 0) // Every command passes here, and hardly any environment has some.
        {
            ServerConfiguration.ThrowIfWrong(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        }

        return settings;
    }

    /// <summary>One setting among <paramref name="variables"/>, unchecked; null when it is absent or empty.</summary>
    public static string? TryFind(IEnumerable<KeyValuePair<string, string>> variables, string key)
    {
        ArgumentNullException.ThrowIfNull(variables);
        foreach ((string name, string value) in variables)
        {
            if (value.Length > 0 && KeyOf(name).Equals(key, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>The variable of the environment that stands for a setting.</summary>
    public static string VariableOf(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.Replace(":", Separator, StringComparison.Ordinal);
    }

    private static string KeyOf(string variable) => variable.Replace(Separator, ":", StringComparison.Ordinal);
}
