using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Branching.ClientApp.Formats;
using Branching.ClientApp.Terminal;
using Branching.Grains;
using Branching.Silo;

namespace Branching.ClientApp;

/// <summary>One run of one command: what was asked, where to, and how to answer.</summary>
internal sealed class Invocation(CommandHost host, ParseResult parsed)
{
    private static readonly JsonSerializerOptions _indented = new(JsonSerializerOptions.Default)
    {
        Encoder = RecordJson.WriterOptions.Encoder,
        WriteIndented = true,
    };

    private static readonly JsonSerializerOptions _oneLine = new(_indented) { WriteIndented = false };

    private readonly GlobalOptions _globals = GlobalOptions.Of(parsed);

    public CommandHost Host { get; } = host;

    public ParseResult Parsed { get; } = parsed;

    public bool Json => Parsed.GetValue(_globals.Json);

    public bool Quiet => Parsed.GetValue(_globals.Quiet);

    /// <summary>The database that the command names, for hints; null when it names none.</summary>
    public string? Database { get; set; }

    /// <summary>Whether the user named a data directory.</summary>
    public bool DataIsExplicit => Parsed.GetResult(_globals.Data) is { Implicit: false };

    public SessionTarget Target => new(
        Parsed.GetValue(_globals.Data)
            ?? (Host.Variable(GlobalOptions.DataVariable) is { Length: > 0 } variable
                ? variable
                : GlobalOptions.DefaultDataRoot),
        Parsed.GetValue(_globals.Cluster),
        Parsed.GetValue(_globals.SharedStorage)
            ?? Setting(GlobalOptions.SharedStorageVariable, Sessions.SharedStorageDirectory),
        Parsed.GetValue(_globals.Backups) ?? Setting(GlobalOptions.BackupsVariable, Sessions.BackupsDirectory));

    public Screen Screen => field ??= new Screen(Host);

    /// <summary>This command line, with more words at its end.</summary>
    public string Again(params IEnumerable<string> more) => Host.Wording is { } wording
        ? wording.Again([.. more])
        : string.Join(' ', Extend(["branching", .. Parsed.Tokens.Select(token => token.Value)], more).Select(Quote));

    /// <summary>What shows this command with its options.</summary>
    public string Help()
    {
        IReadOnlyList<string> path = CommandLine.PathOf(Parsed.CommandResult);
        return Host.Wording is { } wording
            ? wording.Help(path)
            : string.Join(' ', ["branching", .. path, "--help"]);
    }

    /// <summary>Words with more at their end, but before a <c>--</c>: behind that nothing is an option.</summary>
    public static IEnumerable<string> Extend(IReadOnlyCollection<string> words, IEnumerable<string> more)
        => [.. words.TakeWhile(word => word != "--"), .. more, .. words.SkipWhile(word => word != "--")];

    /// <summary>A command line that works here: the same data directory or cluster as this one.</summary>
    public string Command(params IEnumerable<string> words)
    {
        if (Host.Wording is { } wording)
        {
            return wording.Command([.. words]);
        }

        List<string> place = [];
        if (Target.Cluster is { } cluster)
        {
            place.AddRange([GlobalOptions.ClusterName, cluster]);
        }
        else
        {
            place.AddRange(DataIsExplicit ? [GlobalOptions.DataName, Target.DataRoot] : []);
            place.AddRange(Parsed.GetResult(_globals.SharedStorage) is { Implicit: false }
                ? [GlobalOptions.SharedStorageName, Target.SharedStorage!]
                : []);
            place.AddRange(Parsed.GetResult(_globals.Backups) is { Implicit: false }
                ? [GlobalOptions.BackupsName, Target.Backups!]
                : []);
        }

        return string.Join(' ', Extend(["branching", .. words], place).Select(Quote));
    }

    /// <summary>
    /// Opens the way to the grains. Without shared storage a data directory is created only by commands that create
    /// something; with it the databases are there, wherever this node keeps its copies.
    /// </summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="creates">Whether the command creates something.</param>
    /// <param name="looks">Whether it only lists something, or says what it would do.</param>
    public Task<ISession> ConnectAsync(CancellationToken cancellationToken, bool creates = false, bool looks = false)
    {
        SessionTarget target = Target with { LooksOnly = looks };
        if (target.Cluster is null && File.Exists(target.DataRoot))
        {
            throw new UserError(
                ExitCode.Usage,
                $"'{target.DataRoot}' is a file, not a data directory",
                "name a directory with --data DIR");
        }

        if (!creates && !target.MayHoldDatabases)
        {
            throw new UserError(
                ExitCode.NotFound,
                $"there is no data directory at '{target.DataRoot}'",
                Command("create", Database ?? "NAME"),
                "DataRootNotFound");
        }

        return Host.Connect(target with { Settings = NodeSettingsGiven(), Note = Note }, cancellationToken);
    }

    /// <summary>
    /// Opens the way to the snapshots. Without shared storage there are none, and that is said at once.
    /// </summary>
    public Task<ISession> ConnectToSnapshotsAsync(CancellationToken cancellationToken, bool looks = false)
        => Target is { Cluster: null, SharedStorage: null }
            ? throw new UserError(
                ExitCode.Failed,
                "there is no shared storage, so there are no snapshots",
                $"name a directory for them: {Elsewhere(GlobalOptions.SharedStorageName)}",
                nameof(FailureKind.NotSupported))
            : ConnectAsync(cancellationToken, looks: looks);

    /// <summary>Opens the way to the backups. Without a directory there are none, and that is said at once.</summary>
    public Task<ISession> ConnectToBackupsAsync(CancellationToken cancellationToken)
        => Target is { Cluster: null, Backups: null }
            ? throw new UserError(
                ExitCode.Failed,
                "there is no directory of backups",
                $"name one: {Elsewhere(GlobalOptions.BackupsName)}",
                nameof(FailureKind.NotSupported))
            : ConnectAsync(cancellationToken);

    /// <summary>The store of a branch; the main store is reached through its database.</summary>
    public static IStoreGrain Store(ISession session, string database, string branch)
        => branch == BranchKey.Main
            ? session.Grains.GetDatabase(database)
            : session.Grains.GetBranch(database, branch);

    /// <summary>Answers one JSON value on its own lines.</summary>
    public void WriteJson(JsonNode? value) => Host.Out.WriteLine(value?.ToJsonString(_indented) ?? "null");

    /// <summary>A note for people, beside the answer.</summary>
    public void Note(string text)
    {
        if (!Quiet && !Json)
        {
            Host.Error.WriteLine(text);
        }
    }

    /// <summary>Says what went wrong and what to do.</summary>
    public int Report(UserError error)
    {
        Host.Out.Flush();
        if (Json)
        {
            var json = new JsonObject
            {
                ["error"] = new JsonObject
                {
                    ["kind"] = error.Kind,
                    ["message"] = error.Message,
                    ["hint"] = error.Hint,
                    ["exitCode"] = error.ExitCode,
                },
            };
            Host.Error.WriteLine(json.ToJsonString(_oneLine));
            return error.ExitCode;
        }

        Host.Error.WriteLine($"error: {error.Message}");
        if (error.Hint is not null)
        {
            Host.Error.WriteLine($"hint: {error.Hint}");
        }

        return error.ExitCode;
    }

    private string Elsewhere(string option) => Host.Wording is { } wording
        ? wording.Elsewhere(option)
        : Again(option, "DIR");

    /// <summary>Settings of an embedded node: those of the environment, under those of the command line.</summary>
    private Dictionary<string, string?> NodeSettingsGiven()
    {
        Dictionary<string, string?> settings =
            new(NodeSettings.Read(Host.Variables()), StringComparer.OrdinalIgnoreCase);
        foreach ((string key, string value) in GlobalOptions.SettingsOf(Parsed))
        {
            settings[key] = value;
        }

        return settings;
    }

    private string? Setting(string variable, string key)
        => Host.Variable(variable) is { Length: > 0 } given ? given : NodeSettings.TryFind(Host.Variables(), key);

    private static string Quote(string word)
        => word.Length > 0 && word.All(
            c => char.IsAsciiLetterOrDigit(c) || "-_./:=,@+".Contains(c, StringComparison.Ordinal))
            ? word
            : "'" + word.Replace("'", @"'\''", StringComparison.Ordinal) + "'";
}
