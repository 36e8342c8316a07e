using Branching.EmbeddedRuntime;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Runtime;

namespace Orleans.TestingHost;

/// <summary>One silo of a test cluster.</summary>
public abstract class SiloHandle : IDisposable, IAsyncDisposable
{
    /// <summary>Gets or sets what the cluster was made of.</summary>
    public TestClusterOptions ClusterOptions { get; set; } = null!;

    /// <summary>Gets or sets the number of the silo within the cluster.</summary>
    public short InstanceNumber { get; set; }

    /// <summary>Gets or sets the name of the silo.</summary>
    public string Name { get; set; } = "";

    /// <summary>Gets or sets the address of the silo.</summary>
    public SiloAddress SiloAddress { get; set; } = SiloAddress.Zero;

    /// <summary>Gets or sets the address for clients.</summary>
    public SiloAddress GatewayAddress { get; set; } = SiloAddress.Zero;

    /// <summary>Gets whether the silo was neither stopped nor killed.</summary>
    public abstract bool IsActive { get; }

    /// <summary>Ends the silo.</summary>
    /// <param name="stopGracefully">
    /// Whether grains are deactivated and services stopped; otherwise it ends as if its process had.
    /// </param>
    public abstract Task StopSiloAsync(bool stopGracefully);

    /// <summary>Stops the silo gracefully; a cancelled token cuts that short.</summary>
    public abstract Task StopSiloAsync(CancellationToken ct);

    /// <summary>Stops the silo gracefully and releases what it holds.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Releases what the silo holds, without stopping it first.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Returns the name and address.</summary>
    public override string ToString() => $"{Name} {SiloAddress}";

    /// <summary>Releases what the silo holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>A silo in this process, with a host of its own.</summary>
public class InProcessSiloHandle : SiloHandle
{
    private int _ended;
    private int _disposed;

    /// <summary>Gets the host of the silo.</summary>
    public IHost SiloHost { get; init; } = null!;

    /// <summary>Gets the services of the silo.</summary>
    public IServiceProvider ServiceProvider => SiloHost.Services;

    /// <inheritdoc/>
    public override bool IsActive => _ended == 0;

    /// <inheritdoc/>
    /// <remarks>
    /// Not gracefully: requests in the silo fail with <see cref="SiloUnavailableException"/>, no grain is
    /// deactivated and no service stopped. Only then are the services disposed, because in one process a dead
    /// silo's files and locks would otherwise outlive it. Grain code that is running goes on as a ghost, with every
    /// call that it makes refused.
    /// </remarks>
    public override async Task StopSiloAsync(bool stopGracefully)
    {
        if (stopGracefully)
        {
            await StopSiloAsync(CancellationToken.None);
            return;
        }

        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            ServiceProvider.GetRequiredService<SiloRuntime>().Kill();
            await DisposeHostAsync();
        }
    }

    /// <inheritdoc/>
    public override async Task StopSiloAsync(CancellationToken ct)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            await SiloHost.StopAsync(ct);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        try
        {
            await StopSiloAsync(stopGracefully: true);
        }
        finally
        {
            await DisposeHostAsync();
            GC.SuppressFinalize(this);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Interlocked.Exchange(ref _ended, 1);
            SiloHost.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask DisposeHostAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        if (SiloHost is IAsyncDisposable asyncDisposable)
        {
            await asyncDisposable.DisposeAsync();
        }
        else
        {
            SiloHost.Dispose();
        }
    }
}
