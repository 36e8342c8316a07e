using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Branching.Grains;

/// <summary>The node a grain runs on, as grains see it.</summary>
internal sealed class ServingNode(
    NodeStorage storage,
    NodeDatabases databases,
    DatabaseLocator locator,
    Instruments instruments,
    IOptions<ServingOptions> options,
    ILocalSiloDetails silo,
    TimeProvider time,
    ILogger<ServingNode> logger)
{
    public NodeStorage Storage => storage;

    public NodeDatabases Databases => databases;

    public DatabaseLocator Locator => locator;

    public Instruments Instruments => instruments;

    public ServingOptions Options { get; } = options.Value;

    public ILocalSiloDetails Silo => silo;

    public TimeProvider Time => time;

    public ILogger Logger => logger;
}
