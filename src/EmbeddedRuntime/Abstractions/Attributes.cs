using System.Globalization;
using Orleans.Runtime;

namespace Orleans
{
    /// <summary>Marks a type whose marked members travel in grain calls; a call carries a copy of it.</summary>
    [AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Enum)]
    public sealed class GenerateSerializerAttribute : Attribute;

    /// <summary>Marks a member that travels, with a number that is never used again within its type.</summary>
    [AttributeUsage(AttributeTargets.Field | AttributeTargets.Property | AttributeTargets.Class
        | AttributeTargets.Struct | AttributeTargets.Enum | AttributeTargets.Method)]
    public sealed class IdAttribute : Attribute
    {
        /// <summary>Sets the number.</summary>
        public IdAttribute(uint id) => Id = id;

        /// <summary>Gets the number.</summary>
        public uint Id { get; }
    }

    /// <summary>Gives a type or method a name on the wire that outlives renaming it.</summary>
    [AttributeUsage(AttributeTargets.Class | AttributeTargets.Interface | AttributeTargets.Struct
        | AttributeTargets.Enum | AttributeTargets.Method)]
    public sealed class AliasAttribute : Attribute
    {
        /// <summary>Sets the name.</summary>
        public AliasAttribute(string alias)
        {
            ArgumentNullException.ThrowIfNull(alias);
            Alias = alias;
        }

        /// <summary>Gets the name.</summary>
        public string Alias { get; }
    }

    /// <summary>Promises that a value is never changed after it was handed over, so it is passed as it is.</summary>
    [AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Field
        | AttributeTargets.Property | AttributeTargets.Parameter)]
    public sealed class ImmutableAttribute : Attribute;

    /// <summary>How long a caller of this method waits; wins over the configured response timeout.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class ResponseTimeoutAttribute : Attribute
    {
        /// <summary>Sets the time from a text such as <c>00:00:05</c>.</summary>
        public ResponseTimeoutAttribute(string timeout)
            => Timeout = TimeSpan.Parse(timeout, CultureInfo.InvariantCulture);

        /// <summary>Gets the time.</summary>
        public TimeSpan? Timeout { get; init; }
    }

    /// <summary>Names a grain class on the wire; without it the name is made from the class name.</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class GrainTypeAttribute : Attribute
    {
        private readonly GrainType _grainType;

        /// <summary>Sets the name.</summary>
        public GrainTypeAttribute(string grainType) => _grainType = GrainType.Create(grainType);

        /// <summary>Returns the name; the arguments are not looked at.</summary>
        public GrainType GetGrainType(IServiceProvider services, Type type) => _grainType;
    }
}

namespace Orleans.Concurrency
{
    /// <summary>Lets the turns of several requests to one activation of this class alternate.</summary>
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class ReentrantAttribute : Attribute;

    /// <summary>Lets a request start while any other request to the activation is between turns.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class AlwaysInterleaveAttribute : Attribute;

    /// <summary>Promises that a method changes nothing, so requests to such methods may alternate.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class ReadOnlyAttribute : Attribute;

    /// <summary>The caller does not wait: its task ends when the request is on its way.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class OneWayAttribute : Attribute;

    /// <summary>Carries a value that nobody changes any more, so it is passed as it is.</summary>
    public readonly struct Immutable<T>
    {
        /// <summary>The value.</summary>
        [Id(0)]
        public readonly T Value;

        /// <summary>Wraps the value.</summary>
        public Immutable(T value) => Value = value;
    }

    /// <summary>Wraps values in <see cref="Immutable{T}"/>.</summary>
    public static class ImmutableExtensions
    {
        /// <summary>Wraps the value.</summary>
        public static Immutable<T> AsImmutable<T>(this T value) => new(value);
    }
}
