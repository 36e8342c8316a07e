using System.Diagnostics;

namespace Branching.RocksDb.Tests;

/// <summary>A process of its own that opens a database, writes one key, says so and waits for its end.</summary>
internal sealed class SecondProcess : IDisposable
{
    private const string Ready = "holding";
    private readonly Process _process;

    private SecondProcess(Process process) => _process = process;

    /// <summary>The entry of the process: <c>&lt;directory&gt;</c>.</summary>
    public static int Main(string[] args)
    {
        if (args is not [var directory])
        {
            Console.Error.WriteLine("This is the second process of a test. Run the tests with: dotnet test");
            return 2;
        }

        using RocksDatabase database = RocksDatabase.Open(directory, TestStore.Creating());
        database.Set("written-by", "the second process");
        Console.WriteLine(Ready);
        Console.In.ReadToEnd();
        return 0;
    }

    public static SecondProcess Hold(string directory)
    {
        string program = Path.ChangeExtension(
            typeof(SecondProcess).Assembly.Location, OperatingSystem.IsWindows() ? "exe" : null)!;
        Process process = Process.Start(new ProcessStartInfo(program, [directory])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        SecondProcess second = new(process);
        Task<string?> first = process.StandardOutput.ReadLineAsync();
        if (!first.Wait(TestStore.Deadline))
        {
            process.Kill();
            throw new TimeoutException("The second process said nothing.");
        }

        string? line = first.GetAwaiter().GetResult();
        if (line != Ready)
        {
            string reason = process.StandardError.ReadToEnd();
            second.Dispose();
            throw new InvalidOperationException($"The second process said '{line}' and not '{Ready}': {reason}");
        }

        return second;
    }

    /// <summary>Ends it without any chance to clean up.</summary>
    public void Kill()
    {
        _process.Kill();
        Assert.True(_process.WaitForExit(TestStore.Deadline));
    }

    /// <summary>Lets it close the database.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.StandardInput.Close();
            if (!_process.WaitForExit(TestStore.Deadline))
            {
                _process.Kill();
            }
        }

        _process.Dispose();
    }
}
