using System.CommandLine;
using System.Runtime.CompilerServices;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>The options that name a range of keys.</summary>
internal sealed class RangeOptions
{
    public Option<string?> Prefix { get; } = new("--prefix")
    {
        Description = "Only keys that begin with this.",
        HelpName = "KEY",
    };

    public Option<string?> From { get; } = new("--from") { Description = "From this key on.", HelpName = "KEY" };

    public Option<string?> To { get; } = new("--to")
    {
        Description = "Up to this key, which is not included.",
        HelpName = "KEY",
    };

    public IReadOnlyList<Symbol> All => [Prefix, From, To];

    /// <summary>The range asked for.</summary>
    public KeyRange Parse(ParseResult parsed, ByteNotation notation)
    {
        string? prefix = parsed.GetValue(Prefix);
        string? from = parsed.GetValue(From);
        string? to = parsed.GetValue(To);
        if (prefix is null)
        {
            return new KeyRange(Bytes(from, notation), Bytes(to, notation));
        }

        if (from is not null || to is not null)
        {
            throw new UserError(
                ExitCode.Usage, "--prefix excludes --from and --to", "give the prefix, or the two ends of the range");
        }

        return KeyRange.Prefix(Bytes(prefix, notation));
    }

    /// <summary>Streams a range: with a limit by pages, else as of one moment.</summary>
    public static async IAsyncEnumerable<IReadOnlyList<Entry>> ReadAsync(
        IStoreGrain store,
        StreamRequest request,
        long? limit,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (limit is null)
        {
            await foreach (IReadOnlyList<Entry> page in store.StreamAsync(request, cancellationToken))
            {
                yield return page;
            }

            yield break;
        }

        const int pageEntries = 1000;
        ReadOnlyMemory<byte> continuation = default;
        for (long left = limit.Value; left > 0;)
        {
            ScanResponse page = await store.ScanAsync(
                new ScanRequest(
                    request.Range,
                    (int)Math.Min(left, pageEntries),
                    request.Reverse,
                    request.KeysOnly,
                    continuation,
                    request.ColumnFamily,
                    request.Offset),
                cancellationToken);
            yield return page.Entries;
            left -= page.Entries.Count;
            continuation = page.Continuation;
            if (continuation.IsEmpty)
            {
                yield break;
            }
        }
    }

    private static byte[] Bytes(string? text, ByteNotation notation)
        => text is null ? [] : ByteText.Parse(text, notation, "key");
}
