using System.Text.Json.Nodes;
using Branching.ClientApp.Commands;
using Branching.ClientApp.Terminal;

namespace Branching.ClientApp.Demo;

/// <summary>What the demo says while it runs, and what it found wrong.</summary>
internal sealed class DemoReport(Invocation invocation)
{
    private const int DifferencesShown = 5;

    private readonly CommandHost _host = invocation.Host;
    private string _part = "";

    /// <summary>What is not as it should be, each in a line; the demo is good when there is none.</summary>
    public List<string> Problems { get; } = [];

    /// <summary>How long each step took, in milliseconds.</summary>
    public JsonObject ElapsedMs { get; } = [];

    /// <summary>A line for people.</summary>
    public void Say(string text)
    {
        if (!invocation.Json)
        {
            _host.Out.WriteLine(text);
            _host.Out.Flush();
        }
    }

    /// <summary>Begins another part; the names of its steps are told apart by it.</summary>
    public void Begin(string part)
    {
        _part = $"{part}: ";
        Say($"-- {part} --");
    }

    /// <summary>Runs a step and says how long it took.</summary>
    public async Task<T> StepAsync<T>(string name, Func<Task<T>> step)
    {
        long started = _host.Time.GetTimestamp();
        T result = await step();
        TimeSpan elapsed = _host.Time.GetElapsedTime(started);
        ElapsedMs[_part + name] = Math.Round(elapsed.TotalMilliseconds, 1);
        Say($"{Screen.Duration(elapsed),10}  {name}");
        return result;
    }

    /// <inheritdoc cref="StepAsync{T}(string, Func{Task{T}})"/>
    public Task StepAsync(string name, Func<Task> step) => StepAsync(name, async () =>
    {
        await step();
        return 0;
    });

    /// <summary>Remembers differences of a branch.</summary>
    public void Tell(string branch, List<Difference> differences)
    {
        foreach (Difference difference in differences.Take(DifferencesShown))
        {
            Problems.Add(
                $"{branch}: key '{ByteText.ToLine(difference.Key)}' should have {Shown(difference.Expected)} "
                + $"and has {Shown(difference.Actual)}");
        }

        if (differences.Count > DifferencesShown)
        {
            Problems.Add($"{branch}: {Screen.Number(differences.Count - DifferencesShown)} more differences");
        }
    }

    private static string Shown(byte[]? value)
        => value is null ? "no value" : $"'{ByteText.ToLine(value.AsSpan(0, Math.Min(value.Length, 60)))}'";
}
