using Branching.EmbeddedRuntime;
using Orleans.Runtime;

namespace Orleans;

/// <summary>Base of grain classes. All code of one activation runs one turn at a time.</summary>
public abstract class Grain : IGrainBase, IAddressable
{
    private readonly Activation _activation;

    /// <summary>Binds the object to the activation that is constructing it.</summary>
    /// <exception cref="InvalidOperationException">The object is not being constructed by the runtime.</exception>
    protected Grain()
        => _activation = Activation.Constructing ?? throw new InvalidOperationException(
            $"{GetType().Name} was constructed outside of the runtime. Get a reference from IGrainFactory instead.");

    /// <summary>Gets the activation that this grain object lives in.</summary>
    public IGrainContext GrainContext => _activation;

    /// <summary>Gets a text that names the grain, for messages.</summary>
    public string IdentityString => _activation.GrainId.ToString();

    /// <summary>Gets a text that names the silo, for messages.</summary>
    public string RuntimeIdentity => _activation.Silo.Address.ToString();

    /// <summary>Gets the factory for references to other grains.</summary>
    protected IGrainFactory GrainFactory => _activation.Silo.GrainFactory;

    /// <summary>Gets the services that the activation was built from.</summary>
    protected internal IServiceProvider ServiceProvider => _activation.ActivationServices;

    /// <summary>Runs as the first turn, before any request. When it throws, the waiting callers see why.</summary>
    public virtual Task OnActivateAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Runs as the last turn, after all started requests have ended; not run on a kill.</summary>
    public virtual Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
        => Task.CompletedTask;

    /// <summary>Deactivates as soon as the started requests have ended; waiting ones go to a new activation.</summary>
    protected void DeactivateOnIdle() => GrainBaseExtensions.DeactivateOnIdle(this);

    /// <summary>Goes where placement would put it now, as soon as the started requests have ended; waiting ones follow
    /// it.</summary>
    protected void MigrateOnIdle() => GrainBaseExtensions.MigrateOnIdle(this);

    /// <summary>Keeps idle collection away for at least this long; negative withdraws an earlier delay.</summary>
    protected void DelayDeactivation(TimeSpan timeSpan) => _activation.DelayDeactivation(timeSpan);
}
