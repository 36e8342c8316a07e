using System.Globalization;
using System.Text;
using Branching.Storage.Changes;
using Branching.Storage.Tests.Branches;
using Branching.Storage.Tests.Changes;

namespace Branching.Storage.Tests.Scripts;

/// <summary>One database with its branches, driven by lines of text.</summary>
/// <remarks>
/// <code>
/// put BRANCH KEY VALUE                    get BRANCH KEY              delete BRANCH KEY
/// delete-range BRANCH FROM TO             count BRANCH [RANGE]
/// scan BRANCH [RANGE] [reverse] [limit=N] where RANGE is [from=K|after=K] [to=K|before=K] or [prefix=P]
/// branch NAME [from PARENT] [as OPERATION] [log=on|off]    delete-branch NAME
/// changes BRANCH [from=N|of=CONSUMER]     changes-on BRANCH           changes-off BRANCH
/// consumer BRANCH NAME                    ack BRANCH NAME N
/// list    ancestors NAME    children NAME     flush BRANCH    reopen
/// </code>
/// <c>""</c> is the empty word, <c>x*128</c> a letter that many times, <c>\xNN</c> a byte. A refusal is answered with
/// its kind.
/// </remarks>
internal sealed class ScriptSession : IAsyncDisposable
{
    private readonly TemporaryRoot _files = new();
    private DataRoot _root = null!;
    private Database _database = null!;

    public static async Task<ScriptSession> StartAsync()
    {
        ScriptSession session = new();
        session._root = await session._files.OpenAsync();
        session._database = await session._root.CreateDatabaseAsync(TemporaryRoot.Shop, "script", default);
        return session;
    }

    public async ValueTask DisposeAsync()
    {
        await _root.DisposeAsync();
        _files.Dispose();
    }

    public async Task<IReadOnlyList<string>> RunAsync(string line)
    {
        string[] words = [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Unfold)];
        try
        {
            return await AnswerAsync(words[0], words[1..]);
        }
        catch (StorageException e)
        {
            return [$"refused: {e.Kind}"];
        }
    }

    private static string Unfold(string word) => word switch
    {
        "\"\"" => "",
        [var letter, '*', .. var times] when int.TryParse(times, CultureInfo.InvariantCulture, out int count) =>
            new string(letter, count),
        _ => word,
    };

    private static string Fold(string name) =>
        name.Length > 40 && name.All(c => c == name[0]) ? $"{name[0]}*{name.Length}" : name;

    private async Task<IReadOnlyList<string>> AnswerAsync(string command, string[] words) => (command, words) switch
    {
        ("put", [var branch, var key, var value]) =>
            [await WriteAsync(branch, WriteOperation.Put(Bytes(key), Bytes(value)))],
        ("delete", [var branch, var key]) => [await WriteAsync(branch, WriteOperation.Delete(Bytes(key)))],
        ("delete-range", [var branch, var from, var to]) =>
            [await WriteAsync(branch, WriteOperation.DeleteRange(Bytes(from), Bytes(to)))],
        ("get", [var branch, var key]) => [await InsideAsync(branch, store => Get(store, key))],
        ("scan", [var branch, .. var how]) => await InsideAsync(branch, store => Scan(store, how)),
        ("count", [var branch, .. var how]) =>
            [await InsideAsync(branch, store => $"{store.Count(null, Range(how), CancellationToken.None)}")],
        ("flush", [var branch]) => [await InsideAsync(branch, Flush)],
        ("branch", [var name, .. var how]) => [await BranchAsync(name, how)],
        ("delete-branch", [var name]) => [Show(await _database.DeleteBranchAsync(BranchName.Parse(name), default))],
        ("list", []) => [.. _database.ListBranches().Select(Show)],
        ("ancestors", [var name]) => OrNone(_database.GetAncestors(BranchName.Parse(name)).Select(Show)),
        ("children", [var name]) => OrNone(_database.GetChildren(BranchName.Parse(name)).Select(Show)),
        ("changes", [var branch, .. var how]) => await InsideAsync(branch, store => Changes(store, how)),
        ("changes-on", [var branch]) => [await SwitchAsync(branch, on: true)],
        ("changes-off", [var branch]) => [await SwitchAsync(branch, on: false)],
        ("consumer", [var branch, var name]) => [await InsideAsync(branch, store => Show(
            store.Changes.CreateConsumer(name, ChangeStart.First).Consumer))],
        ("ack", [var branch, var name, var sequence]) => [await InsideAsync(branch, store => Show(
            store.Changes.Acknowledge(name, new Sequence(ulong.Parse(sequence, CultureInfo.InvariantCulture)))))],
        ("reopen", []) => [await ReopenAsync()],
        _ => throw new FormatException($"'{command} {string.Join(' ', words)}' is not a command of scripts."),
    };

    private async Task<T> InsideAsync<T>(string branch, Func<LocalStore, T> read)
    {
        using StoreLease lease = await _database.AcquireAsync(BranchName.Parse(branch), default);
        return read(lease.Store);
    }

    private async Task<string> WriteAsync(string branch, WriteOperation operation)
    {
        using StoreLease lease = await _database.AcquireAsync(BranchName.Parse(branch), default);
        WriteResult result = await lease.Store.WriteAsync(new WriteRequest([operation]), default);
        return $"at {result.Sequence.Value}";
    }

    private async Task<string> BranchAsync(string name, string[] how)
    {
        string? Option(string word) => Array.IndexOf(how, word) is >= 0 and int at ? how[at + 1] : null;
        return Show(await _database.CreateBranchAsync(
            new CreateBranch(
                BranchName.Parse(name), BranchName.Parse(Option("from") ?? "main"), "script", null, Option("as"), null,
                Value(how, "log=") is { } log ? log == "on" : null),
            default));
    }

    private async Task<string> SwitchAsync(string branch, bool on)
    {
        await (on
            ? _database.EnableChangeLogAsync(BranchName.Parse(branch), ChangeLogSettings.Default, default)
            : _database.DisableChangeLogAsync(BranchName.Parse(branch), default));
        return on ? "on" : "off";
    }

    private static string Show(ChangeConsumer consumer) => $"{consumer.Name} at {consumer.Acknowledged}";

    private static string[] Changes(LocalStore store, string[] how)
    {
        ChangeStart start = Value(how, "of=") is { } consumer
            ? ChangeStart.OfConsumer(consumer)
            : Value(how, "from=") is { } from
                ? ChangeStart.At(new Sequence(ulong.Parse(from, CultureInfo.InvariantCulture)))
                : ChangeStart.First;
        return OrNone(LoggedStore.Show(LoggedStore.Read(store.Changes, start)));
    }

    private async Task<string> ReopenAsync()
    {
        await _root.DisposeAsync();
        _root = await _files.OpenAsync();
        _database = await _root.GetDatabaseAsync(TemporaryRoot.Shop, default);
        return _root.Reconciliation.IsClean ? "clean" : string.Join(' ', _root.Reconciliation.Findings);
    }

    private static string Flush(LocalStore store)
    {
        store.Flush();
        return "flushed";
    }

    private static string Get(LocalStore store, string key)
    {
        System.Buffers.ArrayBufferWriter<byte> value = new();
        return store.TryGet(null, Bytes(key), value) ? Text(value.WrittenSpan) : "(absent)";
    }

    private static string[] Scan(LocalStore store, string[] how)
    {
        int limit = Value(how, "limit=") is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : 1000;
        ScanPage page = store.Scan(new ScanRequest(null, Range(how), how.Contains("reverse"), limit, 1 << 20));
        IEnumerable<string> entries = page.Entries.Select(e => $"{Text(e.Key.Span)} = {Text(e.Value.Span)}");
        return OrNone(page.HasMore ? entries.Append("(more)") : entries);
    }

    private static KeyRange Range(string[] how)
    {
        if (Value(how, "prefix=") is { } prefix)
        {
            return KeyRange.Prefix(Bytes(prefix));
        }

        string? after = Value(how, "after="), to = Value(how, "to=");
        return new KeyRange(
            Bytes(after ?? Value(how, "from=") ?? ""), Bytes(to ?? Value(how, "before=") ?? ""),
            FromExclusive: after is not null, ToInclusive: to is not null);
    }

    private static string? Value(string[] how, string name) =>
        how.FirstOrDefault(word => word.StartsWith(name, StringComparison.Ordinal))?[name.Length..];

    private static string Show(BranchRecord branch) => branch.ParentName is { } parent
        ? $"{Fold(branch.Name.Value)} of {parent} at {branch.BranchSequence.Value}, depth {branch.Depth}"
            + (branch.State == BranchState.Ready ? "" : $", {branch.State}")
        : $"{branch.Name}";

    private static string[] OrNone(IEnumerable<string> lines) => [.. lines.DefaultIfEmpty("(none)")];

    private static byte[] Bytes(string word)
    {
        List<byte> bytes = [];
        for (int i = 0; i < word.Length; i++)
        {
            if (word[i] == '\\' && i + 3 < word.Length && word[i + 1] == 'x')
            {
                bytes.Add(byte.Parse(word.AsSpan(i + 2, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                i += 3;
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(word[i].ToString()));
            }
        }

        return [.. bytes];
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new();
        foreach (byte b in bytes)
        {
            _ = b is > 0x20 and < 0x7F ? text.Append((char)b) : text.Append(CultureInfo.InvariantCulture, $"\\x{b:X2}");
        }

        return text.Length == 0 ? "\"\"" : text.ToString();
    }
}
