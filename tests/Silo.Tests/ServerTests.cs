using Branching.Grains;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Branching.Silo.Tests;

public sealed class ServerTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("branching-server-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void The_command_line_wins_over_the_file()
    {
        string file = Path.Combine(_directory, "settings.json");
        File.WriteAllText(file,
            """{ "Branching": { "Server": { "SiloPort": 1, "GatewayPort": 2 }, "Storage": { "DataRoot": "x" } } }""");

        IConfigurationRoot configuration = ServerConfiguration.Read(["--config", file, "--gateway-port=3"]);
        ServerOptions options = ServerConfiguration.Server(configuration).Server;

        Assert.Equal((1, 3, "127.0.0.1"), (options.SiloPort, options.GatewayPort, options.Address));
        Assert.Equal("x", configuration["Branching:Storage:DataRoot"]);
    }

    [Theory]
    [InlineData("'--nonsense' is no setting", "--nonsense", "1")]
    [InlineData("'--data-root' needs a value", "--data-root")]
    [InlineData("Branching:Storage:DataRot", "--Branching:Storage:DataRot", "x")]
    [InlineData("Branching:Strage", "--Branching:Strage:DataRoot", "x")]
    [InlineData("does not exist", "--config", "absent.json")]
    [InlineData("'eleven'", "--silo-port", "eleven")]
    [InlineData("SiloPort", "--silo-port", "0")]
    [InlineData("SiloPort", "--silo-port", "65536")]
    [InlineData("are both 30000", "--silo-port", "30000")]
    [InlineData("('nowhere') is no IP address", "--address", "nowhere")]
    [InlineData("('10.0.0.1') is no address with a port", "--primary", "10.0.0.1")]
    [InlineData("('gossip') is none of localhost, development", "--clustering", "gossip")]
    [InlineData("needs the shared directory", "--clustering", "shared-storage")]
    [InlineData("needs Orleans:Clustering:ProviderType", "--clustering", "provider")]
    [InlineData("GatewayPort (0) must be above 0", "--gateway-port", "0")]
    [InlineData("has no primary node", "--shared-storage", "x", "--primary", "10.0.0.1:11111")]
    [InlineData("but Clustering is 'shared-storage'",
        "--shared-storage", "x", "--clustering", "shared-storage", "--Orleans:Clustering:ProviderType", "Redis")]
    [InlineData("MissedProbes", "--Branching:Membership:MissedProbes", "0")]
    [InlineData("ProbeTimeout", "--Branching:Membership:ProbeTimeout", "00:00:00")]
    [InlineData("Branching:Membership:Vote", "--Branching:Membership:Vote", "1")]
    public void A_wrong_setting_is_refused_by_name(string expected, params string[] arguments)
    {
        BranchingException failure = Assert.Throws<BranchingException>(
            () => ServerConfiguration.Server(ServerConfiguration.Read(arguments)));

        Assert.Equal(FailureKind.InvalidArgument, failure.Kind);
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Serving_options_are_checked_against_each_other()
    {
        ServingOptionsRules rules = new();

        Assert.True(rules.Validate(null, new ServingOptions()).Succeeded);
        Assert.True(new ServingOptionsValidator().Validate(null, new ServingOptions()).Succeeded);
        Assert.True(
            new ServingOptions().ResponseTimeout > new Storage.StorageOptions().WriteTimeout,
            "A caller would not hear that its write was withdrawn.");
        ValidateOptionsResult pages = rules.Validate(
            null, new ServingOptions { MaxResponseBytes = 1024, StreamPageBytes = 2048 });
        ValidateOptionsResult times =
            rules.Validate(null, new ServingOptions { ResponseTimeout = TimeSpan.FromSeconds(1) });
        Assert.Contains("StreamPageBytes (2048)", pages.FailureMessage, StringComparison.Ordinal);
        Assert.Contains("NodeAnswerTimeout", times.FailureMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ServerClustering.Development)]
    [InlineData(ServerClustering.SharedStorage, "--shared-storage", "x")]
    [InlineData(ServerClustering.SharedStorage,
        "--shared-storage", "x", "--silo-port", "0", "--gateway-port", "0")]
    [InlineData(ServerClustering.Localhost, "--shared-storage", "x", "--clustering", "localhost")]
    [InlineData(ServerClustering.Provider, "--Orleans:Clustering:ProviderType", "Redis")]
    [InlineData(ServerClustering.Provider, "--shared-storage", "x", "--Orleans:Clustering:ProviderType", "Redis")]
    public void Nodes_find_each_other_by_what_is_configured(string expected, params string[] arguments)
    {
        ServerSettings settings = ServerConfiguration.Server(ServerConfiguration.Read(arguments));

        Assert.Equal(expected, settings.Server.Clustering);
        Assert.Equal(
            arguments.Contains("x", StringComparer.Ordinal) ? Path.GetFullPath("x") : null, settings.SharedStorage);
    }

    [Fact]
    public void A_path_is_a_shared_directory_and_must_exist()
    {
        ClusterAddress address = ClusterAddress.Parse(_directory, clusterId: null);
        BranchingException absent = Assert.Throws<BranchingException>(
            () => ClusterAddress.Parse(Path.Combine(_directory, "absent"), clusterId: null));
        BranchingException neither = Assert.Throws<BranchingException>(
            () => ClusterAddress.Parse("absent", clusterId: null));

        Assert.Equal((_directory, null), (address.Directory, address.Gateway));
        Assert.Contains("does not exist here", absent.Message, StringComparison.Ordinal);
        Assert.Contains("no address of a node and no shared directory", neither.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1:4000", "127.0.0.1:4000")]
    [InlineData("127.0.0.1", "127.0.0.1:30000")]
    [InlineData("localhost", "127.0.0.1:30000")]
    [InlineData("localhost:5", "127.0.0.1:5")]
    public void An_address_has_the_usual_port_unless_it_names_one(string address, string expected)
        => Assert.Equal(expected, ClusterAddress.Parse(address, clusterId: null).ToString());

    [Fact]
    public async Task A_server_serves_a_connection_or_says_that_it_needs_Orleans()
    {
        using StringWriter output = new();
        using StringWriter error = new();
        using CancellationTokenSource stop = new();
        if (Clustering.NotSupported is not null)
        {
            Assert.Equal(1, await SiloServer.RunAsync(["--data-root", _directory], output, error));
            Assert.Contains("branching serve needs Orleans", error.ToString(), StringComparison.Ordinal);
            BranchingException refused = await Assert.ThrowsAsync<BranchingException>(
                () => ClusterConnection.ConnectAsync("127.0.0.1:30000"));
            Assert.Equal(FailureKind.NotSupported, refused.Kind);
            return;
        }

        (int silo, int gateway) = FreePorts();
        Task<int> serving = SiloServer.RunAsync(
            ["--data-root", _directory, $"--silo-port={silo}", $"--gateway-port={gateway}", "--node-name", "n1"],
            TextWriter.Synchronized(output), TextWriter.Synchronized(error), stop.Token);
        await using (ClusterConnection connection = await ConnectAsync($"127.0.0.1:{gateway}"))
        {
            DatabaseDescription created =
                await connection.Grains.GetDatabase("d").CreateAsync(new CreateDatabaseRequest("test"));
            Assert.Equal("n1", created.Node);
        }

        await stop.CancelAsync();
        Assert.Equal(0, await serving);
        Assert.Contains("Node n1 serves at", output.ToString(), StringComparison.Ordinal);
        Assert.Equal("", error.ToString());
    }

    [Fact]
    public async Task Wrong_settings_of_a_server_answer_with_the_right_ones()
    {
        using StringWriter error = new();

        int code = await SiloServer.RunAsync(["--nonsense", "1"], TextWriter.Null, error);

        Assert.Equal(Clustering.NotSupported is null ? 2 : 1, code);
        Assert.Equal(Clustering.NotSupported is null,
            error.ToString().Contains("--data-root", StringComparison.Ordinal));
    }

    private static async Task<ClusterConnection> ConnectAsync(string address)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await ClusterConnection.ConnectAsync(address);
            }
            catch (BranchingException e) when (e.IsTransient && attempt < 100)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    private static (int First, int Second) FreePorts()
    {
        using System.Net.Sockets.TcpListener first = new(System.Net.IPAddress.Loopback, 0);
        using System.Net.Sockets.TcpListener second = new(System.Net.IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        return (((System.Net.IPEndPoint)first.LocalEndpoint).Port, ((System.Net.IPEndPoint)second.LocalEndpoint).Port);
    }
}
