using Microsoft.Extensions.Logging;

namespace Branching.ClientApp;

/// <summary>
/// Tells the person at the command line what an embedded node did to bring a database up at the cost of writes: no
/// answer has room for it. What fails is told by the command itself.
/// </summary>
/// <param name="note">Where to.</param>
internal sealed class StorageNotes(Action<string> note) : ILoggerProvider, ILogger
{
    // Events of Branching.Storage: a damaged database replaced, an earlier snapshot used, a branch not restored.
    private static readonly int[] _told = [2064, 2066, 2067];

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (_told.Contains(eventId.Id))
        {
            string cause = exception is null ? "" : $": {exception.Message.ReplaceLineEndings(" ")}";
            note($"note: {formatter(state, exception)}{cause}");
        }
    }

    public void Dispose()
    {
        // It holds nothing.
    }
}
