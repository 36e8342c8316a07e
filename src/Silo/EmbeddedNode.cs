using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Branching.Silo;

/// <summary>A whole node inside the calling process: opens a data root and serves it to this process alone.</summary>
/// <remarks>
/// On EmbeddedRuntime it opens no port. On Orleans it is a cluster of one on loopback, with free ports. The data root
/// belongs to it until it is disposed; another process that opens it meanwhile gets
/// <see cref="Grains.FailureKind.Locked"/>.
/// </remarks>
public sealed class EmbeddedNode : IAsyncDisposable
{
    private readonly IHost _host;
    private int _disposed;

    private EmbeddedNode(IHost host, string dataRoot)
    {
        _host = host;
        DataRoot = dataRoot;
        Grains = host.Services.GetRequiredService<IGrainFactory>();
    }

    /// <summary>Reaches every grain of the node. Thread-safe.</summary>
    public IGrainFactory Grains { get; }

    /// <summary>The full path of the data root.</summary>
    public string DataRoot { get; }

    /// <summary>The services of the node.</summary>
    public IServiceProvider Services => _host.Services;

    /// <summary>Opens the data root, creating it when it is absent, and starts serving it.</summary>
    /// <param name="dataRoot">A directory on a local file system.</param>
    /// <param name="configure">Changes the storage options.</param>
    /// <param name="logging">Adds where to log; nothing is logged without.</param>
    /// <param name="settings">Configuration of the node, as <c>Branching:SharedStorage:Directory</c> and its
    /// value; what neither this nor <paramref name="configure"/> gives has its default.</param>
    /// <param name="ct">Gives the start up.</param>
    /// <exception cref="BranchingException">
    /// The data root is locked, damaged, of a newer format, or not accessible, the native library is missing, or an
    /// option is out of range; with the message of that failure.
    /// </exception>
    public static async Task<EmbeddedNode> StartAsync(
        string dataRoot,
        Action<StorageOptions>? configure = null,
        Action<ILoggingBuilder>? logging = null,
        IEnumerable<KeyValuePair<string, string?>>? settings = null,
        CancellationToken ct = default)
    {
        if (string.IsNullOrEmpty(dataRoot))
        {
            throw new BranchingException(
                Branching.Grains.FailureKind.InvalidArgument, "The path of the data root is empty.");
        }

        string path = Path.GetFullPath(dataRoot);
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings);
        logging?.Invoke(builder.Logging);
        builder.UseOrleans(silo =>
        {
            Clustering.UseOneProcess(silo);

            // On shared storage and in answers a node goes by its name; the runtime's own would be the same everywhere.
            silo.Configure<SiloOptions>(named => named.SiloName = Environment.MachineName);

            // One process is no cluster whose other nodes are about to be back; what is configured still wins.
            silo.Configure<FailoverOptions>(alone => alone.StartGrace = TimeSpan.Zero);
            silo.AddBranching(options =>
            {
                options.DataRoot = path;
                configure?.Invoke(options);
            });
        });
        return new EmbeddedNode(await StartAsync(builder, ct), path);
    }

    /// <summary>Stops serving, finishes what was acknowledged, and gives the data root back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _host.StopAsync(CancellationToken.None);
        await DisposeAsync(_host);
    }

    internal static async Task<IHost> StartAsync(HostApplicationBuilder builder, CancellationToken cancellationToken)
    {
        IHost? host = null;
        try
        {
            host = builder.Build();
            await host.StartAsync(cancellationToken);
            return host;
        }
        catch (Exception e)
        {
            if (host is not null)
            {
                await DisposeAsync(host);
            }

            if (StartFailure.Of(e) is { } failure && !ReferenceEquals(failure, e))
            {
                throw failure;
            }

            throw;
        }
    }

    internal static async ValueTask DisposeAsync(IHost host)
    {
        // The generic host owns the container, and only its asynchronous disposal waits for the stores to close.
        if (host is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
        else
        {
            host.Dispose();
        }
    }
}
