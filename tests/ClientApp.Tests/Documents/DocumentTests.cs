using System.CommandLine;
using System.Text.RegularExpressions;
using Branching.Architecture.Tests;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>What README and docs show is run, compiled or known to exist.</summary>
[Collection(WorkingDirectoryTests.Name)]
public sealed partial class DocumentTests
{
    // console: commands after "$ " with what they show. sh: commands alone. csharp: stands in DocumentSamples*.cs.
    // text: drawings, layouts and output of what takes too long for a test; nothing to run.
    private static readonly string[] _languages = ["console", "sh", "csharp", "text"];

    public static TheoryData<string> Documents => [.. MarkdownFile.Names];

    [Fact]
    public void There_are_documents_with_commands_and_snippets()
    {
        IEnumerable<Block> blocks = MarkdownFile.Names.SelectMany(name => MarkdownFile.Read(name).Blocks);

        Assert.Superset(
            _languages.ToHashSet(StringComparer.Ordinal),
            blocks.Select(block => block.Language).ToHashSet(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_block_says_what_it_is(string document)
    {
        Assert.All(MarkdownFile.Read(document).Blocks, block => Assert.True(
            _languages.Contains(block.Language, StringComparer.Ordinal),
            $"{block.Where}: '{block.Language}' is none of {string.Join(", ", _languages)}"));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task Commands_run_in_the_order_of_the_document_and_show_what_it_says(string document)
    {
        using var directory = new WorkingDirectory();
        var shell = new DocumentShell();

        foreach (Block block in MarkdownFile.Read(document).Blocks)
        {
            if (block.Language == "sh")
            {
                await RunCommandsAsync(shell, block);
            }
            else if (block.Language == "console")
            {
                await RunSessionAsync(shell, block);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_snippet_stands_in_a_compiled_sample(string document)
    {
        string samples = Flat(Directory.GetFiles(
            Repository.PathOf("tests", "ClientApp.Tests", "Documents"), "DocumentSamples*.cs")
            .SelectMany(File.ReadLines));

        Assert.All(
            MarkdownFile.Read(document).Blocks.Where(block => block.Language == "csharp"),
            block => Assert.True(
                samples.Contains(Flat(block.Lines), StringComparison.Ordinal),
                $"{block.Where}: these lines do not stand in DocumentSamples*.cs"));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_command_that_is_named_exists(string document)
    {
        MarkdownFile file = MarkdownFile.Read(document);
        IEnumerable<(string, string)> all = file.Inline.Concat(
            file.Blocks.Where(block => block.Language is "sh" or "console")
                .SelectMany(block => block.Lines.Select(line => (block.Where, line.TrimStart('$', ' ')))));

        Assert.All(all, named => AssertExists(named.Item1, named.Item2));
    }

    [Fact]
    public void The_verdict_of_the_demo_stands_in_README_as_the_demo_prints_it()
    {
        IEnumerable<string> lines = MarkdownFile.Read("README.md").Blocks.SelectMany(block => block.Lines);

        Assert.Contains(lines, line => DemoTests.Verdict().IsMatch(line));
    }

    private static async Task RunCommandsAsync(DocumentShell shell, Block block)
    {
        foreach (string text in block.Lines.Where(line => line.Length > 0 && !line.StartsWith('#')))
        {
            ShellLine line = DocumentShell.Parse(text);
            if (line.Text.StartsWith("./dev ", StringComparison.Ordinal)
                && DocumentShell.BranchingArguments(DocumentShell.Words(line.Text)) is null)
            {
                continue; // Builds, tests and benchmarks; that the command exists is checked beside.
            }

            (int exitCode, string shown) = await shell.RunAsync(line.Text);
            Assert.True(line.ExitCode == exitCode, $"{block.Where}: {line.Text} exits with {exitCode}: {shown}");
        }
    }

    private static async Task RunSessionAsync(DocumentShell shell, Block block)
    {
        for (int i = 0; i < block.Lines.Count;)
        {
            Assert.True(block.Lines[i].StartsWith("$ ", StringComparison.Ordinal), $"{block.Where}: no '$ ' begins it");
            ShellLine line = DocumentShell.Parse(block.Lines[i++][2..]);
            string[] expected = [.. block.Lines.Skip(i)
                .TakeWhile(next => !next.StartsWith("$ ", StringComparison.Ordinal))];
            i += expected.Length;

            (int exitCode, string shown) = await shell.RunAsync(line.Text);

            Assert.True(line.ExitCode == exitCode, $"{block.Where}: {line.Text} exits with {exitCode}: {shown}");
            Assert.True(ShownText.Matches(expected, shown), $"{block.Where}: {line.Text} shows\n{shown}");
        }
    }

    private static void AssertExists(string where, string code)
    {
        string[] words = code.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is ["./dev", string command, ..])
        {
            Assert.True(DevCommands().Contains(command, StringComparer.Ordinal), $"{where}: ./dev has no '{command}'");
        }

        if (DocumentShell.BranchingArguments(words) is not [string first, ..] arguments
            || !Word().IsMatch(first))
        {
            return;
        }

        using var host = new CommandHost { Input = Stream.Null, Output = Stream.Null, Error = TextWriter.Null };
        Command root = CommandLine.CreateRoot(host);
        Command? found = root.Subcommands.SingleOrDefault(c => c.Name == first);
        Assert.True(found is not null, $"{where}: branching has no command '{first}'");
        if (found is { Subcommands.Count: > 0, Arguments.Count: 0 }
            && arguments is [_, string second, ..] && Word().IsMatch(second))
        {
            Assert.True(
                found.Subcommands.Any(c => c.Name == second), $"{where}: branching {first} has no command '{second}'");
        }
    }

    private static string[] DevCommands()
        => [.. DevUsage().Matches(File.ReadAllText(Repository.PathOf("dev")))
            .Select(match => match.Groups["name"].Value)];

    private static string Flat(IEnumerable<string> lines)
        => string.Join('\n', lines.Select(line => line.Trim()).Where(line => line.Length > 0)) + "\n";

    [GeneratedRegex("^  (?<name>[a-z]+) ", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex DevUsage();

    [GeneratedRegex("^[a-z][a-z-]*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Word();
}
