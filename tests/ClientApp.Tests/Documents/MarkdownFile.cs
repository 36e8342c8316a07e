using Branching.Architecture.Tests;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>One fenced block of a document.</summary>
/// <param name="Where">File and line, for messages.</param>
/// <param name="Language">The word after the fence; empty without one.</param>
/// <param name="Lines">What stands between the fences.</param>
internal sealed record Block(string Where, string Language, IReadOnlyList<string> Lines);

/// <summary>One document: its fenced blocks, and what stands in backticks outside of them.</summary>
internal sealed record MarkdownFile(
    string Name, IReadOnlyList<Block> Blocks, IReadOnlyList<(string Where, string Code)> Inline)
{
    private const string Fence = "```";

    /// <summary>README and everything below docs.</summary>
    public static IEnumerable<string> Names =>
        Directory.EnumerateFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories)
            .Append(Repository.PathOf("README.md"))
            .Select(Repository.Relative)
            .Order(StringComparer.Ordinal);

    public static MarkdownFile Read(string name)
    {
        List<Block> blocks = [];
        List<(string, string)> inline = [];
        List<string>? open = null;
        string language = "";
        string[] lines = File.ReadAllLines(Repository.PathOf(name));
        for (int i = 0; i < lines.Length; i++)
        {
            string where = $"{name}:{i + 1}";
            if (lines[i].StartsWith(Fence, StringComparison.Ordinal))
            {
                if (open is null)
                {
                    open = [];
                    language = lines[i][Fence.Length..].Trim();
                    continue;
                }

                blocks.Add(new Block($"{name}:{i - open.Count}", language, open));
                open = null;
            }
            else if (open is not null)
            {
                open.Add(lines[i]);
            }
            else
            {
                string[] parts = lines[i].Split('`');
                inline.AddRange(Enumerable.Range(0, parts.Length / 2).Select(part => (where, parts[(2 * part) + 1])));
            }
        }

        Assert.True(open is null, $"{name}: a fence is never closed");
        return new MarkdownFile(name, blocks, inline);
    }
}
