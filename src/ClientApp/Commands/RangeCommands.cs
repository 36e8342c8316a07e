using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Branching.ClientApp.Terminal;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary><c>size</c> and <c>clear</c>.</summary>
internal static class RangeCommands
{
    public static IEnumerable<Command> Create(CommandHost host) => [Size(host), Clear(host)];

    private static ExampledCommand Size(CommandHost host)
    {
        var where = new RangeSymbols();
        return new ExampledCommand(
            host,
            "size",
            "Show about how many bytes a range of keys takes on the disk. Deleted data count until they are compacted.",
            ["branching size shop", "branching size shop --branch topic --prefix user/"],
            where.All,
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                var request = new MeasureRequest(where.RangeOf(parsed), where.FamilyOf(parsed));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                long bytes = await Invocation.Store(session, invocation.Database!, where.BranchOf(parsed))
                    .MeasureAsync(request, cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonObject { ["bytes"] = bytes });
                }
                else
                {
                    await host.Out.WriteLineAsync(bytes.ToString(CultureInfo.InvariantCulture));
                }

                return ExitCode.Ok;
            });
    }

    private static ExampledCommand Clear(CommandHost host)
    {
        var where = new RangeSymbols();
        Option<bool> yes = CommonSymbols.Yes();
        return new ExampledCommand(
            host,
            "clear",
            "Remove every key of a range, or of a whole column family.",
            [
                "branching clear shop --branch topic --prefix user/ --yes",
                "branching clear shop --column-family sessions --yes",
            ],
            [.. where.All, yes],
            async (invocation, cancellationToken) =>
            {
                ParseResult parsed = invocation.Parsed;
                KeyRange range = where.RangeOf(parsed);
                string branch = where.BranchOf(parsed);
                string? family = where.FamilyOf(parsed);
                string what = range.From.IsEmpty && range.To.IsEmpty ? "every key" : "every key of the range";
                string place = family is null ? "" : $" from column family {family}";
                CommonSymbols.Confirm(
                    invocation,
                    parsed.GetValue(yes),
                    $"Remove {what}{place} of branch {branch} of database {invocation.Database}, for good?",
                    invocation.Again("--yes"));
                await using ISession session = await invocation.ConnectAsync(cancellationToken);
                ClearResponse cleared = await Invocation.Store(session, invocation.Database!, branch)
                    .ClearAsync(new ClearRequest(range, family), cancellationToken);
                if (invocation.Json)
                {
                    invocation.WriteJson(new JsonObject { ["removed"] = cleared.Removed });
                }
                else
                {
                    await host.Out.WriteLineAsync($"removed {Screen.Count(cleared.Removed, "key")}");
                }

                return ExitCode.Ok;
            });
    }

    /// <summary>Where a range is, and which keys it has.</summary>
    private sealed class RangeSymbols
    {
        private readonly Argument<string?> _database = CommonSymbols.Database();
        private readonly Option<string> _branch = CommonSymbols.Branch();
        private readonly Option<string?> _family = CommonSymbols.ColumnFamily();
        private readonly RangeOptions _range = new();
        private readonly Option<bool> _hex = CommonSymbols.Hex();
        private readonly Option<bool> _base64 = CommonSymbols.Base64();

        public IReadOnlyList<Symbol> All => [_database, _branch, _family, .. _range.All, _hex, _base64];

        public string BranchOf(ParseResult parsed) => parsed.GetValue(_branch)!;

        public string? FamilyOf(ParseResult parsed) => parsed.GetValue(_family);

        public KeyRange RangeOf(ParseResult parsed)
            => _range.Parse(parsed, ByteText.NotationOf(parsed, _hex, _base64));
    }
}
