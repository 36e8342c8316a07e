#if !EMBEDDED_RUNTIME
using System.ComponentModel.DataAnnotations;
using Branching.Silo.Membership;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.Messaging;
using Orleans.Providers;

[assembly: RegisterProvider(
    SharedStorageClustering.ProviderName, "Clustering", "Silo", typeof(SharedStorageClusteringProvider))]
[assembly: RegisterProvider(
    SharedStorageClustering.ProviderName, "Clustering", "Client", typeof(SharedStorageClusteringProvider))]

namespace Branching.Silo.Membership;

/// <summary>
/// Lets the nodes of a cluster, and its clients, find each other through the shared directory alone. Only in builds
/// with Orleans.
/// </summary>
public static class SharedStorageClustering
{
    /// <summary>The name of the provider in Orleans' configuration
    /// (<c>Orleans:Clustering:ProviderType</c>).</summary>
    public const string ProviderName = "SharedStorage";

    private static readonly TimeSpan _gatewayRefresh = TimeSpan.FromSeconds(2);

    /// <summary>Keeps the table of members in a directory that every node reaches.</summary>
    /// <param name="builder">The silo; its cluster id names the table.</param>
    /// <param name="directory">The directory, on storage that every node and client reaches.</param>
    public static ISiloBuilder UseSharedStorageClustering(this ISiloBuilder builder, string directory)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddOptions(builder.Services, directory);
        builder.Services.AddSingleton<IMembershipTable, SharedStorageMembershipTable>();
        return builder;
    }

    /// <summary>Finds the cluster's gateways in a directory that every node reaches.</summary>
    /// <inheritdoc cref="UseSharedStorageClustering(ISiloBuilder, string)"/>
    public static IClientBuilder UseSharedStorageClustering(this IClientBuilder builder, string directory)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddOptions(builder.Services, directory);
        builder.Services.AddSingleton<IGatewayListProvider, SharedStorageGateways>();
        // A client that loses its gateway should hear of the others within seconds.
        builder.Configure<GatewayOptions>(gateways => gateways.GatewayListRefreshPeriod = _gatewayRefresh);
        return builder;
    }

    private static void AddOptions(IServiceCollection services, string directory)
        => services.AddOptions<SharedStorageClusteringOptions>()
            .Configure(options => options.Directory = directory)
            .Validate(
                options => !string.IsNullOrWhiteSpace(options.Directory),
                "Clustering over shared storage needs a directory; Directory is empty.");
}

/// <summary>Where <see cref="SharedStorageClustering"/> keeps its table.</summary>
public sealed class SharedStorageClusteringOptions
{
    /// <summary>A directory that every node of the cluster and its clients reach. No default.</summary>
    [Required, MinLength(1)]
    public string Directory { get; set; } = "";
}

/// <summary>Reads <c>Orleans:Clustering:Directory</c>.</summary>
internal sealed class SharedStorageClusteringProvider : IProviderBuilder<ISiloBuilder>, IProviderBuilder<IClientBuilder>
{
    public void Configure(ISiloBuilder builder, string? name, IConfigurationSection configurationSection)
        => builder.UseSharedStorageClustering(DirectoryOf(configurationSection));

    public void Configure(IClientBuilder builder, string? name, IConfigurationSection configurationSection)
        => builder.UseSharedStorageClustering(DirectoryOf(configurationSection));

    private static string DirectoryOf(IConfigurationSection section)
        => section[nameof(SharedStorageClusteringOptions.Directory)] ?? "";
}
#endif
