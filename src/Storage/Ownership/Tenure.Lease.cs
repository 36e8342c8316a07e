using Branching.Storage.Shared;

namespace Branching.Storage.Ownership;

/// <summary>The lease: renewed by a loop from the claim on, given up by a release.</summary>
public sealed partial class Tenure
{
    private readonly AsyncGate _renewal = new();
    private Task _renewing = Task.CompletedTask;
    private ulong _counter;

    /// <summary>How long answers may still be given without another renewal; zero when none may.</summary>
    public TimeSpan Remaining
    {
        get
        {
            if (!IsValid || _renewed is not { } renewed)
            {
                return TimeSpan.Zero;
            }

            TimeSpan left = _options.LeaseLength - _options.LeaseMargin - _time.GetElapsedTime(renewed.Timestamp);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Told after each try to renew whether it succeeded.</summary>
    internal Action<DatabaseName, bool>? OnRenewal { get; set; }

    /// <summary>Gives the database up: answers nothing from now on, then lets the next owner in at once.</summary>
    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        End(new StorageException(
            FailureKind.Closed, $"This process has released database '{Name}' (epoch {Epoch}): open it again."));
        await _renewing.ConfigureAwait(false);
        if (_endCause!.Kind == FailureKind.Fenced)
        {
            return;
        }

        await WriteLeaseAsync(_serving, released: true, cancellationToken).ConfigureAwait(false);
        _logger.Released(Name, Epoch);
    }

    /// <summary>Begins to renew the lease of a claim, so that no other taker thinks it abandoned.</summary>
    internal void BeginRenewing() => _renewing = RenewAsync();

    /// <summary>From here on <see cref="IsValid"/> may be true.</summary>
    internal async Task BeginServingAsync(CancellationToken cancellationToken)
    {
        _serving = true;
        await RenewOnceAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task RenewAsync()
    {
        try
        {
            while (true)
            {
                TimeSpan pause = await TryRenewAsync().ConfigureAwait(false)
                    ? _options.LeaseLength / 3
                    : _options.LeaseLength / 10;
                await Pause.ForAsync(pause, _time, Ended).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (Ended.IsCancellationRequested)
        {
            // The tenure is over.
        }
        catch (Exception e)
        {
            End(new StorageException(
                FailureKind.Internal, $"Renewing the lease of database '{Name}' failed: {e.Message}", e));
        }
    }

    private async Task<bool> TryRenewAsync()
    {
        try
        {
            await RenewOnceAsync(Ended).ConfigureAwait(false);
            OnRenewal?.Invoke(Name, true);
            return true;
        }
        catch (StorageException e)
        {
            if (_endCause is null)
            {
                _logger.LeaseNotRenewed(Name, Epoch, e);
                OnRenewal?.Invoke(Name, false);
            }

            return false;
        }
    }

    private async Task RenewOnceAsync(CancellationToken cancellationToken)
    {
        using IDisposable alone = await _renewal.AloneAsync(cancellationToken).ConfigureAwait(false);
        ThrowIfEnded();
        Stamp start = new(_time.GetTimestamp(), _time.GetUtcNow());
        bool serving = _serving;
        await WriteLeaseAsync(serving, released: false, cancellationToken).ConfigureAwait(false);
        await CheckNewestAsync(cancellationToken).ConfigureAwait(false);
        if (serving)
        {
            _renewed = start;
            TaskCompletionSource renewed = _change;
            _change = NewChange();
            renewed.TrySetResult();
        }
    }

    private Task WriteLeaseAsync(bool serving, bool released, CancellationToken cancellationToken)
    {
        LeaseDocument lease = new(
            Formats.Shared, Epoch.Value, Owner.ProcessId, ++_counter, (long)_options.LeaseLength.TotalMilliseconds,
            serving, released);
        return Shared.ReplaceAsync(
            Paths.Lease(Epoch), SealedDocument.Seal(lease, SharedDocuments.Default.LeaseDocument), cancellationToken);
    }
}
