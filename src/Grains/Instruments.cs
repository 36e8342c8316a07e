using System.Diagnostics.Metrics;

namespace Branching.Grains;

/// <summary>What the grains of a node count. Meter: <see cref="MeterName"/>.</summary>
internal sealed class Instruments
{
    public const string MeterName = "Branching.Grains";

    private readonly Counter<long> _failures;
    private readonly Counter<long> _placements;
    private readonly UpDownCounter<long> _streams;
    private readonly Histogram<double> _takeovers;
    private readonly Histogram<double> _snapshots;
    private readonly Counter<long> _sentBytes;
    private readonly Counter<long> _failovers;

    public Instruments(IMeterFactory meters)
    {
        Meter meter = meters.Create(MeterName);
        _failures = meter.CreateCounter<long>(
            "branching.call.failures", "{failure}", "Calls that ended in a failure, by kind.");
        _placements = meter.CreateCounter<long>(
            "branching.placements", "{placement}", "Grains placed on a node, by what decided.");
        _streams = meter.CreateUpDownCounter<long>("branching.streams.open", "{stream}", "Streams open now.");
        _takeovers = meter.CreateHistogram<double>(
            "branching.takeover.duration", "s", "Time until a database was owned, by reason and outcome.");
        _snapshots = meter.CreateHistogram<double>(
            "branching.snapshot.duration", "s", "Time to take a snapshot of one branch, by outcome.");
        _sentBytes = meter.CreateCounter<long>(
            "branching.snapshot.sent", "By", "Bytes sent to shared storage for snapshots.");
        _failovers = meter.CreateCounter<long>(
            "branching.failovers", "{failover}", "Failovers that this node coordinated, by how they ended.");
        Meter = meter;
    }

    private Meter Meter { get; }

    public void TookOver(string reason, TimeSpan took, bool succeeded) =>
        _takeovers.Record(
            took.TotalSeconds,
            new KeyValuePair<string, object?>("reason", reason),
            new KeyValuePair<string, object?>("succeeded", succeeded));

    public void SnapshotEnded(TimeSpan took, long sentBytes, bool succeeded)
    {
        _snapshots.Record(took.TotalSeconds, new KeyValuePair<string, object?>("succeeded", succeeded));
        _sentBytes.Add(sentBytes);
    }

    /// <summary>Measures the lag of the node whenever somebody looks.</summary>
    public void ObserveLag(Func<(long Sequences, TimeSpan Age)> measure)
    {
        Meter.CreateObservableGauge(
            "branching.snapshot.lag.sequences", () => measure().Sequences, "{sequence}",
            "Acknowledged sequence numbers of owned databases that are not on shared storage.");
        Meter.CreateObservableGauge(
            "branching.snapshot.lag.age", () => measure().Age.TotalSeconds, "s",
            "How long the oldest of them has been waiting.");
    }

    public void FailedOver(FailoverState ended) =>
        _failovers.Add(1, new KeyValuePair<string, object?>("ended", ended.ToString()));

    public void CallFailed(FailureKind kind) =>
        _failures.Add(1, new KeyValuePair<string, object?>("kind", kind.ToString()));

    public void Placed(string decidedBy) =>
        _placements.Add(1, new KeyValuePair<string, object?>("decided_by", decidedBy));

    public void StreamOpened() => _streams.Add(1);

    public void StreamClosed() => _streams.Add(-1);
}
