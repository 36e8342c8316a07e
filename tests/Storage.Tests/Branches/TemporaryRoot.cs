using System.Text;
using Branching.Storage.Snapshots;

namespace Branching.Storage.Tests.Branches;

/// <summary>A data root in a directory of its own, and what tests do with it in one line.</summary>
internal sealed class TemporaryRoot(string? existing = null) : IDisposable
{
    public static readonly DatabaseName Shop = DatabaseName.Parse("shop");

    public string Path { get; } = existing ?? Directory.CreateTempSubdirectory("branching-root-").FullName;

    public StorageOptions Options => OptionsFor(Path);

    public string DatabasePath => System.IO.Path.Combine(Path, "databases", Shop.Value);

    /// <summary>Copies a tree of files that nobody has open.</summary>
    public static void CopyTree(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(to + directory[from.Length..]);
        }

        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, to + file[from.Length..], overwrite: true);
        }
    }

    public static StorageOptions OptionsFor(string path) => new()
    {
        DataRoot = path,
        BlockCacheBytes = 8 << 20,
        MemtableBudgetBytes = 32 << 20,
        MemtableBytes = 1 << 20,
        WriteTimeout = TimeSpan.FromSeconds(20),
    };

    public Task<DataRoot> OpenAsync(Disk? disk = null) => DataRoot.OpenAsync(Options, disk ?? new Disk());

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class DatabaseShortcuts
{
    public static BranchName Name(string name) => BranchName.Parse(name);

    public static async Task PutAsync(this Database database, string branch, string key, string value)
    {
        using StoreLease lease = await database.AcquireAsync(Name(branch), default);
        await lease.Store.WriteAsync(Put(key, value), default);
    }

    public static WriteRequest Put(string key, string value) =>
        new([new WriteOperation(WriteKind.Put, null, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value))]);

    public static Task<BranchRecord> BranchAsync(
        this Database database, string name, string parent = "main", string? operation = null) =>
        database.CreateBranchAsync(new CreateBranch(Name(name), Name(parent), "tests", null, operation), default);

    public static Task<SnapshotResult> SnapshotAsync(this Database database, string branch) =>
        database.TakeSnapshotAsync(Name(branch), new TakeSnapshot(), null, default);

    /// <summary>As <see cref="SnapshotAsync"/>, and again when a busy machine renewed its lease late.</summary>
    public static Task<SnapshotResult> SnapshotOnceRenewedAsync(this Database database, string branch) =>
        OnceRenewedAsync(() => database.SnapshotAsync(branch));

    /// <summary>Everything a branch holds, as "key=value" joined by blanks.</summary>
    public static async Task<string> ReadAllAsync(this Database database, string branch)
    {
        using StoreLease lease = await database.AcquireAsync(Name(branch), default);
        ScanPage page = await OnceRenewedAsync(() => Task.FromResult(
            lease.Store.Scan(new ScanRequest(null, KeyRange.All, false, 100_000, 64 << 20))));
        Assert.False(page.HasMore);
        return string.Join(' ', page.Entries.Select(
            e => $"{Encoding.UTF8.GetString(e.Key.Span)}={Encoding.UTF8.GetString(e.Value.Span)}"));
    }

    public static async Task<FailureKind> KindOfAsync(Func<Task> action) =>
        (await Assert.ThrowsAsync<StorageException>(action)).Kind;

    // A busy machine renewed late; it goes on when that is made up for.
    private static async Task<T> OnceRenewedAsync<T>(Func<Task<T>> action)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await action();
            }
            catch (StorageException e) when (e.Kind == FailureKind.LeaseExpired && attempt < 50)
            {
                await Task.Delay(100);
            }
        }
    }
}
