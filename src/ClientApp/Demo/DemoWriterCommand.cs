using System.CommandLine;
using System.Globalization;
using Branching.ClientApp.Commands;
using Branching.Grains;

namespace Branching.ClientApp.Demo;

/// <summary>
/// <c>demo-writer</c>: the process that <c>demo</c> kills. It writes until then and prints each write's number after it
/// was
/// acknowledged as durable.
/// </summary>
internal static class DemoWriterCommand
{
    public const string Name = "demo-writer";

    /// <summary>Writes under way at the same time.</summary>
    public const int Writers = 8;

    // Nobody kills it when its parent died first.
    private static readonly TimeSpan _atMost = TimeSpan.FromSeconds(60);

    public static Command Create(CommandHost host)
    {
        Argument<string?> database = CommonSymbols.Database();
        Option<string> branch = CommonSymbols.Branch();
        return new ExampledCommand(
            host,
            Name,
            "The process that demo kills.",
            ["branching demo"],
            [database, branch],
            async (invocation, cancellationToken) =>
            {
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                stop.CancelAfter(_atMost);
                await using ISession session = await invocation.ConnectAsync(stop.Token);
                IStoreGrain store = Invocation.Store(
                    session, invocation.Database!, invocation.Parsed.GetValue(branch)!);
                List<byte[]> keys = [];
                var everything = new StreamRequest(KeyRange.All, KeysOnly: true);
                await foreach (IReadOnlyList<Entry> page in store.StreamAsync(everything, stop.Token))
                {
                    keys.AddRange(page.Select(entry => entry.Key.ToArray()));
                }

                await new Writing(host, store, new CrashPlan(keys)).RunAsync(stop.Token);
                return ExitCode.Ok;
            })
        {
            Hidden = true,
        };
    }

    private sealed class Writing(CommandHost host, IStoreGrain store, CrashPlan plan)
    {
        private readonly Lock _output = new();
        private int _next = -1;

        public Task RunAsync(CancellationToken cancellationToken)
            => Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => WriteAsync(cancellationToken)));

        private async Task WriteAsync(CancellationToken cancellationToken)
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                int index = Interlocked.Increment(ref _next);
                WriteOperation[] operation = [plan[index]];
                await store.WriteAsync(new WriteRequest(operation), cancellationToken);
                lock (_output)
                {
                    host.Out.WriteLine(index.ToString(CultureInfo.InvariantCulture));
                    host.Out.Flush();
                }
            }
        }
    }
}
