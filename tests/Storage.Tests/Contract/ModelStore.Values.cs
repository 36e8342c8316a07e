using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Branching.Storage.Tests.Contract;

/// <content>Values that depend on what was there before, keys that expire, and ranges.</content>
public sealed partial class ModelStore
{
    public Task<WriteResult> PutAsync(
        string? family, byte[] key, byte[] value, PutMode mode, TimeSpan timeToLive = default)
    {
        if (!Enum.IsDefined(mode))
        {
            throw Refused();
        }

        PreconditionKind? asked = mode switch
        {
            PutMode.OnlyIfAbsent => PreconditionKind.KeyAbsent,
            PutMode.OnlyIfPresent => PreconditionKind.KeyPresent,
            _ => null,
        };
        WriteKind kind = mode == PutMode.Append ? WriteKind.Append : WriteKind.Put;
        return WriteAsync(new WriteRequest(
            [new WriteOperation(kind, family, key, value, timeToLive)],
            asked is { } condition ? [new Precondition(condition, family, key, default)] : null));
    }

    public async Task<byte[]?> TakeAsync(string? family, byte[] key)
    {
        byte[]? value = Get(family, key);
        if (value is not null)
        {
            await WriteAsync(new WriteRequest([WriteOperation.Delete(key, family)]));
        }

        return value;
    }

    public bool Exists(string? family, byte[] key) => Get(family, key) is not null;

    public long? Length(string? family, byte[] key) => Get(family, key)?.Length;

    public (bool Found, TimeSpan? Left) TimeToLive(string? family, byte[] key)
    {
        CheckKey(key.Length);
        return Read(family, key) is { } kept ? (true, kept.End - _now) : (false, null);
    }

    public IReadOnlyList<KeyValueEntry> Range(RangeOptions options)
    {
        CheckRange(options.Range);
        if (options.Offset < 0 || options.Limit < 0 || options.ReadaheadBytes < 0 || !Enum.IsDefined(options.Content)
            || (options.Tailing && options.Reverse))
        {
            throw Refused();
        }

        bool keys = options.Content != RangeContent.ValuesOnly, values = options.Content != RangeContent.KeysOnly;
        return
        [
            .. Walk(options.ColumnFamily, options.Range, options.Reverse)
                .Skip((int)options.Offset)
                .Take((int)(options.Limit ?? int.MaxValue))
                .Select(entry => new KeyValueEntry(keys ? entry.Key : default, values ? entry.Value : default)),
        ];
    }

    public Task<IReadOnlyList<KeyValueEntry>> RangeAsync(RangeOptions options) => Task.FromResult(Range(options));

    public void Advance(TimeSpan by) => _now += by;

    private static void CheckTaken(WriteOperation operation, Family family)
    {
        bool needsOperator = operation.Kind == WriteKind.Merge && family.Settings.Merge is null;
        bool isNoNumber = operation.Kind is WriteKind.Put or WriteKind.Merge or WriteKind.Append
            && !IsNumber(family.Settings.Merge, operation.Value.Span);
        if (needsOperator || isNoNumber || (operation.TimeToLive != default && !family.Settings.Expires))
        {
            throw Refused();
        }
    }

    private static bool IsNumber(string? merge, ReadOnlySpan<byte> value) => merge switch
    {
        "add" => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
            && value[0] != '+',
        "add-int64" => value.Length == 8,
        _ => true,
    };

    private static byte[] Join(WriteOperation operation, Family family, byte[]? before)
    {
        byte[] value = operation.Value.ToArray();
        switch (operation.Kind == WriteKind.Append ? "append" : family.Settings.Merge)
        {
            case "add":
                long sum = unchecked(Number(before) + Number(value));
                return Encoding.ASCII.GetBytes(sum.ToString(CultureInfo.InvariantCulture));
            case "add-int64":
                BinaryPrimitives.WriteInt64LittleEndian(value, unchecked(
                    BinaryPrimitives.ReadInt64LittleEndian(value)
                    + (before is null ? 0 : BinaryPrimitives.ReadInt64LittleEndian(before))));
                return value;
            default:
                return [.. before ?? [], .. value];
        }

        static long Number(byte[]? text) => text is null ? 0 : long.Parse(text, CultureInfo.InvariantCulture);
    }

    /// <summary>When a key that is put now expires; <see langword="null"/>: never.</summary>
    private TimeSpan? EndOf(WriteOperation operation, Family family) => operation.TimeToLive switch
    {
        _ when !family.Settings.Expires => null,
        var lives when lives == Timeout.InfiniteTimeSpan => null,
        var lives when lives == default => _now + family.Settings.DefaultTimeToLive,
        var lives => _now + lives,
    };

    private Kept? Read(string? family, byte[] key) =>
        Find(family).Entries.TryGetValue(key, out Kept? kept) && IsAlive(kept) ? kept : null;

    private bool IsAlive(Kept kept) => kept.End is null || kept.End > _now;

    private IEnumerable<KeyValuePair<byte[], byte[]>> Walk(string? family, KeyRange range, bool reverse)
    {
        IEnumerable<KeyValuePair<byte[], byte[]>> all = Find(family).Entries
            .Where(entry => IsIn(range, entry.Key) && IsAlive(entry.Value))
            .Select(entry => KeyValuePair.Create(entry.Key, entry.Value.Value));
        return reverse ? all.Reverse() : all;
    }

    /// <summary>A value, and when it expires; not set: never.</summary>
    private sealed record Kept(byte[] Value, TimeSpan? End);

    private sealed record Family(FamilySettings Settings)
    {
        public SortedDictionary<byte[], Kept> Entries { get; } = new(Comparer<byte[]>.Create(Compare));
    }
}
