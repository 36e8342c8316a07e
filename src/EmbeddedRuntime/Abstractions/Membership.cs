using System.Collections.Immutable;
using System.Globalization;

namespace Orleans.Runtime;

/// <summary>Where a silo is in its life.</summary>
public enum SiloStatus
{
    /// <summary>Not known.</summary>
    None = 0,

    /// <summary>Built, not started.</summary>
    Created = 1,

    /// <summary>Starting.</summary>
    Joining = 2,

    /// <summary>Takes grains.</summary>
    Active = 3,

    /// <summary>Stopping; deactivates its grains.</summary>
    ShuttingDown = 4,

    /// <summary>Stopping without deactivating.</summary>
    Stopping = 5,

    /// <summary>Gone; its address never comes back.</summary>
    Dead = 6,
}

/// <summary>The silo that services of a host belong to.</summary>
public interface ILocalSiloDetails
{
    /// <summary>Gets the name of the silo.</summary>
    string Name { get; }

    /// <summary>Gets the cluster that the silo belongs to.</summary>
    string ClusterId { get; }

    /// <summary>Gets the name of the machine.</summary>
    string DnsHostName { get; }

    /// <summary>Gets the address of the silo.</summary>
    SiloAddress SiloAddress { get; }

    /// <summary>Gets the address for clients; nothing listens there.</summary>
    SiloAddress GatewayAddress { get; }
}

/// <summary>Counts the changes of a cluster's membership.</summary>
public readonly struct MembershipVersion : IComparable<MembershipVersion>, IEquatable<MembershipVersion>
{
    /// <summary>Makes one.</summary>
    public MembershipVersion(long version) => Value = version;

    /// <summary>Gets the version before all others.</summary>
    public static MembershipVersion MinValue => new(long.MinValue);

    /// <summary>Gets the number of changes.</summary>
    [Id(0)]
    public long Value { get; init; }

    /// <summary>Orders by number.</summary>
    public readonly int CompareTo(MembershipVersion other) => Value.CompareTo(other.Value);

    /// <summary>Compares the numbers.</summary>
    public readonly bool Equals(MembershipVersion other) => Value == other.Value;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is MembershipVersion other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => Value.GetHashCode();

    /// <summary>Returns the number.</summary>
    public override readonly string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Compares the numbers.</summary>
    public static bool operator ==(MembershipVersion left, MembershipVersion right) => left.Value == right.Value;

    /// <summary>Compares the numbers.</summary>
    public static bool operator !=(MembershipVersion left, MembershipVersion right) => left.Value != right.Value;

    /// <summary>Compares the numbers.</summary>
    public static bool operator <(MembershipVersion left, MembershipVersion right) => left.Value < right.Value;

    /// <summary>Compares the numbers.</summary>
    public static bool operator >(MembershipVersion left, MembershipVersion right) => left.Value > right.Value;

    /// <summary>Compares the numbers.</summary>
    public static bool operator <=(MembershipVersion left, MembershipVersion right) => left.Value <= right.Value;

    /// <summary>Compares the numbers.</summary>
    public static bool operator >=(MembershipVersion left, MembershipVersion right) => left.Value >= right.Value;
}

/// <summary>One silo as the membership knows it.</summary>
public sealed class ClusterMember : IEquatable<ClusterMember>
{
    /// <summary>Makes one.</summary>
    public ClusterMember(SiloAddress siloAddress, SiloStatus status, string name)
    {
        ArgumentNullException.ThrowIfNull(siloAddress);
        SiloAddress = siloAddress;
        Status = status;
        Name = name;
    }

    /// <summary>Gets the address.</summary>
    [Id(0)]
    public SiloAddress SiloAddress { get; }

    /// <summary>Gets the status.</summary>
    [Id(1)]
    public SiloStatus Status { get; }

    /// <summary>Gets the name.</summary>
    [Id(2)]
    public string Name { get; }

    /// <summary>Compares all three.</summary>
    public bool Equals(ClusterMember? other)
        => other is not null && SiloAddress.Equals(other.SiloAddress) && Status == other.Status && Name == other.Name;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ClusterMember);

    /// <inheritdoc/>
    public override int GetHashCode() => SiloAddress.GetHashCode();

    /// <summary>Returns all three.</summary>
    public override string ToString() => $"{Name} {SiloAddress} {Status}";
}

/// <summary>All silos of a cluster at one moment, dead ones included.</summary>
public sealed class ClusterMembershipSnapshot
{
    /// <summary>Makes one.</summary>
    public ClusterMembershipSnapshot(ImmutableDictionary<SiloAddress, ClusterMember> members, MembershipVersion version)
    {
        Members = members;
        Version = version;
    }

    /// <summary>Gets the silos.</summary>
    [Id(0)]
    public ImmutableDictionary<SiloAddress, ClusterMember> Members { get; }

    /// <summary>Gets the version.</summary>
    [Id(1)]
    public MembershipVersion Version { get; }

    /// <summary>Returns the status of a silo; dead when a later start took its place, none when unknown.</summary>
    public SiloStatus GetSiloStatus(SiloAddress silo)
    {
        ArgumentNullException.ThrowIfNull(silo);
        if (Members.TryGetValue(silo, out ClusterMember? member))
        {
            return member.Status;
        }

        return Members.Keys.Any(silo.IsPredecessorOf) ? SiloStatus.Dead : SiloStatus.None;
    }

    /// <summary>Returns version and silos.</summary>
    public override string ToString() => $"version {Version}: {string.Join(", ", Members.Values)}";
}

/// <summary>Knows the silos of the cluster. The cluster of one process agrees at once and is never wrong.</summary>
public interface IClusterMembershipService
{
    /// <summary>Gets the silos now.</summary>
    ClusterMembershipSnapshot CurrentSnapshot { get; }

    /// <summary>Gets the silos now and after every change, until the reader stops.</summary>
    IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates { get; }

    /// <summary>Waits until the snapshot has at least this version.</summary>
    ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default);

    /// <summary>Declares a silo dead.</summary>
    /// <returns>Whether the silo is dead now.</returns>
    Task<bool> TryKill(SiloAddress siloAddress);
}
