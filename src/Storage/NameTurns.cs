using System.Diagnostics.CodeAnalysis;

namespace Branching.Storage;

/// <summary>One operation at a time on each database: a long one on one of them holds up no other.</summary>
internal sealed class NameTurns
{
    private readonly Dictionary<DatabaseName, Turn> _turns = [];

    /// <summary>Waits for the name's turn; dispose the result to give it back.</summary>
    public async Task<IDisposable> EnterAsync(DatabaseName name, CancellationToken cancellationToken)
    {
        Turn turn;
        lock (_turns)
        {
            if (!_turns.TryGetValue(name, out turn!))
            {
                _turns.Add(name, turn = new Turn(this, name));
            }

            turn.Users++;
        }

        try
        {
            await turn.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            turn.Leave();
            throw;
        }

        return new Held(turn);
    }

    [SuppressMessage("Reliability", "CA1001", Justification = "The semaphore never hands out a wait handle.")]
    private sealed class Turn(NameTurns turns, DatabaseName name)
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);

        public int Users { get; set; }

        public void Leave()
        {
            lock (turns._turns)
            {
                if (--Users == 0)
                {
                    turns._turns.Remove(name);
                }
            }
        }
    }

    private sealed class Held(Turn turn) : IDisposable
    {
        private Turn? _turn = turn;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _turn, null) is { } held)
            {
                held.Gate.Release();
                held.Leave();
            }
        }
    }
}
