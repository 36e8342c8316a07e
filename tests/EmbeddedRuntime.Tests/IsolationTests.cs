using System.Collections.Immutable;
using Orleans;
using Orleans.Concurrency;
using Orleans.Serialization;

namespace Branching.EmbeddedRuntime.Tests;

[GenerateSerializer]
public sealed class Basket
{
    [Id(0)]
    public string Name { get; set; } = "";

    [Id(1)]
    public List<string> Items { get; set; } = [];

    [Id(2)]
    public Basket? Inner { get; set; }

    public string Unmarked { get; set; } = "default";
}

[GenerateSerializer]
public record Parcel(string Label, byte[] Content)
{
    [Id(2)]
    public Dictionary<string, List<int>> Numbers { get; init; } = [];
}

[GenerateSerializer]
public sealed record StampedParcel(string Label, byte[] Content, DateTimeOffset At) : Parcel(Label, Content);

[GenerateSerializer]
[Immutable]
public sealed record Stone(byte[] Bytes);

[GenerateSerializer]
public readonly record struct Point(int X, int Y);

public sealed class Unmarked
{
    public int Value { get; set; }
}

public interface IEchoGrain : IGrainWithStringKey
{
    Task<bool> KeepAsync(object? value);

    Task<object?> GetKeptAsync();

    Task<byte[]> EchoBytesAsync(byte[] bytes);

    Task<ReadOnlyMemory<byte>> EchoMemoryAsync(ReadOnlyMemory<byte> bytes);

    Task<Immutable<byte[]>> EchoImmutableAsync(Immutable<byte[]> bytes);

    Task<object> ReturnUnmarkedAsync();

    Task<IReadOnlyList<Parcel>> EchoParcelsAsync(IReadOnlyList<Parcel> parcels);
}

internal sealed class EchoGrain : Grain, IEchoGrain
{
    private object? _kept;

    public Task<bool> KeepAsync(object? value)
    {
        _kept = value;
        return Task.FromResult(true);
    }

    public Task<object?> GetKeptAsync() => Task.FromResult(_kept);

    public Task<byte[]> EchoBytesAsync(byte[] bytes) => Task.FromResult(bytes);

    public Task<ReadOnlyMemory<byte>> EchoMemoryAsync(ReadOnlyMemory<byte> bytes) => Task.FromResult(bytes);

    public Task<Immutable<byte[]>> EchoImmutableAsync(Immutable<byte[]> bytes) => Task.FromResult(bytes);

    public Task<object> ReturnUnmarkedAsync() => Task.FromResult<object>(new Unmarked());

    public Task<IReadOnlyList<Parcel>> EchoParcelsAsync(IReadOnlyList<Parcel> parcels) => Task.FromResult(parcels);
}

public sealed class IsolationTests : IAsyncLifetime
{
    private ProbeCluster _probe = null!;

    private IEchoGrain Grain => _probe.Cluster.GrainFactory.GetGrain<IEchoGrain>("a");

    public async Task InitializeAsync() => _probe = await ProbeCluster.StartAsync();

    public async Task DisposeAsync() => await _probe.DisposeAsync();

    [Fact]
    public async Task Changing_an_argument_after_the_call_does_not_reach_the_grain()
    {
        Basket basket = new() { Name = "b", Items = ["one"], Inner = new Basket { Items = ["deep"] } };
        await Grain.KeepAsync(basket);

        basket.Items.Add("two");
        basket.Inner.Items.Clear();

        Basket kept = Assert.IsType<Basket>(await Grain.GetKeptAsync());
        Assert.Equal(["one"], kept.Items);
        Assert.Equal(["deep"], kept.Inner!.Items);
    }

    [Fact]
    public async Task Changing_an_answer_does_not_reach_the_grain()
    {
        await Grain.KeepAsync(new Basket { Items = ["one"] });
        Basket first = Assert.IsType<Basket>(await Grain.GetKeptAsync());

        first.Items.Add("two");

        Basket second = Assert.IsType<Basket>(await Grain.GetKeptAsync());
        Assert.Equal(["one"], second.Items);
    }

    [Fact]
    public async Task A_member_without_a_mark_does_not_travel()
    {
        await Grain.KeepAsync(new Basket { Unmarked = "lost" });

        Basket kept = Assert.IsType<Basket>(await Grain.GetKeptAsync());
        Assert.Equal("default", kept.Unmarked);
    }

    [Fact]
    public async Task Bytes_are_copied_both_ways()
    {
        byte[] bytes = [1, 2, 3];

        byte[] echoed = await Grain.EchoBytesAsync(bytes);
        ReadOnlyMemory<byte> memory = await Grain.EchoMemoryAsync(bytes);
        bytes[0] = 9;

        Assert.Equal([1, 2, 3], echoed);
        Assert.Equal([1, 2, 3], memory.ToArray());
    }

    [Fact]
    public async Task Immutable_things_are_shared()
    {
        Stone stone = new([1]);
        byte[] bytes = [1];

        await Grain.KeepAsync(stone);
        Immutable<byte[]> echoed = await Grain.EchoImmutableAsync(bytes.AsImmutable());

        Assert.Same(stone, await Grain.GetKeptAsync());
        Assert.Same(bytes, echoed.Value);
    }

    [Fact]
    public async Task Records_travel_with_what_their_constructors_declare()
    {
        Parcel plain = new("p", [1]) { Numbers = { ["a"] = [1, 2] } };
        StampedParcel stamped = new("s", [2], DateTimeOffset.UnixEpoch);

        IReadOnlyList<Parcel> echoed = await Grain.EchoParcelsAsync(new[] { plain, stamped });
        plain.Content[0] = 9;
        plain.Numbers["a"].Add(3);

        Assert.Equal([1], echoed[0].Content);
        Assert.Equal([1, 2], echoed[0].Numbers["a"]);
        StampedParcel copy = Assert.IsType<StampedParcel>(echoed[1]);
        Assert.Equal(("s", DateTimeOffset.UnixEpoch), (copy.Label, copy.At));
        Assert.NotSame(stamped.Content, copy.Content);
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Common_values_arrive_equal(object value)
    {
        await Grain.KeepAsync(value);

        Assert.Equal(value, await Grain.GetKeptAsync());
    }

    [Fact]
    public async Task A_circle_stays_a_circle()
    {
        Basket basket = new();
        basket.Inner = basket;

        await Grain.KeepAsync(basket);

        Basket kept = Assert.IsType<Basket>(await Grain.GetKeptAsync());
        Assert.Same(kept, kept.Inner);
        Assert.NotSame(basket, kept);
    }

    [Fact]
    public async Task A_type_that_does_not_say_how_it_travels_is_refused_by_name()
    {
        CodecNotFoundException sent = await Assert.ThrowsAsync<CodecNotFoundException>(
            async () => await Grain.KeepAsync(new Unmarked()));
        CodecNotFoundException returned = await Assert.ThrowsAsync<CodecNotFoundException>(
            () => Grain.ReturnUnmarkedAsync());

        Assert.Contains(nameof(Unmarked), sent.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(Unmarked), returned.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_only_list_that_the_compiler_made_up_is_refused()
    {
        // The copier of Orleans 10.2.2 refuses it too, though its serializer lets it pass from a client.
        IReadOnlyList<Parcel> fromExpression = [new Parcel("a", []), new Parcel("b", [])];

        await Assert.ThrowsAsync<CodecNotFoundException>(() => Grain.EchoParcelsAsync(fromExpression));
    }

    [Fact]
    public async Task A_grain_reference_travels_and_still_works()
    {
        await Grain.KeepAsync(_probe.Grain("other"));

        IProbeGrain kept = Assert.IsAssignableFrom<IProbeGrain>(await Grain.GetKeptAsync());
        Assert.Equal("other greets b", await kept.GreetAsync("b"));
    }

    public static TheoryData<object> Values() => new()
    {
        "text",
        42,
        4.2m,
        Guid.Parse("0f8fad5b-d9cb-469f-a165-70867728950e"),
        new Uri("https://example.org/"),
        new Point(1, 2),
        DayOfWeek.Friday,
        new[] { "a", "b" },
        new[] { new Point(1, 2) },
        new HashSet<string> { "a" },
        new Queue<int>([1, 2]),
        new SortedDictionary<string, int> { ["a"] = 1 },
        (1, "a", new Point(3, 4)),
        KeyValuePair.Create("a", 1),
        ImmutableArray.Create(1, 2),
        ImmutableDictionary<string, int>.Empty.Add("a", 1),
        System.Net.IPAddress.Loopback,
    };
}
