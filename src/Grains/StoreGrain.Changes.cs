namespace Branching.Grains;

/// <content>The change log.</content>
internal abstract partial class StoreGrain
{
    public IAsyncEnumerable<IReadOnlyList<ChangeEntry>> ChangesAsync(
        ChangesRequest request, CancellationToken cancellationToken = default)
        => Calls.ChangesAsync(request, cancellationToken);

    public async ValueTask EnableChangeLogAsync(
        ChangeLogPolicy? policy = null, CancellationToken cancellationToken = default)
        => await Calls.EnableChangeLogAsync(policy, cancellationToken);

    public async ValueTask DisableChangeLogAsync(CancellationToken cancellationToken = default)
        => await Calls.DisableChangeLogAsync(cancellationToken);

    public ValueTask<ChangeLogDescription> GetChangeLogAsync(CancellationToken cancellationToken = default)
        => Calls.GetChangeLogAsync(cancellationToken);

    public ValueTask<ConsumerDescription> CreateConsumerAsync(
        string name, ChangeFrom from, CancellationToken cancellationToken = default)
        => Calls.CreateConsumerAsync(name, from, cancellationToken);

    public ValueTask<ConsumerDescription> AcknowledgeAsync(
        string name, ReadOnlyMemory<byte> position, CancellationToken cancellationToken = default)
        => Calls.AcknowledgeAsync(name, position, cancellationToken);

    public async ValueTask RemoveConsumerAsync(string name, CancellationToken cancellationToken = default)
        => await Calls.RemoveConsumerAsync(name, cancellationToken);

    public ValueTask<PurgeChangesOutcome> PurgeChangesAsync(
        PurgeChangesRequest request, CancellationToken cancellationToken = default)
        => Calls.PurgeChangesAsync(request, cancellationToken);

    public ValueTask<ChangeLogReport> ValidateChangesAsync(CancellationToken cancellationToken = default)
        => Calls.ValidateChangesAsync(cancellationToken);
}
