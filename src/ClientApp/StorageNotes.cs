using Microsoft.Extensions.Logging;

namespace Branching.ClientApp;

/// <summary>
/// Tells the person at the command line what an embedded node did to bring a database up at the cost of writes, and
/// what it put in order after an interruption: no answer has room for it. What fails is told by the command itself.
/// </summary>
/// <param name="note">Where to.</param>
internal sealed class StorageNotes(Action<string> note) : ILoggerProvider, ILogger
{
    // Events of Branching.Storage: a database set aside, a damaged one replaced, an earlier snapshot used, a branch not
    // restored, what an interrupted operation left put in order.
    private static readonly int[] _told = [2060, 2064, 2066, 2067, 2078];

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
