using System.CommandLine;

namespace Branching.ClientApp.Commands;

/// <summary>A command whose help ends in examples.</summary>
internal sealed class ExampledCommand : Command
{
    /// <summary>A group of subcommands.</summary>
    public ExampledCommand(
        string name, string description, IReadOnlyList<string> examples, IEnumerable<Command> subcommands)
        : base(name, description)
    {
        Examples = examples;
        foreach (Command subcommand in subcommands)
        {
            Subcommands.Add(subcommand);
        }
    }

    /// <summary>A command that does something.</summary>
    public ExampledCommand(
        CommandHost host,
        string name,
        string description,
        IReadOnlyList<string> examples,
        IReadOnlyList<Symbol> symbols,
        Func<Invocation, CancellationToken, Task<int>> body)
        : base(name, description)
    {
        Examples = examples;
        foreach (Symbol symbol in symbols)
        {
            Expected.Apply(symbol);
            if (symbol is Argument argument)
            {
                Arguments.Add(argument);
            }
            else
            {
                Options.Add((Option)symbol);
            }
        }

        SetAction((parsed, cancellationToken) => CommandLine.RunAsync(
            new Invocation(host, parsed) { Database = DatabaseOf(parsed) }, body, cancellationToken));
    }

    public IReadOnlyList<string> Examples { get; }

    private string? DatabaseOf(ParseResult parsed)
        => Arguments.OfType<Argument<string?>>().FirstOrDefault(argument => argument.Name == CommonSymbols.DatabaseName)
            is { } database ? parsed.GetValue(database) : null;
}
