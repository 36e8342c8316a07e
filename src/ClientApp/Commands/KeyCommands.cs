using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Branching.ClientApp.Formats;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>get</c>, <c>put</c> and <c>delete</c>.</summary>
internal static class KeyCommands
{
    public static IEnumerable<Command> Create(CommandHost host) => [Get(host), Put(host), Delete(host)];

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
        return new ExampledCommand(
            host,
            "get",
            "Show the value of a key. Exits with 3 when it has none.",
            [
                "branching get shop apple",
                "branching get shop apple --branch topic",
                "branching get shop photo --raw > photo.jpg",
            ],
            [database, key, branch, family, hex, base64, raw],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                ByteNotation notation = ByteText.NotationOf(parsed, hex, base64);
                byte[] keyBytes = ByteText.Parse(parsed.GetValue(key)!, notation, "key");
                string store = parsed.GetValue(branch)!;
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                GetResponse found = await Invocation.Store(session, invocation.Database!, store)
                    .GetAsync(new GetRequest(keyBytes, parsed.GetValue(family)), cancellationToken);
                if (invocation.Json)
                {
                    WriteGetJson(host, keyBytes, found, notation);
                    return found.Found ? ExitCode.Ok : ExitCode.NotFound;
                }

                if (!found.Found)
                {
                    throw new UserError(
                        ExitCode.NotFound,
                        $"branch {store} of database {invocation.Database} has no key "
                        + $"'{ByteText.ToLine(keyBytes, notation)}'",
                        invocation.Command("scan", invocation.Database!, "--branch", store, "--limit", "10"),
                        "KeyNotFound");
                }

                if (parsed.GetValue(raw))
                {
                    await host.Output.WriteAsync(found.Value, cancellationToken);
                }
                else
                {
                    await host.Out.WriteLineAsync(ByteText.ToBlock(found.Value.Span, notation));
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Put(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> key = Key();
        Argument<string?> value = new("VALUE")
        {
            Description = "The value; left out, it is read from --file.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        Option<string?> file = new("--file")
        {
            Description = "Take the value's bytes from a file; - is standard input.",
            HelpName = "FILE",
        };
        Option<bool> absent = new("--if-absent") { Description = "Only when the key has no value; else exit with 4." };
        Option<bool> present = new("--if-present") { Description = "Only when the key has a value; else exit with 4." };
        Option<string?> equals = new("--if-value")
        {
            Description = "Only when the key has this value; else exit with 4.",
            HelpName = "VALUE",
        };
        Option<bool> buffered = Buffered();
        return new ExampledCommand(
            host,
            "put",
            "Store a value under a key.",
            [
                "branching put shop apple 3", "branching put shop apple 4 --branch topic --if-value 3",
                "branching put shop photo --file photo.jpg", "branching put shop --hex 00ff cafe",
            ],
            [database, key, value, branch, family, hex, base64, file, absent, present, equals, buffered],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                ByteNotation notation = ByteText.NotationOf(parsed, hex, base64);
                byte[] keyBytes = ByteText.Parse(parsed.GetValue(key)!, notation, "key");
                byte[] valueBytes = await ReadValueAsync(
                    invocation, parsed.GetValue(value), parsed.GetValue(file), notation, cancellationToken);
                string? name = parsed.GetValue(family);
                List<WritePrecondition> conditions = [];
                if (parsed.GetValue(absent))
                {
                    conditions.Add(new WritePrecondition(WritePreconditionKind.KeyAbsent, keyBytes, default, name));
                }

                if (parsed.GetValue(present))
                {
                    conditions.Add(new WritePrecondition(WritePreconditionKind.KeyPresent, keyBytes, default, name));
                }

                if (parsed.GetValue(equals) is { } wanted)
                {
                    byte[] expected = ByteText.Parse(wanted, notation, "value");
                    conditions.Add(new WritePrecondition(WritePreconditionKind.ValueEquals, keyBytes, expected, name));
                }

                var operation = new WriteOperation(WriteOperationKind.Put, keyBytes, valueBytes, name);
                return await WriteAsync(
                    invocation,
                    parsed.GetValue(branch)!,
                    operation,
                    conditions,
                    parsed.GetValue(buffered),
                    cancellationToken);
            });
    }

    private static ExampledCommand Delete(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Argument<string> key = Key();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        Option<bool> present = new("--if-present") { Description = "Exit with 4 when the key has no value." };
        Option<bool> buffered = Buffered();
        return new ExampledCommand(
            host,
            "delete",
            "Remove a key. Removing an absent one is no error.",
            ["branching delete shop apple", "branching delete shop apple --branch topic --if-present"],
            [database, key, branch, family, hex, base64, present, buffered],
            (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                ByteNotation notation = ByteText.NotationOf(parsed, hex, base64);
                byte[] keyBytes = ByteText.Parse(parsed.GetValue(key)!, notation, "key");
                string? name = parsed.GetValue(family);
                List<WritePrecondition> conditions = parsed.GetValue(present)
                    ? [new WritePrecondition(WritePreconditionKind.KeyPresent, keyBytes, default, name)]
                    : [];
                var operation = new WriteOperation(WriteOperationKind.Delete, keyBytes, default, name);
                return WriteAsync(
                    invocation,
                    parsed.GetValue(branch)!,
                    operation,
                    conditions,
                    parsed.GetValue(buffered),
                    cancellationToken);
            });
    }

    private static Argument<string> Key() => new("KEY") { Description = "The key: UTF-8 text, 1 to 65,536 bytes." };

    private static Option<bool> Buffered() => new("--buffered")
    {
        Description = "Answer before the write is on the disk: it survives this process, not a power loss.",
    };

    private static async Task<byte[]> ReadValueAsync(
        Invocation invocation, string? value, string? file, ByteNotation notation, CancellationToken cancellationToken)
    {
        if (value is not null == file is not null)
        {
            throw new UserError(
                ExitCode.Usage,
                value is null ? "no value was given" : "the value was given twice: as an argument and with --file",
                "branching put --help");
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

    private static async Task<int> WriteAsync(
        Invocation invocation,
        string branch,
        WriteOperation operation,
        List<WritePrecondition> conditions,
        bool buffered,
        CancellationToken cancellationToken)
    {
        await using ISession session = await invocation.ConnectAsync(cancellationToken);
        WriteDurability durability = buffered ? WriteDurability.Buffered : WriteDurability.Sync;
        WriteOperation[] operations = [operation];
        WriteResponse written = await Invocation.Store(session, invocation.Database!, branch)
            .WriteAsync(new WriteRequest(operations, conditions, durability), cancellationToken);
        if (!written.Applied)
        {
            string condition = conditions[written.FailedPrecondition].Kind switch
            {
                WritePreconditionKind.KeyAbsent => "has a value already",
                WritePreconditionKind.KeyPresent => "has no value",
                _ => "has another value",
            };
            throw new UserError(
                ExitCode.Precondition,
                $"nothing was changed: key '{ByteText.ToLine(operation.Key.Span)}' {condition}",
                invocation.Command(
                    "get", invocation.Database!, ByteText.ToLine(operation.Key.Span), "--branch", branch),
                "PreconditionFailed");
        }

        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject { ["applied"] = true, ["sequence"] = written.Sequence });
        }

        return ExitCode.Ok;
    }

    private static void WriteGetJson(CommandHost host, byte[] key, GetResponse found, ByteNotation notation)
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

        json.WriteEndObject();
        RecordJson.EndLine(json, buffer);
        host.Output.Write(buffer.WrittenSpan);
    }
}
