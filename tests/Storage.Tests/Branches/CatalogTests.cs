using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Branches;

/// <summary>A catalog of as many branches as a database may have by default, and the end of its growth.</summary>
public sealed class CatalogTests(ITestOutputHelper output) : IDisposable
{
    private const int Branches = 100_000;
    private static readonly DateTimeOffset _moment = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly DatabaseId _database = DatabaseId.New(TimeProvider.System);
    private readonly string _directory = Directory.CreateTempSubdirectory("branching-catalog-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_hundred_thousand_branches_are_read_whole_changed_and_read_again()
    {
        BranchRecord[] records = [.. Enumerable.Range(0, Branches).Select(Record)];
        Write(records);

        long start = TimeProvider.System.GetTimestamp();
        using (Catalog catalog = Catalog.Load(new Disk(), _directory, _database))
        {
            output.WriteLine($"{Branches} records read in {TimeProvider.System.GetElapsedTime(start)}");
            Assert.Equal(Branches, catalog.Records.Count);
            Assert.DoesNotContain(records, record => !IsSame(record, catalog.Records[record.Id]));
            catalog.Set(records[77] with { State = BranchState.Deleted, DeletedAt = _moment });
            catalog.Set(Record(Branches));
        }

        using Catalog again = Catalog.Load(new Disk(), _directory, _database);
        Assert.Equal(Branches + 1, again.Records.Count);
        Assert.Equal((BranchState.Deleted, _moment), (again.Records[records[77].Id].State,
            again.Records[records[77].Id].DeletedAt));
        Assert.Single(Directory.GetFiles(_directory));
    }

    [Fact]
    public void Changes_do_not_make_the_file_grow_for_ever()
    {
        BranchRecord[] records = [.. Enumerable.Range(0, 10).Select(Record)];
        Write(records);
        using (Catalog catalog = Catalog.Load(new Disk(), _directory, _database))
        {
            for (int i = 0; i < 1100; i++)
            {
                catalog.Set(records[i % 10] with { Depth = i });
            }
        }

        string file = Assert.Single(Directory.GetFiles(_directory));
        Assert.InRange(File.ReadLines(file).Count(), 11, 1000);
        using Catalog again = Catalog.Load(new Disk(), _directory, _database);
        Assert.Equal(Enumerable.Range(1090, 10), again.Records.Values.Select(r => r.Depth).Order());
    }

    private static BranchRecord Record(int number)
    {
        // Identities of one moment would collide with nothing but sort by chance: each gets a moment of its own.
        StoreId Id(int moment) =>
            StoreId.Parse(string.Create(CultureInfo.InvariantCulture, $"{moment:x12}7000800000000000000a"));
        StoreId id = Id(number + 1);
        StoreId? parent = number == 0 ? null : Id(number);
        return new BranchRecord(
            id, BranchName.Parse(number == 0 ? "main" : $"b{number}"), parent,
            number == 0 ? null : BranchName.Parse(number == 1 ? "main" : $"b{number - 1}"), new Sequence((ulong)number),
            number, _moment.AddSeconds(number), "tests",
            new Dictionary<string, string>(StringComparer.Ordinal) { ["team"] = $"t{number % 7}" }, BranchState.Ready,
            LinkedFiles: 3, CopiedFiles: 4);
    }

    private static bool IsSame(BranchRecord expected, BranchRecord actual) =>
        expected with { Labels = actual.Labels } == actual && expected.Labels.SequenceEqual(actual.Labels);

    /// <summary>As <see cref="Catalog"/> writes it, without an fsync for each line.</summary>
    private void Write(BranchRecord[] records)
    {
        StringBuilder text = new();
        Append(text, JsonSerializer.Serialize(
            new CatalogDocument(Formats.Catalog, _database.ToString(), 1), Documents.Default.CatalogDocument));
        foreach (BranchRecord record in records)
        {
            Append(text, JsonSerializer.Serialize(
                BranchDocument.From(record, _database), Documents.Default.BranchDocument));
        }

        File.WriteAllText(Path.Combine(_directory, $"{1:D20}.log"), text.ToString());
    }

    private static void Append(StringBuilder text, string json)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in Encoding.UTF8.GetBytes(json))
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        text.Append(CultureInfo.InvariantCulture, $"{~crc:x8} {json}\n");
    }
}
