using System.Diagnostics.CodeAnalysis;
using Branching.Storage.Ownership;
using Branching.Storage.Shared;
using Branching.Storage.Snapshots;

namespace Branching.Storage;

/// <summary>How a data root reaches shared storage: opened when first needed, tried again after a failure.</summary>
/// <remarks>A node starts and serves its status while the storage is away; only owning a database needs it.</remarks>
[SuppressMessage("Reliability", "CA1001", Justification = "The semaphore never hands out a wait handle.")]
internal sealed class SharedAccess(Func<CancellationToken, Task<ISharedStorage>> open)
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private ISharedStorage? _opened;
    private ISharedStorage? _looked;

    public SharedStorageOptions Options { get; init; } = new();

    public OwnershipOptions Ownership { get; init; } = new();

    public SnapshotOptions Snapshots { get; init; } = new();

    /// <summary>Looks at the storage before it is used for the first time; may refuse it.</summary>
    public Func<ISharedStorage, CancellationToken, Task>? Check { get; set; }

    /// <summary>Opens the storage to be read only; <see langword="null"/>: looking opens it as anything else does.
    /// </summary>
    public Func<CancellationToken, Task<ISharedStorage>>? OpenToLook { get; init; }

    /// <summary>Whether the data root used the storage before, so that opening it binds nothing.</summary>
    public Func<bool>? IsBound { get; set; }

    /// <summary>Whether the storage must be the one that the data root used before.</summary>
    public bool IsMarked { get; init; }

    /// <summary>What puts stores together in tests; <see langword="null"/>: what does it in production.</summary>
    public IStoreRestorer? Restorer { get; init; }

    /// <summary>The storage, by whoever does not change it.</summary>
    /// <exception cref="StorageException">It cannot be opened now.</exception>
    public async ValueTask<ISharedStorage> LookAsync(CancellationToken cancellationToken)
    {
        if (OpenToLook is not { } openToLook || Volatile.Read(ref _opened) is not null || IsBound?.Invoke() != false)
        {
            return await OpenAsync(cancellationToken).ConfigureAwait(false);
        }

        // Opened twice at once, the second one is as good.
        return _looked ??= await openToLook(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The storage; the first call opens it.</summary>
    /// <exception cref="StorageException">It cannot be opened now.</exception>
    public async ValueTask<ISharedStorage> OpenAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _opened) is { } opened)
        {
            return opened;
        }

        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_opened is null)
            {
                ISharedStorage shared = await open(cancellationToken).ConfigureAwait(false);
                if (Check is { } check)
                {
                    await check(shared, cancellationToken).ConfigureAwait(false);
                }

                Volatile.Write(ref _opened, shared);
            }

            return _opened;
        }
        finally
        {
            _turn.Release();
        }
    }
}
