using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Branching.ClientApp.Formats;
using Branching.Storage.Tests;
using Xunit.Abstractions;

namespace Branching.ClientApp.Tests;

/// <summary>
/// Files that were damaged before they are imported: what cannot be read is told with a line and a column that the file
/// has, what can be read comes back from an export as it is, and in whatever pieces the bytes arrive, the answer is the
/// same. BRANCHING_FUZZ_RECORDS sets how many files of each format.
/// </summary>
public sealed class RecordFuzzTests(ITestOutputHelper output)
{
    private const int RecordsPerExport = 500;

    private static readonly byte[][] _words =
    [
        .. new[]
        {
            "\"", "\"\"", "\",\"", ",", "\t", "\\", "\\t", "\\x4", "\\x41", "\n", "\r", "\r\n", "\n\n", "{", "}", "[",
            "]", ":", "null", "\\u0000", "\\ud800", "\\ud83d\\ude00", "\uFEFF", "é", "\uD83D\uDE00", "key",
            "\"key64\"", "\"value\":1", "id", " ", "-1e999", "{\"key\":\"a\",\"value\":{}}",
            new('[', 600), new('x', 300),
        }.Select(Encoding.UTF8.GetBytes),
        [0], [0xFF], [0xC3], [0xED, 0xA0, 0x80],
    ];

    [Theory]
    [InlineData("tsv", null, "a\t1\nb\\tc\t\\x00é\\\\\n\nk\tlong value\r\nlast\t")]
    [InlineData("tsv", "id", "name\tid\tn\nAda\t7\t\\n\nBob\t8\té\nCy\\t\t9\t\r\n")]
    [InlineData("csv", null, "key,value\na,1\n\"b,\"\"c\"\"\",\"two\nlines\"\r\n\"\",\"\"\nd,\"é\"\nlast,")]
    [InlineData("csv", "id", "name,id,\"a,b\"\nAda,7,\"x\ny\"\nBob,8,é\n\"C\"\"y\",9,\n")]
    [InlineData("ndjson", null, "{\"key\":\"a\",\"value\":\"1\"}\n{\"value\":{\"n\":[1,2.5e3]},\"key\":\"\\u00e9\"}\n"
        + "{\"key64\":\"/w==\",\"value64\":\"AAEC\"}\r\n{\"key\":\"\\ud83d\\ude00\",\"value\":\"é\\n\"}")]
    [InlineData("ndjson", "id", "{\"id\":\"a\",\"x\":[{\"id\":1}]}\n {\"n\":null,\"id\":12.50} \n"
        + "{\"id\":true,\"é\":\"\\\"\"}")]
    public async Task A_damaged_file_is_read_as_it_is_or_told_with_its_place(string format, string? key, string text)
    {
        int inputs = NumberOf("BRANCHING_FUZZ_RECORDS", 2000);
        int seed = NumberOf("BRANCHING_SEED", Random.Shared.Next());
        output.WriteLine($"BRANCHING_SEED={seed} BRANCHING_FUZZ_RECORDS={inputs}");
        RecordFormat kind = Enum.Parse<RecordFormat>(format, ignoreCase: true);
        byte[] good = Encoding.UTF8.GetBytes(text);
        Random random = new(seed);
        long started = Stopwatch.GetTimestamp(), malformed = 0, records = 0;
        List<(byte[] Key, byte[] Value)> batch = [];
        Assert.DoesNotContain(Read(kind, key, good, null).Malformed, found => !found.Reason.Contains("key is empty"));
        for (int i = 0; i < inputs; i++)
        {
            byte[] bytes = ByteMutation.Of(good, random, _words);
            try
            {
                Outcome whole = Read(kind, key, bytes, null);
                Outcome pieces = Read(kind, key, bytes, new Random(i));
                Assert.Equal(whole.Refusal, pieces.Refusal);
                Assert.Equal(whole.Malformed, pieces.Malformed);
                AssertSame(whole.Records, pieces.Records);
                AssertPlaces(bytes, whole);
                AssertValues(kind, key, whole);
                batch.AddRange(whole.Records);
                records += whole.Records.Count;
                malformed += whole.Malformed.Count;
                if (batch.Count >= RecordsPerExport || i == inputs - 1)
                {
                    await AssertComesBackAsync(kind, batch);
                    batch.Clear();
                }
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(
                    $"file {i} of seed {seed}: {e.Message}\n{Convert.ToHexString(bytes)}\n" +
                    Encoding.UTF8.GetString(bytes),
                    e);
            }
        }

        output.WriteLine(
            $"{inputs} files, {records} records, {malformed} malformed, " +
            $"{Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        Assert.True(records > inputs / 2 && malformed > inputs / 4, $"{records} records, {malformed} malformed");
    }

    private static int NumberOf(string variable, int byDefault) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int asked)
            ? asked
            : byDefault;

    private static Outcome Read(RecordFormat format, string? key, byte[] bytes, Random? pieces)
    {
        Outcome outcome = new();
        try
        {
            using RecordReader reader = Open(format, key, bytes, pieces);
            for (ReadOutcome one = reader.Read(); one != ReadOutcome.End; one = reader.Read())
            {
                if (one == ReadOutcome.Record)
                {
                    outcome.Records.Add((reader.Key.ToArray(), reader.Value.ToArray()));
                }
                else
                {
                    outcome.Malformed.Add(reader.Malformed!);
                }

                // A reader that does not move on would go on for ever.
                Assert.True(outcome.Records.Count + outcome.Malformed.Count <= bytes.Length, "more records than bytes");
            }

            Assert.Equal(bytes.Length, reader.BytesRead);
        }
        catch (UserError e)
        {
            Assert.Equal(ExitCode.Malformed, e.ExitCode);
            outcome.Refusal = e.Message;
        }

        return outcome;
    }

    /// <summary>As a command opens it, but with a buffer that is soon too small.</summary>
    private static RecordReader Open(RecordFormat format, string? key, byte[] bytes, Random? pieces)
    {
        LineSource source = pieces is null
            ? new LineSource(new MemoryStream(bytes), initialBytes: 4096)
            : new LineSource(new Pieces(bytes, pieces), initialBytes: pieces.Next(4, 64));
        return format switch
        {
            RecordFormat.Ndjson => new NdjsonReader(source, key),
            RecordFormat.Csv => new CsvReader(source, key),
            _ when key is null => new TsvReader(source),
            _ => new TsvTableReader(source, key),
        };
    }

    private static void AssertSame(List<(byte[] Key, byte[] Value)> expected, List<(byte[] Key, byte[] Value)> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            bool same = expected[i].Key.AsSpan().SequenceEqual(actual[i].Key)
                && expected[i].Value.AsSpan().SequenceEqual(actual[i].Value);
            Assert.True(same, $"record {i} is {Show(actual[i])} instead of {Show(expected[i])}");
        }
    }

    private static string Show((byte[] Key, byte[] Value) record) =>
        $"{Convert.ToHexString(record.Key)}={Convert.ToHexString(record.Value)}";

    private static void AssertPlaces(byte[] bytes, Outcome outcome)
    {
        string[] lines = outcome.Malformed.Count > 0 ? Encoding.UTF8.GetString(bytes).Split('\n') : [];
        foreach (MalformedRecord malformed in outcome.Malformed)
        {
            Assert.InRange(malformed.Line, 1, lines.Length);
            Assert.InRange(malformed.Column, 1, lines[malformed.Line - 1].Length + 1);
            Assert.NotEmpty(malformed.Reason);
        }

        if (outcome.Refusal is { } refusal)
        {
            // The header; in quotes it may go over some lines.
            Assert.Matches(@"\A(line [1-9][0-9]*(, column [1-9][0-9]*)?: |the \w+ file is empty)", refusal);
        }
    }

    /// <summary>Columns beside the key become an object; of a line of JSON the value is that object.</summary>
    private static void AssertValues(RecordFormat format, string? key, Outcome outcome)
    {
        foreach ((byte[] found, byte[] value) in outcome.Records)
        {
            Assert.InRange(found.Length, 1, RecordLimits.MaxKeyBytes);
            if (key is not null && format != RecordFormat.Csv)
            {
                using JsonDocument document = JsonDocument.Parse(value, new JsonDocumentOptions { MaxDepth = 1024 });
                Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
                Assert.Equal(format == RecordFormat.Ndjson, document.RootElement.TryGetProperty(key, out _));
            }
        }
    }

    private static async Task AssertComesBackAsync(RecordFormat format, List<(byte[] Key, byte[] Value)> records)
    {
        using MemoryStream file = new();
        using (RecordWriter writer = RecordWriter.Create(format, file))
        {
            foreach ((byte[] key, byte[] value) in records)
            {
                await writer.WriteAsync(key, value, CancellationToken.None);
            }

            await writer.FlushAsync(CancellationToken.None);
        }

        Outcome again = Read(format, null, file.ToArray(), null);

        Assert.Empty(again.Malformed);
        AssertSame(records, again.Records);
    }

    private sealed class Outcome
    {
        public List<(byte[] Key, byte[] Value)> Records { get; } = [];

        public List<MalformedRecord> Malformed { get; } = [];

        public string? Refusal { get; set; }
    }

    /// <summary>A file that is read a few bytes at a time, as a pipe or a busy disk gives them.</summary>
    private sealed class Pieces(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) =>
            base.Read(buffer, offset, Math.Min(count, random.Next(1, 24)));
    }
}
