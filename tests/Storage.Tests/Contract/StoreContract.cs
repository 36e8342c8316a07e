using static Branching.Storage.Tests.LocalStores.TestStore;

namespace Branching.Storage.Tests.Contract;

/// <summary>One store for all cases of a class: each begins with an empty one.</summary>
public sealed class ContractFixture<TStore> : IAsyncLifetime
    where TStore : IContractStore, new()
{
    public IContractStore Store { get; } = new TStore();

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => Store.DisposeAsync().AsTask();
}

/// <summary>What every store answers, whatever it is made of. The expected answers are written here or computed from
/// lists, never by a store.</summary>
public abstract partial class StoreContract(IContractStore store) : IAsyncLifetime
{
    private static readonly byte[] _first = [0];
    private static readonly byte[] _last = [.. Enumerable.Repeat((byte)0xFF, 65536)];

    protected IContractStore Store { get; } = store;

    public async Task InitializeAsync()
    {
        foreach (string family in Store.Families.Where(family => family != "default"))
        {
            Store.DropFamily(family);
        }

        await ApplyAsync(WriteOperation.DeleteRange(_first, _last), WriteOperation.Delete(_last));
        Assert.Equal(0, Store.Count(null, KeyRange.All));
    }

    public Task DisposeAsync() => Task.CompletedTask;

    private async Task<WriteResult> ApplyAsync(params WriteOperation[] operations)
    {
        WriteResult result = await Store.WriteAsync(new WriteRequest(operations, null, Durability.Buffered));
        Assert.True(result.Applied);
        return result;
    }

    private Task<WriteResult> TryAsync(Precondition[] conditions, params WriteOperation[] operations) =>
        Store.WriteAsync(new WriteRequest(operations, conditions, Durability.Buffered));

    private string? Get(string key, string? family = null) =>
        Store.Get(family, Bytes(key)) is { } value ? Text(value) : null;

    private async Task FillAsync(params string[] keys) =>
        await ApplyAsync([.. keys.Select(key => Put(key, "of " + key))]);

    private async Task RefusedAsync(FailureKind kind, WriteRequest request)
    {
        ulong before = Store.Sequence;
        StorageException refusal = await Assert.ThrowsAsync<StorageException>(() => Store.WriteAsync(request));
        Assert.Equal(kind, refusal.Kind);
        Assert.Equal(before, Store.Sequence);
        Assert.Equal(0, Store.Count(null, KeyRange.All));
    }

    private static void Refused(FailureKind kind, Action action) =>
        Assert.Equal(kind, Assert.Throws<StorageException>(action).Kind);
}

public sealed class RocksStoreContractTests(ContractFixture<LocalContractStore> fixture)
    : StoreContract(fixture.Store), IClassFixture<ContractFixture<LocalContractStore>>;

public sealed class ModelStoreContractTests(ContractFixture<ModelStore> fixture)
    : StoreContract(fixture.Store), IClassFixture<ContractFixture<ModelStore>>;
