using Branching.Storage.Changes;
using Branching.Storage.Tests.LocalStores;
using Microsoft.Extensions.Logging.Abstractions;

namespace Branching.Storage.Tests.Changes;

/// <summary>A store with its change log in a directory of its own, and what the tests say most often.</summary>
internal sealed class LoggedStore : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly DatabaseId _database = DatabaseId.New(TimeProvider.System);
    private readonly StoreId _store = StoreId.New(TimeProvider.System);

    public LoggedStore(TimeProvider? time = null, Disk? disk = null, ChangeLogSettings? settings = null,
        LocalStoreSeams? seams = null)
    {
        Root = System.IO.Directory.CreateTempSubdirectory("branching-changes-").FullName;
        _time = time ?? TimeProvider.System;
        Disk = disk ?? new Disk();
        Settings = settings ?? ChangeLogSettings.Default;
        Resources = new StoreResources(
            new StorageOptions { DataRoot = Root, BlockCacheBytes = 8 << 20 }, NullLogger.Instance, _time);
        Store = LocalStore.Open(
            StoreDirectory, "the store", Resources, create: true, NullLogger.Instance, _time,
            seams ?? LocalStoreSeams.Real);
        Enable();
    }

    public string Root { get; }

    public Disk Disk { get; set; }

    public ChangeLogSettings Settings { get; set; }

    public StoreResources Resources { get; }

    public LocalStore Store { get; private set; }

    public ChangeLog Log => Store.Changes;

    public string StoreDirectory => Path.Combine(Root, "store");

    public string Directory => Path.Combine(Root, "changes", _store.ToString());

    public ChangeLogPlace Place => new(Directory, _database, _store) { Disk = Disk };

    public string[] Files => [.. System.IO.Directory.GetFiles(Directory, "*.log").Order(StringComparer.Ordinal)];

    public void Enable() => Store.EnableChangeLog(Place, Settings);

    public Task<WriteResult> PutAsync(string key, string value, Durability durability = Durability.Buffered) =>
        WriteAsync(durability, TestStore.Put(key, value));

    public Task<WriteResult> WriteAsync(Durability durability, params WriteOperation[] operations) =>
        Store.WriteAsync(new WriteRequest(operations, null, durability), CancellationToken.None).AsTask();

    public async Task ReopenAsync(bool enable = true, Action? whileClosed = null)
    {
        await Store.DisposeAsync();
        whileClosed?.Invoke();
        Store = LocalStore.Open(
            StoreDirectory, "the store", Resources, create: false, NullLogger.Instance, _time);
        if (enable)
        {
            Enable();
        }
    }

    /// <summary>Copies the files as a kill would leave them: nothing is closed.</summary>
    public string Copy()
    {
        string copy = System.IO.Directory.CreateTempSubdirectory("branching-changes-copy-").FullName;
        CopyTree(Root, copy);
        return copy;
    }

    /// <summary>Opens a copy, hands it to a check, and removes it.</summary>
    public async Task WithCopyAsync(string copy, Func<LocalStore, Task> check)
    {
        string log = Path.Combine(copy, "changes", _store.ToString());
        LocalStore opened = LocalStore.Open(
            Path.Combine(copy, "store"), "the copy", Resources, create: false, NullLogger.Instance, _time);
        try
        {
            opened.EnableChangeLog(new ChangeLogPlace(log, _database, _store), Settings);
            await check(opened);
        }
        finally
        {
            await opened.DisposeAsync();
            System.IO.Directory.Delete(copy, recursive: true);
        }
    }

    public string LastFileIn(string copy) => System.IO.Directory
        .GetFiles(Path.Combine(copy, "changes", _store.ToString()), "*.log").Order(StringComparer.Ordinal).Last();

    public List<Change> Read(ChangeStart? start = null, bool acrossDamage = false, long pageBytes = 1 << 20) =>
        Read(Log, start, acrossDamage, pageBytes);

    public static List<Change> Read(
        ChangeLog log, ChangeStart? start = null, bool acrossDamage = false, long pageBytes = 1 << 20)
    {
        List<Change> entries = [];
        using ChangeReader reader = log.OpenReader(start ?? ChangeStart.First, acrossDamage);
        while (reader.ReadPage(pageBytes, entries) > 0)
        {
        }

        return entries;
    }

    /// <summary>An entry as text: "1 put a=1", or "1-2 gap LostTail".</summary>
    public static string Show(Change change) => change.Kind == ChangeKind.Gap
        ? $"{change.First}-{change.Last} gap {change.Gap}"
        : $"{change.First} " + string.Join(", ", change.Operations.Select(Show));

    public static string[] Show(IEnumerable<Change> changes) => [.. changes.Select(Show)];

    public static string Show(ChangeOperation operation)
    {
        string family = operation.ColumnFamily == "default" ? "" : operation.ColumnFamily + ":";
        string key = family + TestStore.Text(operation.Key);
        return operation.Kind switch
        {
            ChangeOperationKind.Put => $"put {key}={TestStore.Text(operation.Value)}",
            ChangeOperationKind.Delete => $"delete {key}",
            ChangeOperationKind.DeleteRange => $"delete-range {key} {TestStore.Text(operation.Value)}",
            _ => $"merge {key}={TestStore.Text(operation.Value)}",
        };
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        Resources.Dispose();
        System.IO.Directory.Delete(Root, recursive: true);
    }

    private static void CopyTree(string from, string to)
    {
        foreach (string directory in System.IO.Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            System.IO.Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        }

        foreach (string file in System.IO.Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "LOCK"))
        {
            using FileStream input = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using FileStream output = new(Path.Combine(to, Path.GetRelativePath(from, file)), FileMode.Create);
            input.CopyTo(output);
        }
    }
}
