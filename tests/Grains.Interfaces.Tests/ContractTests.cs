using System.Reflection;

namespace Branching.Grains.Interfaces.Tests;

/// <summary>What must hold of every message and interface, so that versions of the program understand each
/// other.</summary>
public sealed class ContractTests
{
    private static readonly Type[] _types =
        [.. typeof(IStoreGrain).Assembly.GetExportedTypes()
            .Where(type => type.Namespace == typeof(IStoreGrain).Namespace)];

    private static Type[] Messages
        => [.. _types.Where(type => type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))];

    private static Type[] GrainInterfaces
        => [.. _types.Where(type => type.IsInterface && type.IsAssignableTo(typeof(IGrain)))];

    [Fact]
    public void There_are_messages_and_interfaces_to_look_at()
    {
        Assert.True(Messages.Length > 20, $"{Messages.Length} messages");
        Assert.Equal(8, GrainInterfaces.Length);
    }

    [Fact]
    public void Every_message_and_interface_has_an_alias_of_its_own()
    {
        Type[] named = [.. Messages, .. GrainInterfaces];

        Assert.Empty(named.Where(type => AliasOf(type) is null).Select(type => type.Name));
        Assert.Equal(named.Length, named.Select(AliasOf).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void Every_method_has_an_alias_of_its_own_in_its_interface()
    {
        foreach (Type contract in GrainInterfaces)
        {
            MethodInfo[] methods =
                contract.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly);
            string?[] aliases = [.. methods.Select(AliasOf)];

            Assert.All(aliases, Assert.NotNull);
            Assert.Equal(aliases.Length, aliases.Distinct(StringComparer.Ordinal).Count());
        }
    }

    [Fact]
    public void Every_message_is_immutable_except_the_exception()
        => Assert.Equal(
            [nameof(BranchingException)],
            Messages.Where(type => !type.IsDefined(typeof(ImmutableAttribute), inherit: false))
                .Select(type => type.Name));

    [Fact]
    public void The_members_of_every_message_are_numbered_from_zero_without_gaps()
    {
        foreach (Type message in Messages)
        {
            PropertyInfo[] members =
                [.. message.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                .Where(property => property.GetMethod is { IsStatic: false } && property.CanWrite)];
            uint[] ids = [.. members.Select(member => member.GetCustomAttribute<IdAttribute>()?.Id ?? uint.MaxValue)
                .Order()];

            Assert.True(
                ids.SequenceEqual(Enumerable.Range(0, members.Length).Select(i => (uint)i)),
                $"{message.Name} has the ids {string.Join(", ", ids)}.");
        }
    }

    [Fact]
    public void Every_method_takes_a_cancellation_token_last_and_answers_asynchronously()
    {
        foreach (MethodInfo method in GrainInterfaces.SelectMany(contract => contract.GetMethods()))
        {
            Assert.Equal(typeof(CancellationToken), method.GetParameters()[^1].ParameterType);
            Assert.EndsWith("Async", method.Name, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Data_calls_have_the_response_timeout_of_the_node_and_long_ones_a_time_of_their_own()
    {
        string[] data =
        [
            nameof(IStoreGrain.GetAsync), nameof(IStoreGrain.MultiGetAsync), nameof(IStoreGrain.WriteAsync),
            nameof(IStoreGrain.ScanAsync), nameof(IStoreGrain.StreamAsync),
        ];
        string[] longest =
        [
            nameof(IStoreGrain.CountAsync), nameof(IStoreGrain.FlushAsync), nameof(IStoreGrain.CompactAsync),
            nameof(IStoreGrain.ClearAsync),
        ];

        foreach (MethodInfo method in GrainInterfaces.SelectMany(contract => contract.GetMethods()))
        {
            TimeSpan? own = method.GetCustomAttribute<ResponseTimeoutAttribute>()?.Timeout;
            bool isManagement = method.DeclaringType == typeof(ISnapshotCoordinatorGrain)
                || method.DeclaringType == typeof(IClusterCoordinatorGrain)
                || method.DeclaringType == typeof(IOperationsGrain);
            bool isRight = data.Contains(method.Name, StringComparer.Ordinal) ? own is null
                : longest.Contains(method.Name, StringComparer.Ordinal) ? own >= TimeSpan.FromMinutes(1)
                : !isManagement || own >= TimeSpan.FromSeconds(30);

            Assert.True(isRight, $"{method.DeclaringType!.Name}.{method.Name}: {own?.ToString() ?? "none"}");
        }
    }

    [Fact]
    public void The_numbers_of_failure_kinds_are_never_given_twice_and_the_first_ones_are_known()
    {
        int[] numbers = [.. Enum.GetValues<FailureKind>().Select(kind => (int)kind)];

        // Later ones come in blocks of five, with room in each.
        Assert.Equal(Enumerable.Range(0, 47), numbers.Where(number => number < 50));
        Assert.Equal(numbers.Distinct(), numbers);
        Assert.Equal(46, (int)FailureKind.Refused);
        Assert.Equal(50, (int)FailureKind.TransactionConflict);
        Assert.Equal(54, (int)FailureKind.OutcomeUnknown);
    }

    private static string? AliasOf(MemberInfo member)
        => member.GetCustomAttribute<AliasAttribute>(inherit: false)?.Alias;
}
