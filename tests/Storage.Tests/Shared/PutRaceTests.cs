using System.Text;
using Branching.Storage.Shared;

namespace Branching.Storage.Tests.Shared;

/// <summary>Create-if-absent between processes of the operating system, as between the nodes of a cluster.</summary>
public sealed class PutRaceTests
{
    [Fact]
    public async Task Of_two_processes_that_put_one_name_at_the_same_moment_exactly_one_succeeds()
    {
        const int Names = 100;
        string directory = Directory.CreateTempSubdirectory("branching-race-").FullName;
        try
        {
            Ended[] ended = await Task.WhenAll(
                ChildProcess.RunAsync(ChildProcess.Racing(directory, Names, "one", "two")),
                ChildProcess.RunAsync(ChildProcess.Racing(directory, Names, "two", "one")));

            Assert.All(ended, one => Assert.True(one.Exit == 0, one.ToString()));
            PosixSharedStorage shared = await PosixSharedStorage.OpenAsync(directory);
            for (int i = 0; i < Names; i++)
            {
                string[] winners = [.. ended.Zip((string[])["one", "two"])
                    .Where(pair => pair.First.Lines.Contains($"won {i}", StringComparer.Ordinal))
                    .Select(pair => pair.Second)];
                Assert.Equal(
                    Assert.Single(winners),
                    Encoding.UTF8.GetString((await shared.TryReadAsync($"race/{i}", default))!));
            }

            Assert.Empty(Directory.GetFiles(Path.Combine(directory, ".tmp")));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
