using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <content><c>merge</c>, <c>take</c> and <c>exists</c>.</content>
internal static partial class KeyCommands
{
    private static ExampledCommand Merge(CommandHost host)
    {
        var write = new WriteSymbols("Only when the key has a value; else exit with 4.");
        Argument<string> operand = new("OPERAND") { Description = "What the merge operator joins with the value." };
        Option<string?> lives = TimeToLive();
        return new ExampledCommand(
            host,
            "merge",
            "Join an operand with a value, by the merge operator of the column family: add 1 to a counter.",
            [
                "branching merge shop visits 1 --column-family counters",
                "branching merge shop visits -5 --column-family counters --branch topic --if-present",
            ],
            [write.Database, write.Key, operand, .. write.Where, write.Present, lives, write.Buffered],
            (invocation, cancellationToken) =>
            {
                (ByteNotation notation, byte[] keyBytes, string? name, List<WritePrecondition> conditions) =
                    write.Parse(invocation.Parsed);
                byte[] bytes = ByteText.Parse(invocation.Parsed.GetValue(operand)!, notation, "operand");
                var operation = new WriteOperation(
                    WriteOperationKind.Merge, keyBytes, bytes, name, LifeOf(invocation.Parsed, lives));
                return write.RunAsync(invocation, operation, conditions, cancellationToken);
            });
    }

    private static ExampledCommand Take(CommandHost host)
    {
        var where = new WriteSymbols("");
        Option<bool> raw = new("--raw") { Description = "Write the value's bytes and nothing else." };
        return new ExampledCommand(
            host,
            "take",
            "Remove a key and show the value it had, which nobody else gets. Exits with 3 when it has none.",
            ["branching take shop apple", "branching take shop photo --raw > photo.jpg"],
            [where.Database, where.Key, .. where.Where, raw, where.Buffered],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                (ByteNotation notation, byte[] keyBytes, string? name, _) = where.Parse(parsed);
                string branch = where.BranchOf(parsed);
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                GetResponse taken = await Invocation.Store(session, invocation.Database!, branch).TakeAsync(
                    new TakeRequest(keyBytes, name, where.DurabilityOf(parsed)), cancellationToken);
                if (invocation.Json)
                {
                    WriteGetJson(host, keyBytes, taken, notation);
                    return taken.Found ? ExitCode.Ok : ExitCode.NotFound;
                }

                if (!taken.Found)
                {
                    throw NoKey(invocation, branch, name, keyBytes, notation);
                }

                await WriteValueAsync(host, taken.Value, notation, parsed.GetValue(raw), cancellationToken);
                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Exists(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string[]> keys = new("KEY")
        {
            Description = "The keys: UTF-8 text, 1 to 65,536 bytes each.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        return new ExampledCommand(
            host,
            "exists",
            "Show which keys have a value, and how long it is. Exits with 3 when one has none.",
            ["branching exists shop apple", "branching exists shop apple photo --branch topic"],
            [database, keys, branch, family, hex, base64],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                ByteNotation notation = ByteText.NotationOf(parsed, hex, base64);
                string[] words = parsed.GetValue(keys)!;
                ReadOnlyMemory<byte>[] bytes = Array.ConvertAll(
                    words, key => (ReadOnlyMemory<byte>)ByteText.Parse(key, notation, "key"));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                InspectResponse found = await Invocation.Store(session, invocation.Database!, parsed.GetValue(branch)!)
                    .InspectAsync(new InspectRequest(bytes, parsed.GetValue(family)), cancellationToken);
                JsonArray answer = [];
                for (int i = 0; i < bytes.Length; i++)
                {
                    string key = ByteText.ToLine(bytes[i].Span, notation);
                    KeyInspection one = found.Keys[i];
                    answer.Add((JsonNode)JsonOf(key, one));
                    if (!invocation.Json)
                    {
                        string what = one.Exists
                            ? string.Create(CultureInfo.InvariantCulture, $"{one.ValueBytes}")
                            : "-";
                        await host.Out.WriteLineAsync($"{key}\t{what}");
                    }
                }

                if (invocation.Json)
                {
                    invocation.WriteJson(answer);
                }

                return found.Keys.All(key => key.Exists) ? ExitCode.Ok : ExitCode.NotFound;
            });
    }

    private static JsonObject JsonOf(string key, KeyInspection found)
    {
        var json = new JsonObject { ["key"] = key, ["exists"] = found.Exists };
        if (found.Exists)
        {
            json["valueBytes"] = found.ValueBytes;
        }

        if (found.TimeToLive is { } left)
        {
            json["expiresInMs"] = (long)left.TotalMilliseconds;
        }

        return json;
    }

    private static Option<string?> TimeToLive() => new("--ttl")
    {
        Description = "How long the key lives, as 90s or 15m, or 'never'; in a column family whose keys expire.",
        HelpName = "DURATION",
    };

    private static TimeSpan LifeOf(ParseResult parsed, Option<string?> lives) => parsed.GetValue(lives) switch
    {
        null => default,
        "never" => Timeout.InfiniteTimeSpan,
        string text => QuantityText.Duration(text, lives.Name),
    };

    private static async Task<KeyInspection> InspectAsync(
        IStoreGrain store, byte[] key, string? family, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte>[] keys = [key];
        InspectResponse found = await store.InspectAsync(new InspectRequest(keys, family), cancellationToken);
        return found.Keys[0];
    }
}
