namespace Branching.Storage;

/// <summary>In what RocksDB counts and measures something, which only the name tells.</summary>
internal enum StatisticUnit
{
    /// <summary>Events, keys, files and whatever else is numbered.</summary>
    Count = 0,

    /// <summary>Bytes.</summary>
    Bytes = 1,

    /// <summary>Seconds, whatever RocksDB measures them in.</summary>
    Seconds = 2,
}

/// <summary>What a name of RocksDB's statistics says of the numbers.</summary>
/// <param name="Unit">Their unit in metrics.</param>
/// <param name="Factor">What RocksDB's number is multiplied with to be in that unit.</param>
/// <param name="Name">The name without a unit that is no longer true.</param>
internal readonly record struct StatisticName(StatisticUnit Unit, double Factor, string Name)
{
    private static readonly (string End, double Factor)[] _times =
        [("micros", 1e-6), ("nanos", 1e-9), ("millis", 1e-3)];

    /// <summary>Reads a name as of RocksDB 7.8 to 10: <c>rocksdb.db.get.micros</c>, <c>rocksdb.bytes.written</c>.
    /// </summary>
    public static StatisticName Parse(string name)
    {
        foreach ((string end, double factor) in _times)
        {
            // "….micros" and "…cpu_micros".
            if (name.EndsWith(end, StringComparison.Ordinal) && name[^(end.Length + 1)] is '.' or '_')
            {
                return new StatisticName(StatisticUnit.Seconds, factor, name[..^(end.Length + 1)]);
            }
        }

        if (string.Equals(name, "rocksdb.db.write.stall", StringComparison.Ordinal))
        {
            return new StatisticName(StatisticUnit.Seconds, 1e-6, name); // The one time that does not say so.
        }

        // Batches are numbered in files or blocks.
        bool bytes = name.Split('.').Contains("bytes", StringComparer.Ordinal)
            || (name.EndsWith(".size", StringComparison.Ordinal)
                && !name.EndsWith("batch.size", StringComparison.Ordinal));
        return new StatisticName(bytes ? StatisticUnit.Bytes : StatisticUnit.Count, 1, name);
    }
}
