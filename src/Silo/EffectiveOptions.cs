using Branching.Grains;
using Branching.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Silo;

/// <summary>Writes the options a node runs with to the log, once, when it starts. There are no secrets among
/// them.</summary>
internal sealed class EffectiveOptions(
    IOptions<StorageOptions> storage, IOptions<ServingOptions> serving, ILogger<EffectiveOptions> logger)
    : ILifecycleParticipant<ISiloLifecycle>
{
    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(
        nameof(EffectiveOptions),
        ServiceLifecycleStage.RuntimeInitialize,
        _ =>
        {
            Write(StorageOptions.Section, storage.Value);
            Write(ServingOptions.Section, serving.Value);
            return Task.CompletedTask;
        });

    private void Write<TOptions>(string section, TOptions options)
    {
        foreach (var property in typeof(TOptions).GetProperties())
        {
            string? value = Convert.ToString(
                property.GetValue(options), System.Globalization.CultureInfo.InvariantCulture);
            logger.EffectiveOption(section, property.Name, value ?? "(not set)");
        }
    }
}
