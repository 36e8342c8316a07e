namespace Branching.ClientApp.Shell.Editing;

/// <summary>The terminal that a line is edited on.</summary>
internal interface IShellConsole
{
    /// <summary>Columns; at least 1.</summary>
    int Width { get; }

    /// <summary>Rows; at least 1.</summary>
    int Height { get; }

    /// <summary>Waits for a key, Ctrl-C included, and does not show it.</summary>
    Task<ConsoleKeyInfo> ReadKeyAsync(CancellationToken cancellationToken);

    /// <summary>Writes text and control sequences.</summary>
    void Write(string text);
}

/// <summary>The terminal of this process.</summary>
internal sealed class ProcessConsole : IShellConsole
{
    // What a terminal that does not tell its size gets.
    private const int AssumedWidth = 80;
    private const int AssumedHeight = 24;

    public int Width => Size(() => Console.WindowWidth, AssumedWidth);

    public int Height => Size(() => Console.WindowHeight, AssumedHeight);

    public async Task<ConsoleKeyInfo> ReadKeyAsync(CancellationToken cancellationToken)
    {
        // While a line is edited Ctrl-C is a key; while a command runs it is a signal.
        Console.TreatControlCAsInput = true;
        try
        {
            // A read cannot be cancelled: when somebody gives up waiting, its thread ends with the process.
            return await Task.Run(() => Console.ReadKey(intercept: true), CancellationToken.None)
                .WaitAsync(cancellationToken);
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    public void Write(string text)
    {
        Console.Out.Write(text);
        Console.Out.Flush();
    }

    private static int Size(Func<int> measure, int assumed)
    {
        try
        {
            int size = measure();
            return size > 0 ? size : assumed;
        }
        catch (IOException)
        {
            // No size can be had, as over a serial line.
            return assumed;
        }
    }
}
