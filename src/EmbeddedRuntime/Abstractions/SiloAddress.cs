using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Orleans.Runtime;

/// <summary>Names one life of one silo: where it is and which start it is. Nothing listens there.</summary>
public sealed class SiloAddress : IEquatable<SiloAddress>, IComparable<SiloAddress>
{
    private static readonly DateTimeOffset _generationEpoch = new(2022, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static int _lastGeneration;

    private SiloAddress(IPEndPoint endpoint, int generation)
    {
        Endpoint = endpoint;
        Generation = generation;
    }

    /// <summary>Gets the address that stands for no silo.</summary>
    public static SiloAddress Zero { get; } = New(new IPEndPoint(0, 0), 0);

    /// <summary>Gets the network name of the silo.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>Gets the number of this start; later starts have higher ones.</summary>
    public int Generation { get; }

    /// <summary>Gets whether it names a client rather than a silo.</summary>
    public bool IsClient => Generation < 0;

    /// <summary>Returns a generation that this process has not handed out before.</summary>
    public static int AllocateNewGeneration()
    {
        int now = unchecked((int)(TimeProvider.System.GetUtcNow() - _generationEpoch).TotalSeconds);
        while (true)
        {
            int last = Volatile.Read(ref _lastGeneration);
            int next = Math.Max(now, last + 1);
            if (Interlocked.CompareExchange(ref _lastGeneration, next, last) == last)
            {
                return next;
            }
        }
    }

    /// <summary>Makes one from its parts.</summary>
    public static SiloAddress New(IPEndPoint ep, int gen)
    {
        ArgumentNullException.ThrowIfNull(ep);
        return new SiloAddress(ep, gen);
    }

    /// <summary>Makes one from its parts.</summary>
    public static SiloAddress New(IPAddress address, int port, int generation)
        => New(new IPEndPoint(address, port), generation);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote.</summary>
    /// <exception cref="FormatException">It is not of the form address:port@generation.</exception>
    public static SiloAddress FromParsableString(string addr) => Parse(addr);

    /// <summary>Reads what <see cref="ToParsableString"/> wrote.</summary>
    /// <exception cref="FormatException">It is not of the form address:port@generation.</exception>
    public static SiloAddress Parse(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return TryParse(value, out SiloAddress? result)
            ? result
            : throw new FormatException($"'{value}' is not a silo address. It must be address:port@generation.");
    }

    /// <summary>Reads what <see cref="ToParsableString"/> wrote.</summary>
    public static bool TryParse(string? value, [NotNullWhen(true)] out SiloAddress? result)
    {
        result = null;
        int at = value?.LastIndexOf('@') ?? -1;
        int colon = at > 0 ? value!.LastIndexOf(':', at) : -1;
        if (colon <= 0
            || !IPAddress.TryParse(value.AsSpan(0, colon), out IPAddress? address)
            || !ushort.TryParse(
                value.AsSpan(colon + 1, at - colon - 1),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out ushort port)
            || !int.TryParse(
                value.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int generation))
        {
            return false;
        }

        result = New(address, port, generation);
        return true;
    }

    /// <summary>Returns address:port@generation, for <see cref="Parse(string)"/>.</summary>
    public string ToParsableString()
        => string.Create(CultureInfo.InvariantCulture, $"{Endpoint.Address}:{Endpoint.Port}@{Generation}");

    /// <summary>Returns a text for messages.</summary>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{(IsClient ? 'C' : 'S')}{Endpoint}:{Generation}");

    /// <summary>Returns a hash that is the same in every process.</summary>
    public int GetConsistentHashCode()
    {
        // FNV-1a: placement by hash must agree between silos, and string.GetHashCode is seeded per process.
        uint hash = 2166136261;
        foreach (char c in ToParsableString())
        {
            hash = unchecked((hash ^ c) * 16777619);
        }

        return unchecked((int)hash);
    }

    /// <summary>Orders by endpoint, then by generation.</summary>
    public int CompareTo(SiloAddress? other)
    {
        if (other is null)
        {
            return 1;
        }

        int byAddress = Endpoint.Address.GetAddressBytes().AsSpan()
            .SequenceCompareTo(other.Endpoint.Address.GetAddressBytes());
        int byPort = byAddress != 0 ? byAddress : Endpoint.Port.CompareTo(other.Endpoint.Port);
        return byPort != 0 ? byPort : Generation.CompareTo(other.Generation);
    }

    /// <summary>Compares endpoint and generation.</summary>
    public bool Equals(SiloAddress? other)
        => other is not null && Generation == other.Generation && Endpoint.Equals(other.Endpoint);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SiloAddress);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Endpoint, Generation);

    /// <summary>Returns whether the other is a later start at the same endpoint.</summary>
    public bool IsPredecessorOf(SiloAddress other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Endpoint.Equals(other.Endpoint) && Generation < other.Generation;
    }

    /// <summary>Returns whether the other is an earlier start at the same endpoint.</summary>
    public bool IsSuccessorOf(SiloAddress other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return other.IsPredecessorOf(this);
    }
}
