using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Branching.Silo;

/// <summary>Makes a silo a node of Branching.</summary>
public static class BranchingHosting
{
    /// <summary>
    /// Adds storage, grains, placement and health. Options come from the configuration sections
    /// <see cref="StorageOptions.Section"/> and <see cref="ServingOptions.Section"/>, then from
    /// <paramref name="configure"/>; wrong ones fail the start.
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

        services.AddOptions<ServingOptions>().BindConfiguration(ServingOptions.Section).ValidateOnStart();
        services.AddBranchingGrains();
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, EffectiveOptions>();
        services.AddHealthChecks().AddCheck<NodeHealthCheck>(NodeHealthCheck.Name);
        UseResponseTimeout<SiloMessagingOptions>(services);
        UseResponseTimeout<ClientMessagingOptions>(services);
        return builder;
    }

    private static void UseResponseTimeout<TMessagingOptions>(IServiceCollection services)
        where TMessagingOptions : MessagingOptions
        => services.AddOptions<TMessagingOptions>().Configure<IOptions<ServingOptions>>(
            static (messaging, serving) => messaging.ResponseTimeout = serving.Value.ResponseTimeout);
}
