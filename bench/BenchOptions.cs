using System.Globalization;

namespace Branching.Bench;

/// <summary>What the command line asked for.</summary>
internal sealed class BenchOptions
{
    public const int KeyBytes = 16;
    public const int ValueBytes = 100;

    public const string Usage = """
        usage: ./dev bench [ROW ...] [--quick] [--records N] [--runs R] [--seconds S] [--sizes MB,MB,...]
                           [--branches N] [--rounds N] [--set KEY=VALUE] [--rocksdb-js PLACE] [--only TEXT]
                           [--dir DIRECTORY]

        rows (default: all)
          binding   the RocksDB binding beside db_bench
          store     the local store with its writer loop beside db_bench
          engine    each operation of one store beside @harperfast/rocksdb-js on Node and db_bench
          branch    create a branch until its first acknowledged put and get, with writes to the parent
          import    the command line's import as a process of its own
          snapshot  what a snapshot sends, what it does to writers, how long a restore takes
          grain     get and put through grains in one process
          failover  kill -9 of the owner among three processes until its database answers again (needs Orleans)

        --quick     100,000 records, 3 runs, sizes of 10 and 100 MB: shows that everything runs
        --records   records loaded and written (default 1,000,000)
        --runs      runs of each measurement (default 5)
        --seconds   length of each run of synced writes (default 3)
        --sizes     sizes of the parent in the branch row, in MB (default 10,100,1000); snapshot: the last
        --branches  branches created per size (default 50)
        --rounds    kills of the failover row (default 20)
        --set       a setting for the nodes of the failover row, as in Branching:Membership:Votes=2; repeatable
        --rocksdb-js
                    what npm installs as the peer of the engine row, for example a folder in which the package was
                    built (default: the registry's newest version)
        --only      only measurements whose name contains the text, for example "scan" (binding, store, engine)
        --dir       where the temporary data goes (default: a new directory in the system's temporary folder);
                    a new directory is made in it and removed at the end
        """;

    public List<string> Rows { get; } = [];

    public int Records { get; private set; } = 1_000_000;

    public int Runs { get; private set; } = 5;

    public int Seconds { get; private set; } = 3;

    public int Branches { get; private set; } = 50;

    public int Rounds { get; private set; } = 20;

    /// <summary>Settings of the nodes of the failover row.</summary>
    public List<string> NodeSettings { get; } = [];

    public int[] SizesMegabytes { get; private set; } = [10, 100, 1000];

    /// <summary>What npm installs as the peer of the engine row.</summary>
    public string NodePackage { get; private set; } = NodePeer.Package;

    public string Only { get; private set; } = "";

    public string ParentDirectory { get; private set; } = Path.GetTempPath();

    /// <summary>The command line that repeats this run.</summary>
    public string Command { get; private set; } = "";

    public static BenchOptions? Parse(string[] arguments, out string? error)
    {
        BenchOptions options = new() { Command = "./dev bench " + string.Join(' ', arguments) };
        Queue<string> rest = new(arguments);
        error = null;
        if (arguments.Contains("--quick", StringComparer.Ordinal))
        {
            options.Records = 100_000;
            options.Runs = 3;
            options.Seconds = 1;
            options.Branches = 20;
            options.Rounds = 3;
            options.SizesMegabytes = [10, 100];
        }

        while (error is null && rest.TryDequeue(out string? argument))
        {
            error = options.Take(argument, rest);
        }

        return error is null ? options : null;
    }

    public bool Includes(string row) => Rows.Count == 0 || Rows.Contains(row, StringComparer.Ordinal);

    private string? Take(string argument, Queue<string> rest)
    {
        switch (argument)
        {
            case "--quick":
                return null;
            case "--records":
                return Number(argument, rest, value => Records = value);
            case "--runs":
                return Number(argument, rest, value => Runs = value);
            case "--seconds":
                return Number(argument, rest, value => Seconds = value);
            case "--branches":
                return Number(argument, rest, value => Branches = value);
            case "--rounds":
                return Number(argument, rest, value => Rounds = value);
            case "--set":
                return Text(argument, rest, NodeSettings.Add);
            case "--sizes":
                return Sizes(rest);
            case "--rocksdb-js":
                return Text(argument, rest, value => NodePackage = value);
            case "--only":
                return Text(argument, rest, value => Only = value);
            case "--dir":
                return Text(argument, rest, value => ParentDirectory = Path.GetFullPath(value));
            case "binding" or "store" or "engine" or "branch" or "import" or "snapshot" or "grain" or "failover":
                Rows.Add(argument);
                return null;
            default:
                return $"unknown argument '{argument}'";
        }
    }

    private string? Sizes(Queue<string> rest)
    {
        if (!rest.TryDequeue(out string? text))
        {
            return "--sizes needs a value";
        }

        List<int> sizes = [];
        foreach (string part in text.Split(','))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int size) || size < 1)
            {
                return $"--sizes needs whole numbers of megabytes, not '{text}'";
            }

            sizes.Add(size);
        }

        SizesMegabytes = [.. sizes];
        return null;
    }

    private static string? Number(string name, Queue<string> rest, Action<int> assign)
    {
        if (rest.TryDequeue(out string? text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value > 0)
        {
            assign(value);
            return null;
        }

        return $"{name} needs a whole number above zero";
    }

    private static string? Text(string name, Queue<string> rest, Action<string> assign)
    {
        if (rest.TryDequeue(out string? text))
        {
            assign(text);
            return null;
        }

        return $"{name} needs a value";
    }
}
