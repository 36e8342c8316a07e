using System.Runtime.CompilerServices;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;

namespace Branching.EmbeddedRuntime.Tests;

public interface IHasGreeting : IGrainWithStringKey
{
    Task<string> GreetAsync(string name);
}

public interface IProbeGrain : IHasGreeting
{
    Task<int> IncrementSlowlyAsync();

    [ReadOnly]
    Task<int> PeekSlowlyAsync();

    [AlwaysInterleave]
    Task<int> GetAsync();

    ValueTask<Guid> GetActivationAsync();

    ValueTask<string> GetSiloAsync();

    Task WaitForAsync(string gate);

    Task WaitForWithTokenAsync(string gate, CancellationToken cancellationToken);

    [ResponseTimeout("00:00:00.200")]
    Task WaitForBrieflyAsync(string gate);

    [AlwaysInterleave]
    Task<bool> SawCancellationAsync();

    Task FailAsync(string message);

    Task FailBeforeAwaitAsync(string message);

    [OneWay]
    Task RecordOneWayAsync(string gate);

    Task DeactivateSoonAsync();

    Task DeactivateThenWaitAsync(string gate);

    Task CallSelfAsync();

    IAsyncEnumerable<int> CountAsync(int to, CancellationToken cancellationToken = default);

    IAsyncEnumerable<int> CountThenFailAsync(int to);

    IAsyncEnumerable<int> OneThenWaitAsync(string gate, CancellationToken cancellationToken = default);

    Task<IReadOnlyList<int>> TurnSchedulersAsync(int hops);
}

internal sealed class ProbeGrain(Gates gates, Journal journal, ILocalSiloDetails silo) : Grain, IProbeGrain
{
    private readonly Guid _activation = Guid.NewGuid();
    private int _value;
    private bool _sawCancellation;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        journal.Add($"activated {this.GetPrimaryKeyString()}");
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        journal.Add($"deactivated {this.GetPrimaryKeyString()} {reason.ReasonCode}");
        return Task.CompletedTask;
    }

    public Task<string> GreetAsync(string name) => Task.FromResult($"{this.GetPrimaryKeyString()} greets {name}");

    public async Task<int> IncrementSlowlyAsync()
    {
        int before = _value;
        await Task.Yield();
        await Task.Delay(1);
        _value = before + 1;
        return _value;
    }

    public async Task<int> PeekSlowlyAsync()
    {
        journal.Add("peek started");
        await gates.WaitAsync("peek");
        return _value;
    }

    public Task<int> GetAsync() => Task.FromResult(_value);

    public ValueTask<Guid> GetActivationAsync() => new(_activation);

    public ValueTask<string> GetSiloAsync() => new(silo.SiloAddress.ToParsableString());

    public async Task WaitForAsync(string gate)
    {
        journal.Add($"waiting {gate}");
        await gates.WaitAsync(gate);
    }

    public async Task WaitForWithTokenAsync(string gate, CancellationToken cancellationToken)
    {
        journal.Add($"waiting {gate}");
        try
        {
            await gates.WaitAsync(gate).WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _sawCancellation = true;
            journal.Add($"cancelled {gate}");
            throw;
        }
    }

    public Task WaitForBrieflyAsync(string gate) => gates.WaitAsync(gate);

    public Task<bool> SawCancellationAsync() => Task.FromResult(_sawCancellation);

    public async Task FailAsync(string message)
    {
        await Task.Yield();
        throw new InvalidDataException(message);
    }

    public Task FailBeforeAwaitAsync(string message) => throw new InvalidDataException(message);

    public async Task RecordOneWayAsync(string gate)
    {
        await gates.WaitAsync(gate);
        journal.Add("one way done");
        throw new InvalidDataException("nobody hears this");
    }

    public Task DeactivateSoonAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public async Task DeactivateThenWaitAsync(string gate)
    {
        DeactivateOnIdle();
        journal.Add($"waiting {gate}");
        await gates.WaitAsync(gate);
        journal.Add($"waited {gate}");
    }

    public Task CallSelfAsync() => this.AsReference<IProbeGrain>().GreetAsync("self");

    public async IAsyncEnumerable<int> CountAsync(
        int to, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (int i = 0; i < to; i++)
        {
            if (i % 10 == 0)
            {
                await Task.Yield();
            }

            cancellationToken.ThrowIfCancellationRequested();
            yield return i;
        }
    }

    public async IAsyncEnumerable<int> CountThenFailAsync(int to)
    {
        for (int i = 0; i < to; i++)
        {
            await Task.Yield();
            yield return i;
        }

        throw new InvalidDataException("the stream broke");
    }

    public async IAsyncEnumerable<int> OneThenWaitAsync(
        string gate, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            yield return 1;
            await gates.WaitAsync(gate).WaitAsync(cancellationToken);
            yield return 2;
        }
        finally
        {
            journal.Add($"stream {gate} disposed");
        }
    }

    public async Task<IReadOnlyList<int>> TurnSchedulersAsync(int hops)
    {
        List<int> ids = [TaskScheduler.Current.Id];
        for (int i = 0; i < hops; i++)
        {
            await Task.Delay(1);
            ids.Add(TaskScheduler.Current.Id);
        }

        return ids;
    }
}
