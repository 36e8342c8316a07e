#if !EMBEDDED_RUNTIME
using System.Net;
using Branching.Silo.Membership;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
#endif

namespace Branching.Silo.Tests.Membership;

/// <summary>Orleans' table of members over a real directory; its rules are those of <see cref="MembershipLogTests"/>.
/// </summary>
public sealed class SharedStorageMembershipTableTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("branching-members-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [OrleansFact]
    public async Task Orleans_entries_come_back_whole_through_a_directory()
    {
#if !EMBEDDED_RUNTIME
        SharedStorageMembershipTable table = NewTable();
        await table.InitializeMembershipTable(true);
        MembershipTableData empty = await table.ReadAll();
        MembershipEntry entry = Entry(1, SiloStatus.Joining, 30000);
        entry.AddSuspector(Silo(2), _start.AddSeconds(2));

        bool inserted = await table.InsertRow(entry, empty.Version.Next());
        bool again = await table.InsertRow(Entry(2, SiloStatus.Active, 0), empty.Version.Next());
        MembershipTableData read = await NewTable().ReadAll();
        MembershipTableData row = await table.ReadRow(entry.SiloAddress);
        MembershipTableData none = await table.ReadRow(Silo(9));

        Assert.Equal((0, true, false), (empty.Version.Version, inserted, again));
        Assert.Equal(entry.ToFullString(), Assert.Single(read.Members).Item1.ToFullString());
        Assert.Equal(DateTimeKind.Utc, read.Members[0].Item1.IAmAliveTime.Kind);
        Assert.Equal(read.Members[0].Item2, Assert.Single(row.Members).Item2);
        Assert.Equal((1, 1, 1), (read.Version.Version, row.Version.Version, none.Version.Version));
        Assert.Empty(none.Members);
#else
        await Task.CompletedTask;
#endif
    }

    [OrleansFact]
    public async Task Orleans_updates_and_signs_of_life_follow_its_rules()
    {
#if !EMBEDDED_RUNTIME
        SharedStorageMembershipTable table = NewTable();
        MembershipEntry entry = Entry(1, SiloStatus.Joining, 30000);
        await table.InsertRow(entry, (await table.ReadAll()).Version.Next());
        MembershipTableData read = await table.ReadAll();
        string etag = read.Members[0].Item2;
        entry.Status = SiloStatus.Active;

        bool updated = await table.UpdateRow(entry, etag, read.Version.Next());
        bool again = await table.UpdateRow(entry, etag, read.Version.Next());
        await table.UpdateIAmAlive(
            new MembershipEntry { SiloAddress = entry.SiloAddress, IAmAliveTime = _start.AddMinutes(1) });
        MembershipTableData after = await NewTable().ReadAll();
        await table.DeleteMembershipTableEntries("c");
        MembershipTableData deleted = await table.ReadAll();

        Assert.Equal((true, false), (updated, again));
        Assert.Equal((2, SiloStatus.Active), (after.Version.Version, after.Members[0].Item1.Status));
        Assert.Equal(_start.AddMinutes(1), after.Members[0].Item1.IAmAliveTime);
        Assert.Empty(deleted.Members);
#else
        await Task.CompletedTask;
#endif
    }

    [OrleansFact]
    public async Task Clients_are_given_the_gateways_of_active_members_only()
    {
#if !EMBEDDED_RUNTIME
        SharedStorageMembershipTable table = NewTable();
        (SiloStatus Status, int Port)[] members =
            [(SiloStatus.Active, 30001), (SiloStatus.Active, 0), (SiloStatus.Joining, 30002), (SiloStatus.Dead, 30003)];
        foreach (((SiloStatus status, int port), int number) in members.Select((member, index) => (member, index)))
        {
            TableVersion version = (await table.ReadAll()).Version;
            Assert.True(await table.InsertRow(Entry(number + 1, status, port), version.Next()));
        }

        SharedStorageGateways gateways = new(
            Storage(), Cluster(), Options.Create(new GatewayOptions()), NullLogger<SharedStorageGateways>.Instance);
        await gateways.InitializeGatewayListProvider();
        IList<Uri> found = await gateways.GetGateways();

        Assert.Equal("gwy.tcp://127.0.0.1:30001/1", Assert.Single(found).ToString());
#else
        await Task.CompletedTask;
#endif
    }

#if !EMBEDDED_RUNTIME
    private static readonly DateTime _start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private static SiloAddress Silo(int generation)
        => SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 11111), generation);

    private static MembershipEntry Entry(int generation, SiloStatus status, int gatewayPort) => new()
    {
        SiloAddress = Silo(generation),
        Status = status,
        SiloName = $"node-{generation}",
        HostName = "host",
        RoleName = "role",
        ProxyPort = gatewayPort,
        UpdateZone = 1,
        FaultZone = 2,
        StartTime = _start,
        IAmAliveTime = _start,
    };

    private static IOptions<ClusterOptions> Cluster()
        => Options.Create(new ClusterOptions { ClusterId = "c", ServiceId = "c" });

    private IOptions<SharedStorageClusteringOptions> Storage()
        => Options.Create(new SharedStorageClusteringOptions { Directory = _directory });

    private SharedStorageMembershipTable NewTable()
        => new(Storage(), Cluster(), NullLogger<SharedStorageMembershipTable>.Instance);
#endif
}
