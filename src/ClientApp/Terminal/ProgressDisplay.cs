using System.Globalization;
using Spectre.Console;

namespace Branching.ClientApp.Terminal;

/// <summary>
/// Shows how far long work is, on standard error: a bar with the rate on a terminal, a line every few seconds
/// elsewhere.
/// </summary>
internal sealed class ProgressDisplay(Invocation invocation)
{
    private static readonly TimeSpan _lineEvery = TimeSpan.FromSeconds(5);

    /// <summary>Runs work that reports its progress.</summary>
    /// <param name="title">What is being done.</param>
    /// <param name="total">The units that make it whole; 0 when that is unknown.</param>
    /// <param name="work">The work; it calls its argument with the units and the records done.</param>
    public async Task<T> RunAsync<T>(string title, long total, Func<Action<long, long>, Task<T>> work)
    {
        if (invocation.Quiet)
        {
            return await work((_, _) => { });
        }

        CommandHost host = invocation.Host;
        return host.ErrorIsTerminal ? await DrawAsync(title, total, work) : await work(Lines(title, total));
    }

    private Action<long, long> Lines(string title, long total)
    {
        TimeProvider time = invocation.Host.Time;
        long started = time.GetTimestamp();
        long last = started;
        return (done, records) =>
        {
            if (time.GetElapsedTime(last) < _lineEvery)
            {
                return;
            }

            last = time.GetTimestamp();
            string share = total > 0 ? string.Create(
                CultureInfo.InvariantCulture, $"{100.0 * done / total:0} %, ") : "";
            invocation.Host.Error.WriteLine($"{title}: {share}{Rate(records, time.GetElapsedTime(started))}");
        };
    }

    private async Task<T> DrawAsync<T>(string title, long total, Func<Action<long, long>, Task<T>> work)
    {
        TimeProvider time = invocation.Host.Time;
        long started = time.GetTimestamp();
        T result = default!;
        await Screen.Open(invocation.Host.Error, isTerminal: true).Progress()
            .AutoClear(true)
            .Columns(new SpinnerColumn(), new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .StartAsync(async context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: Math.Max(total, 1));
                task.IsIndeterminate = total == 0;
                result = await work((done, records) =>
                {
                    task.Value = done;
                    task.Description = Markup.Escape($"{title}: {Rate(records, time.GetElapsedTime(started))}");
                });
            });
        return result;
    }

    private static string Rate(long records, TimeSpan elapsed)
    {
        double perSecond = records / Math.Max(elapsed.TotalSeconds, 0.001);
        return $"{Screen.Number(records)} records, {Screen.Number((long)perSecond)}/s";
    }
}
