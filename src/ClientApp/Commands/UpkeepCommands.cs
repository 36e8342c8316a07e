using System.CommandLine;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>compact</c> and <c>flush</c>.</summary>
internal static class UpkeepCommands
{
    public static IEnumerable<Command> Create(CommandHost host) => [Compact(host), Flush(host)];

    private static ExampledCommand Compact(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        var range = new RangeOptions();
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        return new ExampledCommand(
            host,
            "compact",
            "Rewrite table files without what was deleted. May take long.",
            ["branching compact shop", "branching compact shop --branch topic --prefix user/"],
            [database, branch, family, .. range.All, hex, base64],
            (invocation, cancellationToken) => RunAsync(
                invocation,
                "compacted",
                branch,
                store => store.CompactAsync(
                    range.Parse(invocation.Parsed, ByteText.NotationOf(invocation.Parsed, hex, base64)),
                    invocation.Parsed.GetValue(family),
                    cancellationToken),
                cancellationToken));
    }

    private static ExampledCommand Flush(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            "flush",
            "Write what is in memory to table files; every earlier write is durable then, buffered ones too.",
            ["branching flush shop", "branching flush shop --branch topic"],
            [database, branch],
            (invocation, cancellationToken) => RunAsync(
                invocation, "flushed", branch, store => store.FlushAsync(cancellationToken), cancellationToken));
    }

    private static async Task<int> RunAsync(
        Invocation invocation,
        string done,
        Option<string> branch,
        Func<IStoreGrain, ValueTask> work,
        CancellationToken cancellationToken)
    {
        string name = invocation.Parsed.GetValue(branch)!;
        await using ISession session = await invocation.ConnectAsync(cancellationToken);
        long started = invocation.Host.Time.GetTimestamp();
        await work(Invocation.Store(session, invocation.Database!, name));
        TimeSpan elapsed = invocation.Host.Time.GetElapsedTime(started);
        if (invocation.Json)
        {
            invocation.WriteJson(new JsonObject
            {
                [done] = name,
                ["elapsedMs"] = Math.Round(elapsed.TotalMilliseconds, 3),
            });
        }
        else
        {
            invocation.Note(
                $"{done} branch {name} of database {invocation.Database} in {Screen.Duration(elapsed)}");
        }

        return ExitCode.Ok;
    }
}
