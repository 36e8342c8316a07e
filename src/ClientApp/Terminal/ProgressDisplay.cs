using System.Globalization;
using Spectre.Console;

namespace Branching.ClientApp.Terminal;

/// <summary>How far long work is.</summary>
/// <param name="Title">What is being done now.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">The units that make it whole; 0 while that is unknown.</param>
/// <param name="Rate">What was done and how fast, for people.</param>
internal readonly record struct ProgressPoint(string Title, long Done, long Total, string Rate);

/// <summary>
/// Shows how far long work is, on standard error: a bar with the rate on a terminal, a line every few seconds
/// elsewhere.
/// </summary>
internal sealed class ProgressDisplay(Invocation invocation)
{
    private static readonly TimeSpan _lineEvery = TimeSpan.FromSeconds(5);

    /// <summary>Runs work that counts records.</summary>
    /// <param name="title">What is being done.</param>
    /// <param name="total">The units that make it whole; 0 when that is unknown.</param>
    /// <param name="work">The work; it calls its argument with the units and the records done.</param>
    public Task<T> RunAsync<T>(string title, long total, Func<Action<long, long>, Task<T>> work)
    {
        TimeProvider time = invocation.Host.Time;
        long started = time.GetTimestamp();
        return RunAsync(title, report => work((done, records) =>
            report(new ProgressPoint(title, done, total, Rate(records, time.GetElapsedTime(started))))));
    }

    /// <summary>Runs work that says itself how far it is.</summary>
    /// <param name="title">What is being done, until the work says otherwise.</param>
    /// <param name="work">The work; it calls its argument as often as it likes.</param>
    public async Task<T> RunAsync<T>(string title, Func<Action<ProgressPoint>, Task<T>> work)
    {
        if (invocation.Quiet)
        {
            return await work(_ => { });
        }

        return invocation.Host.ErrorIsTerminal ? await DrawAsync(title, work) : await work(Lines());
    }

    private Action<ProgressPoint> Lines()
    {
        TimeProvider time = invocation.Host.Time;
        long last = time.GetTimestamp();
        return point =>
        {
            if (time.GetElapsedTime(last) < _lineEvery)
            {
                return;
            }

            last = time.GetTimestamp();
            string share = point.Total > 0 ? string.Create(
                CultureInfo.InvariantCulture, $"{100.0 * point.Done / point.Total:0} %, ") : "";
            invocation.Host.Error.WriteLine($"{point.Title}: {share}{point.Rate}");
        };
    }

    private async Task<T> DrawAsync<T>(string title, Func<Action<ProgressPoint>, Task<T>> work)
    {
        T result = default!;
        await Screen.Open(invocation.Host.Error, isTerminal: true).Progress()
            .AutoClear(true)
            .Columns(new SpinnerColumn(), new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .StartAsync(async context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: 1);
                task.IsIndeterminate = true;
                result = await work(point =>
                {
                    task.IsIndeterminate = point.Total == 0;
                    task.MaxValue = Math.Max(point.Total, 1);
                    task.Value = point.Done;
                    task.Description = Markup.Escape(
                        point.Rate.Length == 0 ? point.Title : $"{point.Title}: {point.Rate}");
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
