using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>get</c>, <c>put</c> and <c>delete</c>.</summary>
internal static partial class KeyCommands
{
    public static IEnumerable<Command> Create(CommandHost host) =>
        [Get(host), Put(host), Merge(host), Delete(host), Take(host), Exists(host)];

    private static ExampledCommand Get(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> key = Key();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        Option<bool> raw = new("--raw")
        {
            Description = "Write the value's bytes and nothing else, not even a line end.",
        };
        Option<bool> lives = new("--ttl") { Description = "Also show how long the key will live." };
        return new ExampledCommand(
            host,
            "get",
            "Show the value of a key. Exits with 3 when it has none.",
            [
                "branching get shop apple",
                "branching get shop apple --branch topic",
                "branching get shop photo --raw > photo.jpg",
                "branching get shop s1 --column-family sessions --ttl",
            ],
            [database, key, branch, family, hex, base64, raw, lives],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                ByteNotation notation = ByteText.NotationOf(parsed, hex, base64);
                byte[] keyBytes = ByteText.Parse(parsed.GetValue(key)!, notation, "key");
                string store = parsed.GetValue(branch)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain grain = Invocation.Store(session, invocation.Database!, store);
                var request = new GetRequest(keyBytes, parsed.GetValue(family));
                GetResponse found = await RepeatedRead.RunAsync(
                    invocation, () => grain.GetAsync(request, cancellationToken), cancellationToken);
                KeyInspection? life = parsed.GetValue(lives)
                    ? await InspectAsync(grain, keyBytes, parsed.GetValue(family), cancellationToken)
                    : null;
                if (invocation.Json)
                {
                    WriteGetJson(host, keyBytes, found, notation, life);
                    return found.Found ? ExitCode.Ok : ExitCode.NotFound;
                }

                if (!found.Found)
                {
                    throw NoKey(invocation, store, parsed.GetValue(family), keyBytes, notation);
                }

                await WriteValueAsync(host, found.Value, notation, parsed.GetValue(raw), cancellationToken);
                if (life is { } known)
                {
                    invocation.Note(known.TimeToLive is { } left
                        ? $"expires in {Screen.Duration(left)}"
                        : "does not expire");
                }

                return ExitCode.Ok;
            });
    }

    private static UserError NoKey(
        Invocation invocation, string branch, string? family, byte[] key, ByteNotation notation) => new(
        ExitCode.NotFound,
        $"branch {branch} of database {invocation.Database} has no key '{ByteText.ToLine(key, notation)}'",
        invocation.Command(["scan", invocation.Database!, "--branch", branch, .. In(family), "--limit", "10"]),
        "KeyNotFound");

    private static string[] In(string? family) => family is null ? [] : ["--column-family", family];

    private static async Task WriteValueAsync(
        CommandHost host, ReadOnlyMemory<byte> value, ByteNotation notation, bool raw,
        CancellationToken cancellationToken)
    {
        if (raw)
        {
            await host.Output.WriteAsync(value, cancellationToken);
        }
        else
        {
            await host.Out.WriteLineAsync(ByteText.ToBlock(value.Span, notation));
        }
    }

    private static ExampledCommand Put(CommandHost host)
    {
        var write = new WriteSymbols("Only when the key has a value; else exit with 4.");
        Argument<string?> value = new("VALUE")
        {
            Description = "The value; left out, it is read from --file.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> file = new("--file")
        {
            Description = "Take the value's bytes from a file; - is standard input.",
            HelpName = "FILE",
        };
        Option<bool> absent = new("--if-absent") { Description = "Only when the key has no value; else exit with 4." };
        Option<string?> equals = new("--if-value")
        {
            Description = "Only when the key has this value; else exit with 4.",
            HelpName = "VALUE",
        };
        Option<bool> append = new("--append") { Description = "Put it behind the value that the key has." };
        Option<string?> lives = TimeToLive();
        return new ExampledCommand(
            host,
            "put",
            "Store a value under a key.",
            [
                "branching put shop apple 3", "branching put shop apple 4 --branch topic --if-value 3",
                "branching put shop photo --file photo.jpg", "branching put shop --hex 00ff cafe",
                "branching put shop s1 Ada --column-family sessions --ttl 20m",
            ],
            [
                write.Database, write.Key, value, .. write.Where, file, absent, write.Present, equals, append, lives,
                write.Buffered,
            ],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                (ByteNotation notation, byte[] keyBytes, string? name, List<WritePrecondition> conditions) =
                    write.Parse(parsed);
                byte[] valueBytes = await ReadValueAsync(
                    invocation, parsed.GetValue(value), parsed.GetValue(file), notation, cancellationToken);
                if (parsed.GetValue(absent))
                {
                    conditions.Add(new WritePrecondition(WritePreconditionKind.KeyAbsent, keyBytes, default, name));
                }

                if (parsed.GetValue(equals) is { } wanted)
                {
                    byte[] expected = ByteText.Parse(wanted, notation, "value");
                    conditions.Add(new WritePrecondition(WritePreconditionKind.ValueEquals, keyBytes, expected, name));
                }

                var operation = new WriteOperation(
                    parsed.GetValue(append) ? WriteOperationKind.Append : WriteOperationKind.Put,
                    keyBytes, valueBytes, name, LifeOf(parsed, lives));
                return await write.RunAsync(invocation, operation, conditions, cancellationToken);
            });
    }

    private static ExampledCommand Delete(CommandHost host)
    {
        var write = new WriteSymbols("Exit with 4 when the key has no value.");
        return new ExampledCommand(
            host,
            "delete",
            "Remove a key. Removing an absent one is no error.",
            ["branching delete shop apple", "branching delete shop apple --branch topic --if-present"],
            [write.Database, write.Key, .. write.Where, write.Present, write.Buffered],
            (invocation, cancellationToken) =>
            {
                (_, byte[] keyBytes, string? name, List<WritePrecondition> conditions) =
                    write.Parse(invocation.Parsed);
                var operation = new WriteOperation(WriteOperationKind.Delete, keyBytes, default, name);
                return write.RunAsync(invocation, operation, conditions, cancellationToken);
            });
    }

    private static Argument<string> Key() => new("KEY") { Description = "The key: UTF-8 text, 1 to 65,536 bytes." };

    private static async Task<byte[]> ReadValueAsync(
        Invocation invocation, string? value, string? file, ByteNotation notation, CancellationToken cancellationToken)
    {
        if (value is not null == file is not null)
        {
            throw new UserError(
                ExitCode.Usage,
                value is null ? "no value was given" : "the value was given twice: as an argument and with --file",
                invocation.Help());
        }

        if (value is not null)
        {
            return ByteText.Parse(value, notation, "value");
        }

        if (file != "-")
        {
            return await File.ReadAllBytesAsync(file!, cancellationToken);
        }

        using var bytes = new MemoryStream();
        await invocation.Host.Input.CopyToAsync(bytes, cancellationToken);
        return bytes.ToArray();
    }

    private static void WriteGetJson(
        CommandHost host, byte[] key, GetResponse found, ByteNotation notation, KeyInspection? life = null)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, RecordJson.WriterOptions);
        json.WriteStartObject();
        json.WriteBoolean("found", found.Found);
        ByteText.WriteJson(json, "key", key, notation);
        if (found.Found)
        {
            ByteText.WriteJson(json, "value", found.Value.Span, notation);
        }

        if (life is { TimeToLive: { } left })
        {
            json.WriteNumber("expiresInMs", (long)left.TotalMilliseconds);
        }

        json.WriteEndObject();
        RecordJson.EndLine(json, buffer);
        host.Output.Write(buffer.WrittenSpan);
    }

    /// <summary>What <c>put</c> and <c>delete</c> have in common: a key, where it is, and under which
    /// conditions.</summary>
    private sealed class WriteSymbols(string whenPresent)
    {
        private readonly Option<string> _branch = CommonSymbols.Branch();
        private readonly Option<string?> _family = CommonSymbols.ColumnFamily();
        private readonly Option<bool> _hex = CommonSymbols.Hex();
        private readonly Option<bool> _base64 = CommonSymbols.Base64();

        public Argument<string?> Database { get; } = CommonSymbols.Database();

        public Argument<string> Key { get; } = KeyCommands.Key();

        public Option<bool> Present { get; } = new("--if-present") { Description = whenPresent };

        public Option<bool> Buffered { get; } = new("--buffered")
        {
            Description = "Answer before the write is on the disk: it survives this process, not a power loss.",
        };

        public IEnumerable<Symbol> Where => [_branch, _family, _hex, _base64];

        /// <summary>The key with its notation, the column family, and the condition of
        /// <see cref="Present"/>.</summary>
        public (ByteNotation Notation, byte[] Key, string? Family, List<WritePrecondition> Conditions) Parse(
            ParseResult parsed)
        {
            ByteNotation notation = ByteText.NotationOf(parsed, _hex, _base64);
            byte[] key = ByteText.Parse(parsed.GetValue(Key)!, notation, "key");
            string? family = parsed.GetValue(_family);
            return (notation, key, family, parsed.GetValue(Present)
                ? [new WritePrecondition(WritePreconditionKind.KeyPresent, key, default, family)]
                : []);
        }

        public string BranchOf(ParseResult parsed) => parsed.GetValue(_branch)!;

        public WriteDurability DurabilityOf(ParseResult parsed)
            => parsed.GetValue(Buffered) ? WriteDurability.Buffered : WriteDurability.Sync;

        public async Task<int> RunAsync(
            Invocation invocation,
            WriteOperation operation,
            List<WritePrecondition> conditions,
            CancellationToken cancellationToken)
        {
            string branch = BranchOf(invocation.Parsed);
            await using ISession session = await invocation.ConnectAsync(cancellationToken);
            WriteDurability durability = DurabilityOf(invocation.Parsed);
            WriteOperation[] operations = [operation];
            WriteResponse written = await Invocation.Store(session, invocation.Database!, branch)
                .WriteAsync(new WriteRequest(operations, conditions, durability), cancellationToken);
            if (!written.Applied)
            {
                throw Refused(invocation, branch, operation, conditions[written.FailedPrecondition]);
            }

            if (invocation.Json)
            {
                invocation.WriteJson(new JsonObject { ["applied"] = true, ["sequence"] = written.Sequence });
            }

            return ExitCode.Ok;
        }

        private static UserError Refused(
            Invocation invocation, string branch, WriteOperation operation, WritePrecondition condition)
        {
            string key = ByteText.ToLine(operation.Key.Span);
            string[] where = ["--branch", branch, .. In(operation.ColumnFamily)];
            string why = condition.Kind switch
            {
                WritePreconditionKind.KeyAbsent => "has a value already",
                WritePreconditionKind.KeyPresent => "has no value",
                _ => "has another value",
            };
            return new UserError(
                ExitCode.Precondition,
                $"nothing was changed: key '{key}' {why}",
                invocation.Command(key.StartsWith('-')
                    ? ["get", invocation.Database!, .. where, "--", key]
                    : ["get", invocation.Database!, key, .. where]),
                "PreconditionFailed");
        }
    }
}
