namespace Branching.Storage.Changes;

/// <summary>How a store keeps its change log. Recorded with the branch, and inherited by branches made of it.</summary>
public sealed record ChangeLogSettings
{
    /// <summary>The settings without any of one's own.</summary>
    public static ChangeLogSettings Default { get; } = new();

    /// <summary>A file is ended at this size, in bytes. Range: 4 KiB to 4 GiB. Default: 64 MiB.</summary>
    public long RotateBytes { get; init; } = 64L << 20;

    /// <summary>A file is ended at this age. Range: 1 s to 10 years. Default: 1 day.</summary>
    public TimeSpan RotateAfter { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Older files are removed while all together are larger, in bytes. Default: 1 GiB; null: never.</summary>
    public long? KeepBytes { get; init; } = 1L << 30;

    /// <summary>Files whose last entry is older are removed. Default: 7 days; null: never.</summary>
    public TimeSpan? KeepFor { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Older files are removed while there are more. Default: null, never.</summary>
    public int? KeepFiles { get; init; }

    /// <summary>
    /// A consumer that more than so many bytes of files wait for is dropped, so that it does not fill the disk.
    /// Default: null: files stay as long as a consumer needs them.
    /// </summary>
    public long? DropConsumersBehindBytes { get; init; }

    /// <summary>Refuses values outside their ranges.</summary>
    /// <exception cref="StorageException"><see cref="FailureKind.InvalidArgument"/>.</exception>
    public void Check()
    {
        Require(RotateBytes is >= 4096 and <= 4L << 30, $"{nameof(RotateBytes)} is {RotateBytes}; 4 KiB to 4 GiB");
        Require(
            RotateAfter >= TimeSpan.FromSeconds(1) && RotateAfter <= TimeSpan.FromDays(3653),
            $"{nameof(RotateAfter)} is {RotateAfter}; 1 s to 10 years");
        Require(KeepBytes is null or >= 4096, $"{nameof(KeepBytes)} is {KeepBytes}; 4 KiB or more");
        Require(
            KeepFor is null || KeepFor >= TimeSpan.FromSeconds(1), $"{nameof(KeepFor)} is {KeepFor}; 1 s or more");
        Require(KeepFiles is null or >= 1, $"{nameof(KeepFiles)} is {KeepFiles}; 1 or more");
        Require(
            DropConsumersBehindBytes is null or >= 4096,
            $"{nameof(DropConsumersBehindBytes)} is {DropConsumersBehindBytes}; 4 KiB or more");
    }

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new StorageException(
                FailureKind.InvalidArgument, $"The change log was not set: {what} are allowed. Nothing was changed.");
        }
    }
}

/// <summary>The settings as they are stored with a branch.</summary>
internal sealed record ChangeLogDocument(
    long RotateBytes, TimeSpan RotateAfter, long? KeepBytes = null, TimeSpan? KeepFor = null, int? KeepFiles = null,
    long? DropConsumersBehindBytes = null)
{
    public static ChangeLogDocument From(ChangeLogSettings settings) => new(
        settings.RotateBytes, settings.RotateAfter, settings.KeepBytes, settings.KeepFor, settings.KeepFiles,
        settings.DropConsumersBehindBytes);

    public ChangeLogSettings ToSettings() => new()
    {
        RotateBytes = RotateBytes,
        RotateAfter = RotateAfter,
        KeepBytes = KeepBytes,
        KeepFor = KeepFor,
        KeepFiles = KeepFiles,
        DropConsumersBehindBytes = DropConsumersBehindBytes,
    };
}
