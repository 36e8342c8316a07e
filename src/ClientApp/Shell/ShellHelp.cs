using System.CommandLine;

namespace Branching.ClientApp.Shell;

/// <summary>The list of commands.</summary>
internal static class ShellHelp
{
    /// <summary>Writes every command with a line about it.</summary>
    public static void Write(TextWriter output, RootCommand root)
    {
        output.WriteLine("Commands of the shell:");
        WriteRows(output, ShellCatalog.Builtins.Select(own => (own.Usage, own.Description)));
        output.WriteLine();
        output.WriteLine("Commands on the database and branch in use:");
        WriteRows(output, root.Subcommands
            .Where(command => !command.Hidden && !ShellCatalog.Outside.Contains(command.Name))
            .OrderBy(command => command.Name, StringComparer.Ordinal)
            .Select(command => (Usage(command), command.Description ?? "")));
        output.WriteLine();
        output.WriteLine("Shorter names:");
        WriteRows(output, ShellCatalog.Aliases
            .Where(alias => root.Subcommands.Any(command => command.Name == alias.Value[0]))
            .OrderBy(alias => alias.Key, StringComparer.Ordinal)
            .Select(alias => (alias.Key, string.Join(' ', alias.Value))));
        output.WriteLine();
        output.WriteLine("help COMMAND shows one with its options. ';' separates commands, # begins a comment.");
        output.WriteLine("Quotes keep blanks together; \\xHH, \\0, \\t and \\n stand for bytes, as scan shows them.");
    }

    private static string Usage(Command command)
    {
        IEnumerable<string> below = command.Subcommands.Where(child => !child.Hidden).Select(child => child.Name);
        string groups = string.Join('|', below);
        return groups.Length == 0 ? command.Name : $"{command.Name} {groups}";
    }

    private static void WriteRows(TextWriter output, IEnumerable<(string Name, string Text)> rows)
    {
        (string Name, string Text)[] all = [.. rows];

        // A group with many commands stands on a line of its own instead of pushing all texts to the right.
        const int widest = 26;
        int width = all.Select(row => row.Name.Length).Where(length => length <= widest).DefaultIfEmpty(0).Max();
        foreach ((string name, string text) in all)
        {
            if (name.Length > width)
            {
                output.WriteLine($"  {name}");
                output.WriteLine($"  {"".PadRight(width)}  {text}");
            }
            else
            {
                output.WriteLine($"  {name.PadRight(width)}  {text}");
            }
        }
    }
}
