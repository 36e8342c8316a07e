using System.Globalization;
using System.Text;
using Branching.ClientApp.Formats;

namespace Branching.ClientApp.Tests;

public sealed class RecordReaderTests
{
    [Theory]
    [InlineData("tsv", null, "a\t1\nb", 2, 2, "no tab")]
    [InlineData("tsv", null, "a\t1\tx\n", 1, 4, "second tab")]
    [InlineData("tsv", null, "a\tb\\q\n", 1, 4, "backslash")]
    [InlineData("tsv", null, "a\\x4\t1\n", 1, 2, "backslash")]
    [InlineData("tsv", null, "é\\q\t1\n", 1, 2, "backslash")]
    [InlineData("tsv", null, "\t1\n", 1, 1, "key is empty")]
    [InlineData("tsv", "id", "id\tname\n1\tx\ty\n", 2, 4, "more fields")]
    [InlineData("tsv", "id", "id\tname\n1\n", 2, 2, "1 field;")]
    [InlineData("csv", null, "id,n\n1,\"x\"y\n", 2, 6, "after a closing quote")]
    [InlineData("csv", null, "id,n\n1,x\"y\n", 2, 4, "quote inside")]
    [InlineData("csv", null, "id,n\n1,\"x\n\n", 2, 3, "never closed")]
    [InlineData("csv", null, "id,n\n1\n", 2, 2, "1 field;")]
    [InlineData("csv", null, "id,n\n1,2,3\n", 2, 5, "3 fields")]
    [InlineData("csv", null, "id,n\n1,\"a\nb\"x\n", 3, 3, "after a closing quote")]
    [InlineData("csv", null, "id,n\n1,\"a\nb\"\n,2\n", 4, 1, "key is empty")]
    [InlineData("ndjson", null, "{\"key\":\"a\",\"value\":\"b\"}\n{\"key\":\"a\",}\n", 2, 12, "not valid JSON")]
    [InlineData("ndjson", null, "[1]\n", 1, 1, "not a JSON object")]
    [InlineData("ndjson", null, "{\"key\":1,\"value\":\"b\"}\n", 1, 8, "key is no string")]
    [InlineData("ndjson", null, "{\"key\":\"a\"}\n", 1, 1, "no field 'value'")]
    [InlineData("ndjson", null, "{\"value\":\"a\"}\n", 1, 1, "no field 'key'")]
    [InlineData("ndjson", null, "{\"key\":\"a\",\"value\":null}\n", 1, 20, "null")]
    [InlineData("ndjson", null, "{\"key64\":\"*\",\"value\":\"\"}\n", 1, 10, "base64")]
    [InlineData("ndjson", null, "{\"key\":\"a\",\"other\":1}\n", 1, 12, "--key FIELD")]
    [InlineData("ndjson", null, "{\"key\":\"a\",\"key\":\"b\",\"value\":\"\"}\n", 1, 12, "second key")]
    [InlineData("ndjson", null, "{\"key\":\"\\ud800\",\"value\":\"\"}\n", 1, 8, "surrogate")]
    [InlineData("ndjson", "id", "{\"id\":{},\"x\":1}\n", 1, 7, "no string, number or boolean")]
    [InlineData("ndjson", "id", "{\"x\":1}\n", 1, 1, "no field 'id'")]
    [InlineData("ndjson", "id", "{\"id\":1} x\n", 1, 10, "not valid JSON")]
    public void A_malformed_record_is_told_with_line_and_column(
        string format, string? key, string text, long line, int column, string reason)
    {
        using RecordReader reader = Open(format, key, Encoding.UTF8.GetBytes(text));

        ReadOutcome outcome = reader.Read();
        while (outcome == ReadOutcome.Record)
        {
            outcome = reader.Read();
        }

        Assert.Equal(ReadOutcome.Malformed, outcome);
        Assert.Contains(reason, reader.Malformed!.Reason, StringComparison.Ordinal);
        Assert.Equal((line, column), (reader.Malformed.Line, reader.Malformed.Column));
    }

    [Theory]
    [InlineData("tsv", null, "a\tb\n", "a=b")]
    [InlineData("tsv", null, "\uFEFFa\tb\r\n\r\nc\td", "a=b|c=d")]
    [InlineData("tsv", null, "a\\tb\t\\x41\\n\\\\\n", "a\tb=A\n\\")]
    [InlineData("tsv", "id", "name\tid\nAda\t7\n", "7={\"name\":\"Ada\"}")]
    [InlineData("csv", null, "id,n\n1,x\n2,\"a,\"\"b\"\"\"\n", "1=x|2=a,\"b\"")]
    [InlineData("csv", null, "id,n\r\n1,\"a\r\nb\"\r\n", "1=a\r\nb")]
    [InlineData("csv", "sku", "name,sku,price\nApple,a1,3\n", "a1={\"name\":\"Apple\",\"price\":\"3\"}")]
    [InlineData("csv", null, "id,n\n1,", "1=")]
    [InlineData("ndjson", null, "{\"value\":{\"a\":[1]},\"key\":\"k\"}", "k={\"a\":[1]}")]
    [InlineData("ndjson", null, "{\"key64\":\"YQ==\",\"value\":\"\\u00e9\"}", "a=é")]
    [InlineData("ndjson", "id", "  {\"id\": 12, \"x\" : [1, 2]} \n", "12={\"id\": 12, \"x\" : [1, 2]}")]
    [InlineData("ndjson", "id", "{\"n\":{\"id\":1},\"id\":\"\\u0061\"}\n", "a={\"n\":{\"id\":1},\"id\":\"\\u0061\"}")]
    public void A_file_gives_its_records(string format, string? key, string text, string expected)
    {
        using RecordReader reader = Open(format, key, Encoding.UTF8.GetBytes(text));

        List<string> records = [];
        while (reader.Read() == ReadOutcome.Record)
        {
            records.Add($"{Encoding.UTF8.GetString(reader.Key.Span)}={Encoding.UTF8.GetString(reader.Value.Span)}");
        }

        Assert.Null(reader.Malformed);
        Assert.Equal(expected, string.Join('|', records));
    }

    [Theory]
    [InlineData("tsv")]
    [InlineData("ndjson")]
    [InlineData("csv")]
    public async Task What_was_exported_is_read_back_byte_for_byte(string format)
    {
        string? chosen = Environment.GetEnvironmentVariable("BRANCHING_SEED");
        int seed = int.TryParse(chosen, CultureInfo.InvariantCulture, out int given) ? given : 20261121;
        var random = new Random(seed);
        List<(byte[] Key, byte[] Value)> records =
            [([0xEF, 0xBB, 0xBF, 1], []), ("\r"u8.ToArray(), "\r\n\\\"\t\0,"u8.ToArray())];
        for (int i = 0; i < 3000; i++)
        {
            records.Add((Bytes(random, 1, 40), Bytes(random, 0, random.Next(20) == 0 ? 300_000 / 20 : 200)));
        }

        using var file = new MemoryStream();
        using (RecordWriter writer = RecordWriter.Create(FormatOf(format), file))
        {
            foreach ((byte[] key, byte[] value) in records)
            {
                await writer.WriteAsync(key, value, CancellationToken.None);
            }

            await writer.FlushAsync(CancellationToken.None);
        }

        using RecordReader reader = Open(format, null, file.ToArray());
        foreach ((byte[] key, byte[] value) in records)
        {
            Assert.True(reader.Read() == ReadOutcome.Record, $"seed {seed}: {reader.Malformed}");
            Assert.True(key.AsSpan().SequenceEqual(reader.Key.Span), $"seed {seed}: key {Convert.ToHexString(key)}");
            Assert.True(
                value.AsSpan().SequenceEqual(reader.Value.Span), $"seed {seed}: value of {Convert.ToHexString(key)}");
        }

        Assert.Equal(ReadOutcome.End, reader.Read());
    }

    [Fact]
    public void Lines_longer_than_the_buffer_are_whole_and_those_over_the_limit_are_malformed()
    {
        string longValue = new('x', 700_000);
        string text = $"a\t{longValue}\nb\t{new string('y', 3 << 20)}\nc\t1\n";
        using var reader = new TsvReader(new LineSource(new MemoryStream(Encoding.UTF8.GetBytes(text)), 1 << 20));

        Assert.Equal(ReadOutcome.Record, reader.Read());
        Assert.Equal(longValue.Length, reader.Value.Length);
        Assert.Equal(ReadOutcome.Malformed, reader.Read());
        Assert.Equal(2, reader.Malformed!.Line);
        Assert.Equal(ReadOutcome.Record, reader.Read());
        Assert.Equal("c", Encoding.UTF8.GetString(reader.Key.Span));
        Assert.Equal(ReadOutcome.End, reader.Read());
    }

    [Theory]
    [InlineData(RecordLimits.MaxKeyBytes, 10, true)]
    [InlineData(RecordLimits.MaxKeyBytes + 1, 10, false)]
    [InlineData(10, RecordLimits.MaxRecordBytes - 10, true)]
    [InlineData(10, RecordLimits.MaxRecordBytes - 9, false)]
    public void A_record_over_the_limits_is_malformed(int keyBytes, int valueBytes, bool accepted)
    {
        string text = new string('k', keyBytes) + "\t" + new string('v', valueBytes) + "\n";
        using RecordReader reader = Open("tsv", null, Encoding.UTF8.GetBytes(text));

        Assert.Equal(accepted ? ReadOutcome.Record : ReadOutcome.Malformed, reader.Read());
    }

    [Fact]
    public void After_a_quote_that_is_never_closed_the_next_lines_are_still_read()
    {
        using RecordReader reader = Open("csv", null, "id,n\n1,\"x\n2,y\n3,z\n"u8.ToArray());

        Assert.Equal(ReadOutcome.Malformed, reader.Read());
        Assert.Equal(ReadOutcome.Record, reader.Read());
        Assert.Equal("2", Encoding.UTF8.GetString(reader.Key.Span));
        Assert.Equal(ReadOutcome.Record, reader.Read());
        Assert.Equal(ReadOutcome.End, reader.Read());
    }

    [Theory]
    [InlineData("csv", "price", "id,name\n", "no column 'price'")]
    [InlineData("tsv", "price", "id\tname\n", "no column 'price'")]
    [InlineData("csv", null, "id,id\n", "two columns are named 'id'")]
    [InlineData("csv", null, "", "is empty")]
    public void A_header_without_the_key_is_an_error_at_once(string format, string? key, string text, string message)
    {
        UserError error = Assert.Throws<UserError>(() => Open(format, key, Encoding.UTF8.GetBytes(text)));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Malformed, error.ExitCode);
    }

    private static RecordReader Open(string format, string? key, byte[] bytes)
        => RecordReader.Open(FormatOf(format), new MemoryStream(bytes), key);

    private static RecordFormat FormatOf(string name) => Enum.Parse<RecordFormat>(name, ignoreCase: true);

    private static byte[] Bytes(Random random, int min, int max)
    {
        byte[] bytes = new byte[random.Next(min, max + 1)];
        random.NextBytes(bytes);
        if (random.Next(2) == 0)
        {
            // Half of them text, with what the formats escape among it.
            const string alphabet = "ab\t\n\r\\\",:{}\0é€\u2028\u0085";
            string text = string.Concat(bytes.Select(b => alphabet[b % alphabet.Length]));
            return text.Length == 0 && min > 0 ? "k"u8.ToArray() : Encoding.UTF8.GetBytes(text);
        }

        return bytes;
    }
}
