using System.Net;

namespace Orleans.Configuration;

/// <summary>Which cluster a host belongs to.</summary>
public class ClusterOptions
{
    /// <summary>The cluster when none is named.</summary>
    public const string DefaultClusterId = "default";

    /// <summary>The service when none is named.</summary>
    public const string DefaultServiceId = "default";

    /// <summary>Gets or sets the cluster.</summary>
    public string ClusterId { get; set; } = DefaultClusterId;

    /// <summary>Gets or sets the service, which outlives its clusters.</summary>
    public string ServiceId { get; set; } = DefaultServiceId;
}

/// <summary>The silo itself.</summary>
public class SiloOptions
{
    /// <summary>Gets or sets the name. Default: made from a number when the silo is built.</summary>
    public string? SiloName { get; set; }
}

/// <summary>How calls are made.</summary>
public abstract class MessagingOptions
{
    /// <summary>Gets or sets how long a caller waits for an answer. Default: 30 seconds.</summary>
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets whether a timeout also cancels the request's token. Default: no.</summary>
    public bool CancelRequestOnTimeout { get; set; }

    /// <summary>
    /// Gets or sets whether a cancelled call ends only when the grain has ended it. Default: no, it ends at once.
    /// </summary>
    public bool WaitForCancellationAcknowledgement { get; set; }
}

/// <summary>How grains call grains.</summary>
public class SiloMessagingOptions : MessagingOptions;

/// <summary>How clients call grains.</summary>
public class ClientMessagingOptions : MessagingOptions;

/// <summary>When unused activations are collected.</summary>
public class GrainCollectionOptions
{
    /// <summary>Gets or sets how long an activation is unused before it is deactivated. Default: 15 minutes.</summary>
    public TimeSpan CollectionAge { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Gets or sets how often the silo looks for unused activations. Default: one minute.</summary>
    public TimeSpan CollectionQuantum { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Gets or sets how long activating may take. Default: 30 seconds.</summary>
    public TimeSpan ActivationTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets how long deactivating may take. Default: 30 seconds.</summary>
    public TimeSpan DeactivationTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets the collection age by full name of the grain class.</summary>
    public Dictionary<string, TimeSpan> ClassSpecificCollectionAge { get; set; } = [];
}

/// <summary>How failed silos are found. Held for the application; one process needs no probing.</summary>
public class ClusterMembershipOptions
{
    /// <summary>Gets or sets how many missed probes make a silo suspect. Default: 3.</summary>
    public int NumMissedProbesLimit { get; set; } = 3;

    /// <summary>Gets or sets how long a probe may take and how often one is sent. Default: 5 seconds.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets or sets how many silos each one probes. Default: 10.</summary>
    public int NumProbedSilos { get; set; } = 10;

    /// <summary>Gets or sets how many suspicions declare a silo dead. Default: 2.</summary>
    public int NumVotesForDeathDeclaration { get; set; } = 2;

    /// <summary>Gets or sets how long a suspicion counts. Default: 2 minutes.</summary>
    public TimeSpan DeathVoteExpirationTimeout { get; set; } = TimeSpan.FromSeconds(120);

    /// <summary>Gets or sets how often the table is read again. Default: one minute.</summary>
    public TimeSpan TableRefreshTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Gets or sets how often a silo writes that it is alive. Default: 30 seconds.</summary>
    public TimeSpan IAmAliveTablePublishTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets how long joining may take. Default: 5 minutes.</summary>
    public TimeSpan MaxJoinAttemptTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Gets or sets how long dead silos stay in the table. Default: 7 days.</summary>
    public TimeSpan DefunctSiloExpiration { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Gets or sets how often dead silos are removed from the table. Default: one hour.</summary>
    public TimeSpan? DefunctSiloCleanupPeriod { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Gets or sets whether silos are declared dead at all. Default: yes.</summary>
    public bool LivenessEnabled { get; set; } = true;

    /// <summary>Gets or sets whether changes are told to others at once. Default: yes.</summary>
    public bool UseLivenessGossip { get; set; } = true;

    /// <summary>Gets or sets whether probes may go through a third silo. Default: yes.</summary>
    public bool EnableIndirectProbes { get; set; } = true;
}

/// <summary>Where a silo would listen. Here it only makes up the silo's address; no port is opened.</summary>
public class EndpointOptions
{
    /// <summary>The port when none is given.</summary>
    public const int DEFAULT_SILO_PORT = 11111;

    /// <summary>The port for clients when none is given.</summary>
    public const int DEFAULT_GATEWAY_PORT = 30000;

    /// <summary>Gets or sets the address. Default: loopback.</summary>
    public IPAddress? AdvertisedIPAddress { get; set; }

    /// <summary>Gets or sets the port. Default: 11111.</summary>
    public int SiloPort { get; set; } = DEFAULT_SILO_PORT;

    /// <summary>Gets or sets the port for clients. Default: 30000.</summary>
    public int GatewayPort { get; set; } = DEFAULT_GATEWAY_PORT;

    /// <summary>Gets or sets where the silo would listen.</summary>
    public IPEndPoint? SiloListeningEndpoint { get; set; }

    /// <summary>Gets or sets where the silo would listen for clients.</summary>
    public IPEndPoint? GatewayListeningEndpoint { get; set; }
}
