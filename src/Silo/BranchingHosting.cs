using Branching.Grains;
using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Branching.Silo;

/// <summary>Makes a silo a node of Branching.</summary>
public static class BranchingHosting
{
    /// <summary>
    /// Adds storage, grains, placement and health. Options come from the configuration sections
    /// <see cref="StorageOptions.Section"/>, <see cref="SharedStorageOptions.Section"/>,
    /// <see cref="OwnershipOptions.Section"/>, <see cref="SnapshotOptions.Section"/>,
    /// <see cref="ScheduleOptions.Section"/>, <see cref="FailoverOptions.Section"/> and
    /// <see cref="ServingOptions.Section"/>, then from <paramref name="configure"/>; wrong ones fail the start.
    /// </summary>
    public static ISiloBuilder AddBranching(this ISiloBuilder builder, Action<StorageOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        IServiceCollection services = builder.Services;
        services.AddSingleton<IValidateOptions<StorageOptions>, StorageOptionsValidator>();
        services.AddSingleton<IValidateOptions<StorageOptions>, StorageOptionsRules>();
        OptionsBuilder<StorageOptions> storage =
            services.AddOptions<StorageOptions>().BindConfiguration(StorageOptions.Section).ValidateOnStart();
        if (configure is not null)
        {
            storage.Configure(configure);
        }

        services.AddSingleton<IValidateOptions<SharedStorageOptions>, SharedStorageOptionsValidator>();
        services.AddSingleton<IValidateOptions<SharedStorageOptions>, SharedStorageOptionsRules>();
        services.AddSingleton<IValidateOptions<OwnershipOptions>, OwnershipOptionsValidator>();
        services.AddSingleton<IValidateOptions<OwnershipOptions>, OwnershipOptionsRules>();
        services.AddSingleton<IValidateOptions<SnapshotOptions>, SnapshotOptionsValidator>();
        services.AddOptions<SharedStorageOptions>().BindConfiguration(SharedStorageOptions.Section)
            // Membership and the records of tenures must mean the same node by a name.
            .PostConfigure<ILocalSiloDetails>(static (shared, silo) => shared.NodeName = silo.Name)
            .ValidateOnStart();
        services.AddOptions<OwnershipOptions>().BindConfiguration(OwnershipOptions.Section).ValidateOnStart();
        services.AddOptions<SnapshotOptions>().BindConfiguration(SnapshotOptions.Section).ValidateOnStart();
        services.AddOptions<NodeBackupOptions>().BindConfiguration(NodeBackupOptions.Section).ValidateOnStart();
        services.AddOptions<ScheduleOptions>().BindConfiguration(ScheduleOptions.Section).ValidateOnStart();
        services.AddOptions<FailoverOptions>().BindConfiguration(FailoverOptions.Section).ValidateOnStart();
        services.AddOptions<ServingOptions>().BindConfiguration(ServingOptions.Section).ValidateOnStart();
        services.AddBranchingGrains();
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, EffectiveOptions>();
        services.AddHealthChecks().AddCheck<NodeHealthCheck>(NodeHealthCheck.Name);
        UseResponseTimeout<SiloMessagingOptions>(services);
        UseResponseTimeout<ClientMessagingOptions>(services);
        Clustering.BoundDirectoryCache(builder);
        return builder;
    }

    private static void UseResponseTimeout<TMessagingOptions>(IServiceCollection services)
        where TMessagingOptions : MessagingOptions
        => services.AddOptions<TMessagingOptions>().Configure<IOptions<ServingOptions>>(
            static (messaging, serving) => messaging.ResponseTimeout = serving.Value.ResponseTimeout);
}
