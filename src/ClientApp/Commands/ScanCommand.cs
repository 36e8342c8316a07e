using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using Branching.ClientApp.Formats;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>scan</c>.</summary>
internal static class ScanCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        var range = new RangeOptions();
        Option<long?> limit = new("--limit", "-n") { Description = "At most so many keys.", HelpName = "N" };
        Option<bool> reverse = new("--reverse") { Description = "From the last key to the first." };
        Option<bool> keysOnly = new("--keys-only") { Description = "Leave the values out." };
        Option<long> offset = new("--offset") { Description = "Pass over so many keys first.", HelpName = "N" };
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        limit.Validators.Add(Expected.AtLeastOne);
        return new ExampledCommand(
            host,
            "scan",
            "Show keys and values in key order, one a line. Unprintable bytes are escaped as in tsv.",
            [
                "branching scan shop --prefix user/ --limit 20", "branching scan shop --from a --to n --reverse",
                "branching scan shop --branch topic --keys-only", "branching scan shop --offset 1 --json | jq .key",
            ],
            [database, branch, family, .. range.All, limit, offset, reverse, keysOnly, hex, base64],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                ByteNotation notation = ByteText.NotationOf(parsed, hex, base64);
                var request = new StreamRequest(
                    range.Parse(parsed, notation),
                    parsed.GetValue(reverse),
                    parsed.GetValue(keysOnly),
                    parsed.GetValue(family),
                    parsed.GetValue(offset));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain store = Invocation.Store(session, invocation.Database!, parsed.GetValue(branch)!);
                var output = new EntryOutput(host.Output, notation, invocation.Json, request.KeysOnly);
                await foreach (IReadOnlyList<Entry> page in RangeOptions.ReadAsync(
                    store, request, parsed.GetValue(limit), cancellationToken))
                {
                    await output.WriteAsync(page, cancellationToken);
                }

                return ExitCode.Ok;
            });
    }

    private sealed class EntryOutput(Stream stream, ByteNotation notation, bool asJson, bool keysOnly)
    {
        private readonly ArrayBufferWriter<byte> _buffer = new(64 * 1024);

        public async Task WriteAsync(IReadOnlyList<Entry> entries, CancellationToken cancellationToken)
        {
            if (asJson)
            {
                AppendJson(entries);
            }
            else
            {
                AppendText(entries);
            }

            await stream.WriteAsync(_buffer.WrittenMemory, cancellationToken);
            _buffer.ResetWrittenCount();
        }

        private void AppendText(IReadOnlyList<Entry> entries)
        {
            foreach (Entry entry in entries)
            {
                ByteText.AppendLine(entry.Key.Span, notation, _buffer);
                if (!keysOnly)
                {
                    _buffer.Write("\t"u8);
                    ByteText.AppendLine(entry.Value.Span, notation, _buffer);
                }

                _buffer.Write("\n"u8);
            }
        }

        private void AppendJson(IReadOnlyList<Entry> entries)
        {
            using var json = new Utf8JsonWriter(_buffer, RecordJson.WriterOptions);
            foreach (Entry entry in entries)
            {
                json.WriteStartObject();
                ByteText.WriteJson(json, "key", entry.Key.Span, notation);
                if (!keysOnly)
                {
                    ByteText.WriteJson(json, "value", entry.Value.Span, notation);
                }

                json.WriteEndObject();
                RecordJson.EndLine(json, _buffer);
            }
        }
    }
}
