namespace Branching.Storage.Shared;

/// <summary>Keeps transfers below a rate; several transfers may share one.</summary>
/// <param name="bytesPerSecond">The rate, at least 1.</param>
/// <param name="time">The clock.</param>
/// <remarks>Up to a tenth of a second's worth may go at once. Thread-safe.</remarks>
public sealed class RateLimit(long bytesPerSecond, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly long _bytesPerSecond = bytesPerSecond > 0 ? bytesPerSecond : throw new StorageException(
        FailureKind.InvalidArgument, $"{bytesPerSecond} bytes per second is no rate: use 1 or more.");

    private TimeSpan _paidUntil = TimeSpan.MinValue;

    /// <summary>Waits until <paramref name="bytes"/> more may go.</summary>
    public async ValueTask WaitAsync(int bytes, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        TimeSpan wait;
        lock (_lock)
        {
            TimeSpan now = time.GetElapsedTime(0);
            TimeSpan allowance = TimeSpan.FromMilliseconds(100);
            if (_paidUntil < now - allowance)
            {
                _paidUntil = now - allowance;
            }

            _paidUntil += TimeSpan.FromSeconds((double)bytes / _bytesPerSecond);
            wait = _paidUntil - now;
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
