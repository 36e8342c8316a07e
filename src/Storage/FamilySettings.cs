using System.Globalization;
using System.Text;
using Branching.RocksDb;

namespace Branching.Storage;

/// <summary>What is fixed about a column family when it is created, for as long as it exists.</summary>
/// <remarks>
/// Part of the family's name in RocksDB's manifest (docs/formats.md), so it is made, branched, snapshotted and restored
/// with the family in the same step. The family <c>default</c> has none.
/// </remarks>
public sealed record FamilySettings
{
    /// <summary>A family of plain keys and values.</summary>
    public static FamilySettings Plain { get; } = new();

    /// <summary>Name of the merge operator; <see langword="null"/>: the family takes no merges.</summary>
    public string? Merge { get; init; }

    /// <summary>Whether keys of the family can expire. Every value is then stored with 8 bytes more.</summary>
    public bool Expires { get; init; }

    /// <summary>
    /// How long a key lives that is put without a time of its own; <see langword="null"/>: for ever. 1 ms or more, and
    /// only with <see cref="Expires"/>.
    /// </summary>
    public TimeSpan? DefaultTimeToLive { get; init; }

    /// <summary>Whether nothing is fixed.</summary>
    public bool IsPlain => Merge is null && !Expires;
}

/// <summary>A column family as a user knows it, and the name under which RocksDB keeps it.</summary>
/// <param name="Name">The user's name.</param>
/// <param name="Settings">What the name in RocksDB says besides.</param>
internal readonly record struct FamilyIdentity(string Name, FamilySettings Settings)
{
    // No legal name of a user has this character, so a plain family is never taken for one with settings.
    private const char Mark = '@';
    private const string MergeKey = "merge=";
    private const string ExpiryKey = "expiry=";

    /// <summary>The name in RocksDB: <c>counters@merge=add</c>, <c>sessions@expiry=60000</c>.</summary>
    public string ToNative()
    {
        if (Settings.IsPlain)
        {
            return Name;
        }

        StringBuilder native = new(Name);
        char separator = Mark;
        if (Settings.Merge is { } merge)
        {
            native.Append(separator).Append(MergeKey).Append(merge);
            separator = ',';
        }

        if (Settings.Expires)
        {
            long milliseconds = (long)(Settings.DefaultTimeToLive ?? TimeSpan.Zero).TotalMilliseconds;
            native.Append(separator).Append(ExpiryKey).Append(CultureInfo.InvariantCulture, $"{milliseconds}");
        }

        return native.ToString();
    }

    /// <summary>Reads a name as RocksDB has it.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.FormatTooNew"/>: it fixes something that this version does not know.
    /// </exception>
    public static FamilyIdentity Parse(string native)
    {
        int mark = native.IndexOf(Mark, StringComparison.Ordinal);
        if (mark < 0)
        {
            return new FamilyIdentity(native, FamilySettings.Plain);
        }

        FamilySettings settings = FamilySettings.Plain;
        foreach (string setting in native[(mark + 1)..].Split(','))
        {
            if (setting.StartsWith(MergeKey, StringComparison.Ordinal))
            {
                settings = settings with { Merge = setting[MergeKey.Length..] };
            }
            else if (setting.StartsWith(ExpiryKey, StringComparison.Ordinal)
                && long.TryParse(
                    setting.AsSpan(ExpiryKey.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long lives)
                && lives <= ExpiryStamp.MaxMilliseconds)
            {
                TimeSpan? byDefault = lives == 0 ? null : TimeSpan.FromMilliseconds(lives);
                settings = settings with { Expires = true, DefaultTimeToLive = byDefault };
            }
            else
            {
                throw new StorageException(
                    FailureKind.FormatTooNew,
                    $"Column family '{Names.Show(native)}' was made with '{Names.Show(setting)}', which this version " +
                    "does not know. Nothing was changed: run the newer version that wrote it.");
            }
        }

        return new FamilyIdentity(native[..mark], settings);
    }
}

/// <summary>One column family of a store.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Settings">What was fixed when it was created.</param>
/// <param name="EstimatedKeys">About how many keys it holds; no key is read for it.</param>
public sealed record FamilyDescription(string Name, FamilySettings Settings, long EstimatedKeys);

/// <summary>How an open store treats the values of one column family.</summary>
/// <param name="Settings">What the family was created with.</param>
/// <param name="Merge">The operator that they name, found.</param>
internal sealed record FamilyTraits(FamilySettings Settings, ValueMerge? Merge)
{
    /// <summary>Whether values begin with a stamp that says until when they live.</summary>
    public bool Expires => Settings.Expires;

    /// <summary>
    /// Whether RocksDB merges by itself, later. Where keys expire the writer merges at once: only it knows whether the
    /// value was still alive at the time of the merge.
    /// </summary>
    public bool MergesLater => Merge is not null && !Expires;

    /// <summary>The operator as RocksDB calls it, when it does.</summary>
    public MergeOperator? Operator { get; } = Merge is not null && !Settings.Expires ? new LaterMerge(Merge) : null;

    /// <summary>Why a value must not be put as it is; <see langword="null"/>: it may.</summary>
    public string? Refuse(ReadOnlySpan<byte> value) => Merge?.Refuse(value);

    /// <summary>When a key put now ceases to live, in milliseconds of Unix time; zero: never.</summary>
    /// <param name="timeToLive">As asked for; zero: the family's default.</param>
    /// <param name="now">Milliseconds of Unix time.</param>
    public long ExpiryOf(TimeSpan timeToLive, long now)
    {
        if (!Expires || timeToLive == Timeout.InfiniteTimeSpan)
        {
            return ExpiryStamp.Never;
        }

        TimeSpan lives = timeToLive > TimeSpan.Zero ? timeToLive : Settings.DefaultTimeToLive ?? TimeSpan.Zero;
        return lives == TimeSpan.Zero ? ExpiryStamp.Never : now + Math.Max(1, (long)lives.TotalMilliseconds);
    }
}
