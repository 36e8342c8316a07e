using System.Text;
using Branching.Storage;

namespace Branching.Grains.Tests;

public sealed class ContinuationTests
{
    private static readonly Continuation _here = new(
        DatabaseId.New(TimeProvider.System),
        new Epoch(3),
        StoreId.New(TimeProvider.System),
        Continuation.DigestOf(KeyRange.All, reverse: false, columnFamily: null),
        default);

    private static byte[] Token => (_here with { LastKey = "last"u8.ToArray() }).ToBytes();

    [Fact]
    public void A_token_gives_back_the_last_key()
        => Assert.Equal("last", Encoding.UTF8.GetString(Continuation.Parse(Token, _here).LastKey.Span));

    [Fact]
    public void Any_changed_byte_is_found()
    {
        for (int i = 0; i < Token.Length; i++)
        {
            byte[] damaged = Token;
            damaged[i] ^= 0x40;
            AssertInvalid(damaged, _here, i == 0 ? "its format is 65" : "checksum");
        }
    }

    [Fact]
    public void A_cut_or_empty_token_is_found()
    {
        byte[] token = Token;
        for (int length = 1; length < token.Length; length++)
        {
            AssertInvalid(token[..length], _here, "");
        }
    }

    [Fact]
    public void A_token_of_another_life_says_what_differs()
    {
        AssertInvalid(Token, _here with { Database = DatabaseId.New(TimeProvider.System) },
            "it belongs to database id");
        AssertInvalid(Token, _here with { Epoch = new Epoch(4) },
            "it was given in epoch 3, the database is in epoch 4");
        AssertInvalid(Token, _here with { Store = StoreId.New(TimeProvider.System) }, "it belongs to store");
        AssertInvalid(Token, _here with { Scan = 1 }, "another range, direction or column family");
    }

    [Fact]
    public void The_scan_differs_by_range_bounds_direction_and_column_family()
    {
        KeyRange range = new("a"u8.ToArray(), "b"u8.ToArray());
        ulong[] digests =
        [
            Continuation.DigestOf(range, false, null),
            Continuation.DigestOf(range, true, null),
            Continuation.DigestOf(range, false, "tags"),
            Continuation.DigestOf(range with { FromExclusive = true }, false, null),
            Continuation.DigestOf(range with { ToInclusive = true }, false, null),
            Continuation.DigestOf(new KeyRange("ab"u8.ToArray(), default), false, null),
            Continuation.DigestOf(new KeyRange("a"u8.ToArray(), "bb"u8.ToArray()), false, null),
        ];

        Assert.Equal(digests.Length, digests.Distinct().Count());
        Assert.Equal(Continuation.DigestOf(range, false, null), Continuation.DigestOf(range, false, "default"));
    }

    private static void AssertInvalid(byte[] token, Continuation expected, string why)
    {
        StorageException failure = Assert.Throws<StorageException>(() => Continuation.Parse(token, expected));
        Assert.Equal(Storage.FailureKind.InvalidContinuation, failure.Kind);
        Assert.Contains(why, failure.Message, StringComparison.Ordinal);
    }
}
