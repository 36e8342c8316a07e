using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>count</c>.</summary>
internal static class CountCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        Option<string?> family = CommonSymbols.ColumnFamily();
        var range = new RangeOptions();
        Option<bool> estimate = new("--estimate")
        {
            Description = "About how many, at once; a range with few keys is counted all the same.",
        };
        Option<bool> hex = CommonSymbols.Hex();
        Option<bool> base64 = CommonSymbols.Base64();
        return new ExampledCommand(
            host,
            "count",
            "Count keys.",
            [
                "branching count shop",
                "branching count shop --branch topic --prefix user/",
                "branching count shop --estimate",
            ],
            [database, branch, family, .. range.All, estimate, hex, base64],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                var request = new CountRequest(
                    range.Parse(parsed, ByteText.NotationOf(parsed, hex, base64)),
                    parsed.GetValue(estimate),
                    parsed.GetValue(family));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                IStoreGrain grain = Invocation.Store(session, invocation.Database!, parsed.GetValue(branch)!);
                CountResponse counted = await RepeatedRead.RunAsync(
                    invocation, () => grain.CountAsync(request, cancellationToken), cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(
                        new JsonObject { ["count"] = counted.Count, ["isEstimate"] = counted.IsEstimate });
                }
                else
                {
                    await host.Out.WriteLineAsync(counted.Count.ToString(CultureInfo.InvariantCulture));
                }

                return ExitCode.Ok;
            });
    }
}
