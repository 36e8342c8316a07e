using Branching.ClientApp.Shell.Editing;

namespace Branching.ClientApp.Tests.Shell;

public sealed class ShellHistoryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("branching-history-").FullName;

    private string HistoryFile => Path.Combine(_directory, "branching", "history");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Lines_are_there_again_in_the_next_shell_for_their_owner_alone()
    {
        ShellHistory first = ShellHistory.Open(HistoryFile);
        first.Add("get apple");
        first.Add("get apple");
        first.Add(" put secret 1");
        first.Add("");
        first.Add("count");

        ShellHistory second = ShellHistory.Open(HistoryFile);

        Assert.Equal(["get apple", "count"], second.Lines);
        Assert.Null(second.Problem);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(HistoryFile));
        }
    }

    [Fact]
    public void A_file_that_grew_is_cut_to_the_newest_lines()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(HistoryFile)!);
        File.WriteAllLines(
            HistoryFile, Enumerable.Range(0, (2 * ShellHistory.MaxLines) + 1).Select(i => $"get {i}"));

        ShellHistory.Open(HistoryFile);

        string[] kept = File.ReadAllLines(HistoryFile);
        Assert.Equal(ShellHistory.MaxLines, kept.Length);
        Assert.Equal($"get {2 * ShellHistory.MaxLines}", kept[^1]);
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_told_and_lines_are_kept_in_memory()
    {
        File.WriteAllText(Path.Combine(_directory, "branching"), "a file where a directory should be");
        ShellHistory history = ShellHistory.Open(HistoryFile);

        history.Add("get apple");

        Assert.NotNull(history.Problem);
        Assert.Equal(["get apple"], history.Lines);
    }

    [Fact]
    public void The_file_is_in_the_configuration_directory_of_the_user()
    {
        Assert.Equal("/xdg/branching/history", Of("/xdg", "/home/ada"));
        Assert.Equal("/home/ada/.config/branching/history", Of(null, "/home/ada"));
        Assert.Equal("/home/ada/.config/branching/history", Of("not/rooted", "/home/ada"));
        Assert.Null(Of(null, null));

        static string? Of(string? config, string? home)
            => ShellHistory.PathFor(name => name == "XDG_CONFIG_HOME" ? config : home);
    }
}
