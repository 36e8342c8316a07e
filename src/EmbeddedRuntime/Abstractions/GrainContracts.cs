using Orleans.Runtime;

namespace Orleans.Runtime
{
    /// <summary>Anything that can be called through a grain reference.</summary>
    public interface IAddressable;
}

namespace Orleans
{
    /// <summary>Root of every grain interface.</summary>
    public interface IGrain : IAddressable;

    /// <summary>A grain interface whose grains are named by a string.</summary>
    public interface IGrainWithStringKey : IGrain;

    /// <summary>Makes references to grains. Making one never activates the grain.</summary>
    public interface IGrainFactory
    {
        /// <summary>Returns a reference to the grain named <paramref name="primaryKey"/>.</summary>
        /// <param name="primaryKey">The grain's name; never null.</param>
        /// <param name="grainClassNamePrefix">
        /// Chooses among several implementing classes: the start of the full class name.
        /// </param>
        /// <exception cref="ArgumentException">No class, or more than one, implements the interface.</exception>
        TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
            where TGrainInterface : IGrainWithStringKey;

        /// <summary>Returns a reference to the grain named <paramref name="grainPrimaryKey"/>.</summary>
        /// <exception cref="ArgumentException">No class, or more than one, implements the interface.</exception>
        IGrain GetGrain(Type grainInterfaceType, string grainPrimaryKey);

        /// <summary>Returns a reference to the grain with exactly this identity.</summary>
        TGrainInterface GetGrain<TGrainInterface>(GrainId grainId)
            where TGrainInterface : IAddressable;
    }

    /// <summary>The way into a cluster for code that is not a grain.</summary>
    public interface IClusterClient : IGrainFactory
    {
        /// <summary>Gets the services of the host that the client belongs to.</summary>
        IServiceProvider ServiceProvider { get; }
    }

    /// <summary>What the runtime asks of a grain class.</summary>
    public interface IGrainBase
    {
        /// <summary>Gets the activation that this grain object lives in.</summary>
        IGrainContext GrainContext { get; }

        /// <summary>Runs as the first turn, before any request.</summary>
        Task OnActivateAsync(CancellationToken token);

        /// <summary>Runs as the last turn, after all started requests have ended; not run on a kill.</summary>
        Task OnDeactivateAsync(DeactivationReason reason, CancellationToken token);
    }
}
