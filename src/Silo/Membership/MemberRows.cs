#if !EMBEDDED_RUNTIME
namespace Branching.Silo.Membership;

/// <summary>Maps Orleans' members to rows and back.</summary>
internal static class MemberRows
{
    public static MemberRow From(MembershipEntry entry) => new(
        entry.SiloAddress.ToParsableString(), ETag: "", entry.Status.ToString(), entry.SiloName, entry.HostName,
        entry.RoleName, entry.ProxyPort, entry.UpdateZone, entry.FaultZone, Utc(entry.StartTime),
        Utc(entry.IAmAliveTime),
        entry.SuspectTimes?.Select(vote => new Suspicion(vote.Item1.ToParsableString(), Utc(vote.Item2))).ToArray());

    public static MembershipEntry ToEntry(MemberRow row) => new()
    {
        SiloAddress = SiloAddress.FromParsableString(row.Silo),
        Status = Enum.Parse<SiloStatus>(row.Status),
        SiloName = row.SiloName ?? "",
        HostName = row.HostName ?? "",
        RoleName = row.RoleName,
        ProxyPort = row.GatewayPort,
        UpdateZone = row.UpdateZone,
        FaultZone = row.FaultZone,
        StartTime = row.StartedAt.UtcDateTime,
        IAmAliveTime = row.AliveAt.UtcDateTime,
        SuspectTimes = row.Suspicions?
            .Select(vote => Tuple.Create(SiloAddress.FromParsableString(vote.By), vote.At.UtcDateTime)).ToList(),
    };

    // Orleans gives times in UTC, not always marked as such.
    public static DateTimeOffset Utc(DateTime time) => new(DateTime.SpecifyKind(time, DateTimeKind.Utc));
}
#endif
