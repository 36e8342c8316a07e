using System.Globalization;
using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Branching.Silo;

/// <summary>A node that serves other processes: <c>branching serve</c>.</summary>
public static class SiloServer
{
    /// <summary>Serves until the process is asked to stop or <paramref name="ct"/> is cancelled.</summary>
    /// <param name="arguments">Settings: <c>--data-root</c>, <c>--config</c> and others; a wrong one is answered with
    /// all of them.</param>
    /// <param name="output">Where to say that it serves; the standard output when null.</param>
    /// <param name="error">Where to say why it does not; the standard error when null.</param>
    /// <param name="ct">Stops serving.</param>
    /// <returns>0 after an orderly stop, 1 when the node could not start, 2 for wrong settings.</returns>
    public static async Task<int> RunAsync(
        string[] arguments, TextWriter? output = null, TextWriter? error = null, CancellationToken ct = default)
    {
        output ??= Console.Out;
        error ??= Console.Error;
        if (Clustering.NotSupported is { } why)
        {
            await error.WriteLineAsync($"branching serve needs Orleans: {why}.".AsMemory(), CancellationToken.None);
            return 1;
        }

        try
        {
            IConfigurationRoot configuration = ServerConfiguration.Read(arguments);
            ServerSettings settings = ServerConfiguration.Server(configuration);
            await ServeAsync(configuration, settings, output, ct);
            return 0;
        }
        catch (BranchingException e)
        {
            await error.WriteLineAsync(e.Message.AsMemory(), CancellationToken.None);
            if (e.Kind != Grains.FailureKind.InvalidArgument)
            {
                return 1;
            }

            foreach (string line in ServerConfiguration.Usage)
            {
                await error.WriteLineAsync($"  {line}".AsMemory(), CancellationToken.None);
            }

            return 2;
        }
    }

    private static async Task ServeAsync(
        IConfigurationRoot configuration,
        ServerSettings settings,
        TextWriter output,
        CancellationToken cancellationToken)
    {
        ServerOptions options = settings.Server;
        Clustering.LoadProvider(options);
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddConfiguration(configuration);
        builder.Logging.AddConfiguration(configuration.GetSection("Logging"));
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true);
        // Orleans tells a great deal at Information; what a person must see is a Warning.
        builder.Logging.AddFilter("Orleans", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Orleans", LogLevel.Warning);
        // An empty host builder does not listen to Ctrl-C and SIGTERM by itself.
        builder.Services.AddSingleton<IHostLifetime, Microsoft.Extensions.Hosting.Internal.ConsoleLifetime>();
        builder.UseOrleans(silo =>
        {
            Clustering.UseNetwork(silo, settings);
            silo.AddBranching();
            silo.Services.PostConfigure<SharedStorageOptions>(sharing => Share(sharing, settings));
        });
        IHost host = await EmbeddedNode.StartAsync(builder, cancellationToken);
        try
        {
            ILogger logger = host.Services.GetRequiredService<ILoggerFactory>()
                .CreateLogger(typeof(SiloServer).FullName!);
            logger.Serving(options.NodeName, options.Address, options.GatewayPort, options.SiloPort, options.ClusterId);
            string line = string.Create(
                CultureInfo.InvariantCulture,
                $"Node {options.NodeName} serves at {options.Address}:{options.GatewayPort}. Stop it with Ctrl-C.");
            await output.WriteLineAsync(line.AsMemory(), CancellationToken.None);
            await host.WaitForShutdownAsync(cancellationToken);
            logger.Stopped(options.NodeName);
        }
        finally
        {
            await EmbeddedNode.DisposeAsync(host);
        }
    }

    /// <summary>The storage layer speaks of this node by the server's name, and of the same directory.</summary>
    private static void Share(SharedStorageOptions sharing, ServerSettings settings)
    {
        sharing.Directory = settings.SharedStorage;
        if (sharing.NodeName.Length == 0)
        {
            sharing.NodeName = settings.Server.NodeName;
        }
    }
}
