using Branching.Storage.Shared;

namespace Branching.Storage.Ownership;

/// <summary>What a taker does about the former owner's lease.</summary>
/// <remarks>
/// A released lease, or one whose process the caller knows to be dead, need not be watched, but only if that epoch
/// served: an epoch serves after its own predecessor cannot answer any more, so one that did not says nothing about
/// that predecessor.
/// </remarks>
public sealed partial class DatabaseOwnership
{
    private async Task<LeaseLook> LookAtLeaseAsync(
        ClaimDocument former, ClaimOptions options, CancellationToken cancellationToken)
    {
        LeaseLook first = await ReadLeaseAsync(former, cancellationToken).ConfigureAwait(false);
        if (!options.WaitForLease || !_rules.AwaitLease || MayPass(first, options))
        {
            return first;
        }

        long began = _time.GetTimestamp();
        TimeSpan length = LengthOf(former, first);
        while (true)
        {
            TimeSpan left = length - _time.GetElapsedTime(began);
            bool isLast = left <= TimeSpan.Zero;
            if (!isLast)
            {
                TimeSpan pause = left < _options.WatchInterval ? left : _options.WatchInterval;
                await Pause.ForAsync(pause, _time, cancellationToken).ConfigureAwait(false);
            }

            LeaseLook look = await ReadLeaseAsync(former, cancellationToken).ConfigureAwait(false);
            if (MayPass(look, options))
            {
                return look;
            }

            if (look.Counter != first.Counter)
            {
                throw NotOwner(former, "renews its lease");
            }

            if (isLast)
            {
                return look;
            }
        }
    }

    /// <summary>After the claim: whether a renewal came between the last look and the claim. Then its owner did not
    /// see the claim, and may answer for a whole length yet.</summary>
    private async Task<Func<CancellationToken, Task>> LookAgainAsync(
        ClaimDocument? former, LeaseLook? look, ClaimOptions options, CancellationToken cancellationToken)
    {
        if (former is null || look is not { } before || !_rules.AwaitLease)
        {
            return static _ => Task.CompletedTask;
        }

        LeaseLook after = await ReadLeaseAsync(former, cancellationToken).ConfigureAwait(false);
        bool isOver = after.Counter == before.Counter && (options.WaitForLease || MayPass(after, options));
        if (isOver)
        {
            return static _ => Task.CompletedTask;
        }

        long began = _time.GetTimestamp();
        TimeSpan length = LengthOf(former, after);
        return async token =>
        {
            TimeSpan left = length - _time.GetElapsedTime(began);
            if (left > TimeSpan.Zero)
            {
                await Pause.ForAsync(left, _time, token).ConfigureAwait(false);
            }
        };
    }

    private static bool MayPass(LeaseLook look, ClaimOptions options) =>
        look.Served && (look.Released || options.FormerOwnerIsThisNode);

    /// <summary>Its owner may have been configured with a longer lease than this node.</summary>
    private TimeSpan LengthOf(ClaimDocument former, LeaseLook look)
    {
        double longest = Math.Max(former.LeaseLengthMs, look.LengthMs);
        TimeSpan theirs = TimeSpan.FromMilliseconds(longest);
        return (theirs > _options.LeaseLength ? theirs : _options.LeaseLength) + _options.LeaseMargin;
    }

    private async Task<LeaseLook> ReadLeaseAsync(ClaimDocument former, CancellationToken cancellationToken)
    {
        LeaseDocument? lease =
            await _epochs.TryReadLeaseAsync(new Epoch(former.Epoch), cancellationToken).ConfigureAwait(false);
        return lease is null
            ? default
            : new LeaseLook(lease.Counter, lease.Serving, lease.Released, lease.LengthMs);
    }

    /// <summary>An absent lease is counter 0: no owner writes that.</summary>
    private readonly record struct LeaseLook(ulong Counter, bool Served, bool Released, long LengthMs);
}
