namespace Orleans.Runtime;

/// <summary>One activation of a grain: its identity, its object and its end.</summary>
public interface IGrainContext
{
    /// <summary>Gets the identity of the grain.</summary>
    GrainId GrainId { get; }

    /// <summary>Gets the grain object, or null while it is being constructed.</summary>
    object? GrainInstance { get; }

    /// <summary>Gets the services that the activation was built from: a scope of its silo's.</summary>
    IServiceProvider ActivationServices { get; }

    /// <summary>Gets a task that ends when the activation has ended.</summary>
    Task Deactivated { get; }

    /// <summary>Starts to deactivate and returns at once. Started requests end first.</summary>
    /// <param name="deactivationReason">Handed to <c>OnDeactivateAsync</c>.</param>
    /// <param name="cancellationToken">Cancelled when the deactivation may no longer take its time.</param>
    void Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken = default);
}
