namespace Branching.EmbeddedRuntime;

/// <summary>Something that waits for its turn in an activation: a call, a timer tick, a pull on a stream.</summary>
internal abstract class TurnRequest
{
    private Activation? _activation;

    public abstract bool AlwaysInterleave { get; }

    public virtual bool ReadOnly => false;

    /// <summary>Gets whether this counts as use of the grain.</summary>
    public virtual bool KeepsAlive => true;

    /// <summary>Gets whether nobody waits for it any more, so that it need not begin.</summary>
    public abstract bool IsAbandoned { get; }

    protected Activation Activation => _activation!;

    /// <summary>Does the work. Its own failures go to whoever waits, never out of here.</summary>
    protected abstract Task RunAsync(Activation activation);

    /// <summary>Ends the request without running it, or while it runs.</summary>
    public abstract void Fail(Exception cause);

    /// <summary>Sends the request to where the grain is now, after its activation ended.</summary>
    public abstract void Reroute();

    public void BindTo(Activation activation) => _activation = activation;

    /// <summary>The first turn of the request.</summary>
    public void Begin()
    {
        Activation activation = Activation;
        if (IsAbandoned)
        {
            activation.OnRequestEnded(this);
            return;
        }

        Task run;
        try
        {
            run = RunAsync(activation);
        }
        catch (Exception cause)
        {
            Fail(cause);
            activation.OnRequestEnded(this);
            return;
        }

        if (run.IsCompleted)
        {
            activation.OnRequestEnded(this);
        }
        else
        {
            run.GetAwaiter().UnsafeOnCompleted(() => activation.OnRequestEnded(this));
        }
    }
}
