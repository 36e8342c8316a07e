using System.Diagnostics.Metrics;

namespace Branching.Grains;

/// <summary>What the grains of a node count. Meter: <see cref="MeterName"/>.</summary>
internal sealed class Instruments
{
    public const string MeterName = "Branching.Grains";

    private readonly Counter<long> _failures;
    private readonly Counter<long> _placements;
    private readonly UpDownCounter<long> _streams;

    public Instruments(IMeterFactory meters)
    {
        Meter meter = meters.Create(MeterName);
        _failures = meter.CreateCounter<long>(
            "branching.call.failures", "{failure}", "Calls that ended in a failure, by kind.");
        _placements = meter.CreateCounter<long>(
            "branching.placements", "{placement}", "Grains placed on a node, by what decided.");
        _streams = meter.CreateUpDownCounter<long>("branching.streams.open", "{stream}", "Streams open now.");
    }

    public void CallFailed(FailureKind kind) =>
        _failures.Add(1, new KeyValuePair<string, object?>("kind", kind.ToString()));

    public void Placed(string decidedBy) =>
        _placements.Add(1, new KeyValuePair<string, object?>("decided_by", decidedBy));

    public void StreamOpened() => _streams.Add(1);

    public void StreamClosed() => _streams.Add(-1);
}
