using System.Text.RegularExpressions;
using Branching.Architecture.Tests;
using Branching.Grains;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>docs/errors.md tells the truth.</summary>
[Collection(WorkingDirectoryTests.Name)]
public sealed partial class ErrorTableTests
{
    private static readonly IReadOnlyList<ErrorRow> _rows = ErrorRow.ReadAll();

    public static TheoryData<string> CasesWithACommand =>
        [.. _rows.Where(row => row.Command is not null && row.Test == OwnTest).Select(row => row.Case)];

    private static string OwnTest => nameof(A_row_shows_what_is_printed);

    [Fact]
    public void Every_kind_of_failure_has_a_row_with_its_number_and_exit_code()
    {
        Assert.Empty(Enum.GetNames<FailureKind>().Except(_rows.Select(row => row.Kind), StringComparer.Ordinal));
        Assert.All(_rows, row =>
        {
            if (Enum.TryParse(row.Kind, out FailureKind kind))
            {
                Assert.True(row.Number == (int)kind, $"{row.Kind} is {(int)kind}, not {row.Number}");
                Assert.True(
                    row.ExitCode is null || row.ExitCode == Failures.ExitCodeOf(kind),
                    $"{row.Kind}: the exit code is {Failures.ExitCodeOf(kind)}");
            }
            else
            {
                Assert.Contains(row.Kind, CommandLineKinds.All);
            }
        });
    }

    [Fact]
    public void Every_case_is_told_once()
    {
        Assert.Equal(_rows.Count, _rows.Select(row => row.Case).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void Every_test_that_a_row_names_exists()
    {
        string tests = string.Concat(Repository.SourceFiles("tests").Select(File.ReadAllText));

        Assert.All(_rows, row => Assert.True(
            Regex.IsMatch(tests, $@"\b(Task|void) {Regex.Escape(row.Test)}\(", RegexOptions.None, _patience),
            $"{row.Case}: there is no test {row.Test}"));
    }

    [Fact]
    public void Every_message_that_no_command_shows_stands_in_the_sources()
    {
        string sources = Sources();

        Assert.All(_rows.Where(row => row is { Command: null, Message: not null }), row => Assert.All(
            ShownText.Literals(row.Message!).SelectMany(piece => piece.Split(": "))
                .Select(piece => piece.Trim(' ', '\'', '"', '.')).Where(piece => piece.Length > 12),
            piece => Assert.True(
                sources.Contains(piece, StringComparison.Ordinal), $"{row.Case}: no source says '{piece}'")));
    }

    [Theory]
    [MemberData(nameof(CasesWithACommand))]
    public async Task A_row_shows_what_is_printed(string when)
    {
        using var directory = new WorkingDirectory();
        await ErrorScenes.PrepareAsync();

        await AssertShownAsync(_rows.Single(row => row.Case == when));
    }

    [MountFact]
    public async Task A_full_disk_is_told_and_the_advice_makes_room()
    {
        using var directory = new WorkingDirectory();
        Directory.CreateDirectory(GlobalOptions.DefaultDataRoot);
        Assert.True(ErrorScenes.Run(
            "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", Path.GetFullPath(GlobalOptions.DefaultDataRoot)));
        try
        {
            await ErrorScenes.PrepareAsync();
            string filler = Path.Combine(GlobalOptions.DefaultDataRoot, "filler");
            Fill(filler);

            await AssertShownAsync(_rows.Single(
                row => row.Test == nameof(A_full_disk_is_told_and_the_advice_makes_room)));
            using (FileStream file = File.OpenWrite(filler))
            {
                file.SetLength(file.Length - (1 << 20));
            }

            await SucceedAsync("branching branch delete shop taken --yes");
            await SucceedAsync("branching branch create shop topic");
        }
        finally
        {
            ErrorScenes.Run("umount", Path.GetFullPath(GlobalOptions.DefaultDataRoot));
        }
    }

    [Fact]
    public async Task A_branch_whose_directory_is_missing_can_be_deleted_as_its_message_says()
    {
        using var directory = new WorkingDirectory();
        await ErrorScenes.PrepareAsync();
        await ErrorScenes.EnterAsync("the directory of a branch is missing");

        await SucceedAsync("branching branch delete shop taken --yes");

        await SucceedAsync("branching branch create shop taken");
        await SucceedAsync("branching get shop apple --branch taken");
    }

    [Fact]
    public async Task A_damaged_catalog_is_rebuilt_as_its_message_says()
    {
        using var directory = new WorkingDirectory();
        await ErrorScenes.PrepareAsync();
        await ErrorScenes.EnterAsync("the catalog of a database is damaged");

        Directory.Move(Path.Combine(GlobalOptions.DefaultDataRoot, "databases", "shop", "catalog"), "damaged");

        await SucceedAsync("branching get shop apple --branch taken");
    }

    private static TimeSpan _patience => TimeSpan.FromSeconds(10);

    private static async Task AssertShownAsync(ErrorRow row)
    {
        var shell = new DocumentShell(ErrorScenes.ConnectionFor(row.Case));
        IAsyncDisposable? scene = await ErrorScenes.EnterAsync(row.Case);
        try
        {
            (int exitCode, string shown) = await shell.RunAsync(row.Command!);

            Assert.True(ShownText.Matches(row.Shown, shown), $"{row.Command} shows\n{shown}");
            Assert.Equal(row.ExitCode, exitCode);
        }
        finally
        {
            if (scene is not null)
            {
                await scene.DisposeAsync();
            }
        }

        string advice = row.Hint?.Split(": ")[^1] ?? "";
        if (advice.StartsWith("branching ", StringComparison.Ordinal))
        {
            await SucceedAsync(advice);
        }
    }

    private static async Task SucceedAsync(string command)
    {
        (int exitCode, string shown) = await new DocumentShell().RunAsync(command);
        Assert.True(exitCode == 0, $"{command} exits with {exitCode}: {shown}");
    }

    private static void Fill(string path)
    {
        using FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            // Full: what the test needs.
        }
    }

    /// <summary>The sources with their broken string literals joined.</summary>
    private static string Sources()
        => Continued().Replace(
            NameOf().Replace(string.Concat(Repository.SourceFiles("src").Select(File.ReadAllText)), "${name}"), "")
            .Replace("\\\"", "\"", StringComparison.Ordinal);

    [GeneratedRegex(@"""\s*\+\s*\$?""", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Continued();

    [GeneratedRegex(@"\{nameof\((\w+\.)*(?<name>\w+)\)\}", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex NameOf();
}

/// <summary>A test that mounts a small file system; skipped, with the reason, where that is not allowed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MountFactAttribute : FactAttribute
{
    private static readonly string? _whyNot = ErrorScenes.WhyNoMount();

    public MountFactAttribute() => Skip = _whyNot;
}
