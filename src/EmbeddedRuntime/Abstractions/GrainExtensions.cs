using Branching.EmbeddedRuntime;
using Orleans.Runtime;

namespace Orleans;

/// <summary>Asks grains and grain references who they are.</summary>
public static class GrainExtensions
{
    /// <summary>Returns the identity of a grain or of the grain that a reference points to.</summary>
    /// <exception cref="ArgumentException">It is neither a grain nor a reference.</exception>
    public static GrainId GetGrainId(this IAddressable grain) => grain switch
    {
        GrainProxy proxy => proxy.GrainId,
        IGrainBase instance => instance.GrainContext.GrainId,
        _ => throw new ArgumentException(
            $"{grain?.GetType().Name ?? "null"} is neither a grain nor a grain reference.", nameof(grain)),
    };

    /// <summary>Returns the string that names the grain.</summary>
    public static string GetPrimaryKeyString(this IAddressable grain) => GetGrainId(grain).Key.ToString();

    /// <summary>Returns a reference to the same grain through another of its interfaces.</summary>
    public static TGrainInterface AsReference<TGrainInterface>(this IAddressable grain)
        => (TGrainInterface)AsReference(grain, typeof(TGrainInterface));

    /// <summary>Returns a reference to the same grain through another of its interfaces.</summary>
    public static object AsReference(this IAddressable grain, Type interfaceType)
    {
        ArgumentNullException.ThrowIfNull(interfaceType);
        return grain switch
        {
            GrainProxy proxy => proxy.Factory.GetReference(interfaceType, proxy.GrainId),
            IGrainBase { GrainContext: Activation activation } =>
                activation.Silo.GrainFactory.GetReference(interfaceType, activation.GrainId),
            _ => throw new ArgumentException(
                $"{grain?.GetType().Name ?? "null"} is neither a grain nor a grain reference.", nameof(grain)),
        };
    }

    /// <summary>Returns a reference to the same grain through another of its interfaces.</summary>
    public static TGrainInterface Cast<TGrainInterface>(this IAddressable grain)
        => AsReference<TGrainInterface>(grain);
}
