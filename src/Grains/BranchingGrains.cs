using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>Adds what the grains need to the services of a silo.</summary>
public static class BranchingGrains
{
    /// <summary>
    /// Adds the data root's life cycle, placement and instruments. The caller configures
    /// <see cref="Storage.StorageOptions"/> and <see cref="ServingOptions"/>.
    /// </summary>
    public static IServiceCollection AddBranchingGrains(this IServiceCollection services)
    {
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IValidateOptions<ServingOptions>, ServingOptionsValidator>();
        services.AddSingleton<IValidateOptions<ServingOptions>, ServingOptionsRules>();
        services.AddSingleton<Instruments>();
        services.AddSingleton<NodeStorage>();
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(
            provider => provider.GetRequiredService<NodeStorage>());
        services.AddSingleton<IValidateOptions<FailoverOptions>, FailoverOptionsValidator>();
        services.AddSingleton<IValidateOptions<FailoverOptions>, FailoverOptionsRules>();
        services.AddSingleton<IValidateOptions<ScheduleOptions>, ScheduleOptionsValidator>();
        services.AddSingleton<IValidateOptions<NodeBackupOptions>, NodeBackupOptionsValidator>();
        services.AddSingleton<DatabaseLocator>();
        services.AddSingleton<SeenNodes>();
        services.AddSingleton<NodeDatabases>();
        services.AddSingleton(provider => new NodeStatus(
            provider.GetRequiredService<NodeDatabases>(), provider.GetRequiredService<Instruments>()));
        services.AddSingleton<SharedDatabases>();
        services.AddSingleton<ClusterView>();
        services.AddSingleton<FailoverRecords>();
        services.AddSingleton<Failovers>();
        services.AddSingleton<Moves>();
        services.AddSingleton<NodeWatcher>();
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(
            provider => provider.GetRequiredService<NodeWatcher>());
        services.AddSingleton<ServingNode>();
        services.AddPlacementDirector<DatabasePlacement, DatabasePlacementDirector>();
        services.AddPlacementDirector<NodePlacement, NodePlacementDirector>();
        return services;
    }
}
