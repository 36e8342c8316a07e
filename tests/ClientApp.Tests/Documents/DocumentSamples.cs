using System.Text;
using Branching.Grains;
using Branching.Silo;

namespace Branching.ClientApp.Tests.Documents;

/// <summary>The C# of README and docs, line by line, compiled and run.</summary>
public sealed partial class DocumentSamples
{
    [Fact]
    public async Task A_database_and_a_branch_are_used_from_dotnet()
    {
        string directory = Directory.CreateTempSubdirectory("branching-sample-").FullName;
        try
        {
            string read = await UseAsync(Path.Combine(directory, "data"));

            Assert.Equal("3 4", read);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<string> UseAsync(string dataRoot)
    {
        await using EmbeddedNode node = await EmbeddedNode.StartAsync(dataRoot);
        IGrainFactory grains = node.Grains;

        IDatabaseGrain shop = grains.GetDatabase("shop");
        await shop.CreateAsync(new CreateDatabaseRequest("me"));
        await shop.PutAsync("apple"u8.ToArray(), "3"u8.ToArray());

        IBranchGrain topic = grains.GetBranch("shop", "topic");
        await topic.CreateAsync(new CreateBranchRequest("main", "me"));
        await topic.PutAsync("apple"u8.ToArray(), "4"u8.ToArray());
        GetResponse main = await shop.GetAsync(new GetRequest("apple"u8.ToArray()));   // 3
        GetResponse mine = await topic.GetAsync(new GetRequest("apple"u8.ToArray()));  // 4

        return $"{Encoding.UTF8.GetString(main.Value.Span)} {Encoding.UTF8.GetString(mine.Value.Span)}";
    }
}
