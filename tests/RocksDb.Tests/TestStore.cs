using System.Buffers;
using System.Text;

namespace Branching.RocksDb.Tests;

/// <summary>A temporary directory with one database in it, removed with the test.</summary>
internal sealed class TestStore : IDisposable
{
    // Reaching it is a failure, so it is longer than anything takes on a busy machine.
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public TestStore(DatabaseOptions? options = null, bool open = true)
    {
        Root = System.IO.Directory.CreateTempSubdirectory("branching-rocksdb-").FullName;
        Directory = Path.Combine(Root, "db");
        if (open)
        {
            Open(options);
        }
    }

    public string Root { get; }

    public string Directory { get; }

    public RocksDatabase Database { get; private set; } = null!;

    public ColumnFamily Family => Database.DefaultColumnFamily;

    public static DatabaseOptions Creating() => new() { CreateIfMissing = true };

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Copies the files of a directory as they are, but not the lock.</summary>
    public static void CopyDirectory(string from, string to)
    {
        System.IO.Directory.CreateDirectory(to);
        foreach (string file in System.IO.Directory.EnumerateFiles(from))
        {
            if (Path.GetFileName(file) != "LOCK")
            {
                File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
            }
        }
    }

    public RocksDatabase Open(DatabaseOptions? options = null)
    {
        Database?.Dispose();
        Database = RocksDatabase.Open(Directory, options ?? Creating());
        return Database;
    }

    public string Below(string name) => Path.Combine(Root, name);

    public void Put(string key, string value) => Database.Set(key, value);

    public string? Get(string key) => Database.Text(key);

    public void Dispose()
    {
        Database?.Dispose();
        System.IO.Directory.Delete(Root, recursive: true);
    }
}

/// <summary>Text in, text out, for tests about something else than bytes.</summary>
internal static class TextAccess
{
    public static void Set(this RocksDatabase database, string key, string value) =>
        database.Put(database.DefaultColumnFamily, TestStore.Bytes(key), TestStore.Bytes(value), WriteOptions.Buffered);

    public static void Set(this RocksDatabase database, ColumnFamily family, string key, string value) =>
        database.Put(family, TestStore.Bytes(key), TestStore.Bytes(value), WriteOptions.Buffered);

    public static string? Text(this RocksDatabase database, string key, ReadOptions? options = null) =>
        database.Text(database.DefaultColumnFamily, key, options);

    public static string? Text(
        this RocksDatabase database, ColumnFamily family, string key, ReadOptions? options = null)
    {
        ArrayBufferWriter<byte> value = new();
        return database.TryGet(family, TestStore.Bytes(key), value, options)
            ? Encoding.UTF8.GetString(value.WrittenSpan)
            : null;
    }

    public static string[] Keys(this Iterator iterator)
    {
        List<string> keys = [];
        for (iterator.SeekToFirst(); iterator.IsValid; iterator.Next())
        {
            keys.Add(Encoding.UTF8.GetString(iterator.Key));
        }

        return [.. keys];
    }
}
