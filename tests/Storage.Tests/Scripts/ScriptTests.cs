namespace Branching.Storage.Tests.Scripts;

/// <summary>
/// Runs testdata/*.txt: commands, then <c>----</c>, then what they answer, then an empty line. A case is added by
/// editing text; BRANCHING_REWRITE=1 writes the answers instead of comparing them.
/// </summary>
public sealed class ScriptTests
{
    private const string Separator = "----";

    public static TheoryData<string> Names =>
        [.. Directory.GetFiles(Folder(), "*.txt").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_script_answers_as_written(string name)
    {
        string path = Path.Combine(Folder(), name);
        List<string> actual = [];
        await using ScriptSession session = await ScriptSession.StartAsync();
        string[] lines = await File.ReadAllLinesAsync(path);
        int answers = 0;
        for (int i = 0; i < lines.Length;)
        {
            if (lines[i].Length == 0 || lines[i][0] == '#')
            {
                actual.Add(lines[i++]);
                continue;
            }

            List<string> answer = [];
            for (; i < lines.Length && lines[i].Length > 0 && lines[i] != Separator; i++)
            {
                actual.Add(lines[i]);
                answer.AddRange(await session.RunAsync(lines[i]));
            }

            // The answers written before are skipped: what they are now takes their place.
            while (i < lines.Length && lines[i].Length > 0)
            {
                i++;
            }

            actual.AddRange([Separator, .. answer]);
            answers += answer.Count;
        }

        if (Environment.GetEnvironmentVariable("BRANCHING_REWRITE") == "1")
        {
            await File.WriteAllLinesAsync(path, actual);
        }

        Assert.True(answers > 0, $"{name} asks nothing.");
        Assert.Equal(string.Join('\n', await File.ReadAllLinesAsync(path)), string.Join('\n', actual));
    }

    private static string Folder() =>
        Path.Combine(TestingPageTests.Repository(), "tests", "Storage.Tests", "testdata");
}
