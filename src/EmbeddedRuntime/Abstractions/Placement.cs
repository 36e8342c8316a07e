using Orleans.Runtime;

namespace Orleans.Runtime
{
    /// <summary>Says how silos are chosen for the grains of a class; a director does the choosing.</summary>
    public abstract class PlacementStrategy
    {
        /// <summary>Gets whether activations are registered, so that there is one per grain. Default: yes.</summary>
        public virtual bool IsUsingGrainDirectory => true;
    }

    /// <summary>Any active silo. The default.</summary>
    public sealed class RandomPlacement : PlacementStrategy;

    /// <summary>The caller's silo when it is active, else any.</summary>
    public sealed class PreferLocalPlacement : PlacementStrategy;

    /// <summary>The silo that the grain's identity hashes to among the active ones.</summary>
    public sealed class HashBasedPlacement : PlacementStrategy;
}

namespace Orleans.Placement
{
    /// <summary>Base of the attributes that give a grain class its placement strategy.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public abstract class PlacementAttribute : Attribute
    {
        /// <summary>Sets the strategy.</summary>
        protected PlacementAttribute(PlacementStrategy placement)
        {
            ArgumentNullException.ThrowIfNull(placement);
            PlacementStrategy = placement;
        }

        /// <summary>Gets the strategy.</summary>
        public PlacementStrategy PlacementStrategy { get; private set; }
    }

    /// <summary>Places the grains of a class on any active silo.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class RandomPlacementAttribute() : PlacementAttribute(new RandomPlacement());

    /// <summary>Places the grains of a class on the caller's silo when it is active.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class PreferLocalPlacementAttribute() : PlacementAttribute(new PreferLocalPlacement());

    /// <summary>Places the grains of a class by a hash of their identity.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
    public sealed class HashBasedPlacementAttribute() : PlacementAttribute(new HashBasedPlacement());
}

namespace Orleans.Runtime.Placement
{
    /// <summary>What a director may look at.</summary>
    public interface IPlacementContext
    {
        /// <summary>Gets the silo that the request came in at.</summary>
        SiloAddress LocalSilo { get; }

        /// <summary>Gets the status of that silo.</summary>
        SiloStatus LocalSiloStatus { get; }

        /// <summary>Returns the silos that can host the grain: the active ones. Never empty.</summary>
        /// <exception cref="OrleansException">There is no such silo.</exception>
        SiloAddress[] GetCompatibleSilos(PlacementTarget target);
    }

    /// <summary>Chooses the silo for a new activation.</summary>
    public interface IPlacementDirector
    {
        /// <summary>Returns one of the compatible silos.</summary>
        Task<SiloAddress> OnAddActivation(
            PlacementStrategy strategy, PlacementTarget target, IPlacementContext context);
    }

    /// <summary>The grain that needs a silo.</summary>
    public readonly struct PlacementTarget
    {
        /// <summary>Makes one.</summary>
        public PlacementTarget(
            GrainId grainIdentity,
            Dictionary<string, object> requestContextData,
            GrainInterfaceType interfaceType,
            ushort interfaceVersion)
        {
            GrainIdentity = grainIdentity;
            RequestContextData = requestContextData;
            InterfaceType = interfaceType;
            InterfaceVersion = interfaceVersion;
        }

        /// <summary>Gets the grain.</summary>
        public GrainId GrainIdentity { get; }

        /// <summary>Gets the interface that the first request uses.</summary>
        public GrainInterfaceType InterfaceType { get; }

        /// <summary>Gets the version of that interface; always zero here.</summary>
        public ushort InterfaceVersion { get; }

        /// <summary>Gets what the caller sent along; always empty here.</summary>
        public Dictionary<string, object> RequestContextData { get; }
    }
}
