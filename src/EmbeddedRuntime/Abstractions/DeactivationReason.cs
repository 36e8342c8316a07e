namespace Orleans;

/// <summary>Why an activation ends.</summary>
public enum DeactivationReasonCode : byte
{
    /// <summary>Not said.</summary>
    None = 0,

    /// <summary>Its silo is stopping.</summary>
    ShuttingDown = 1,

    /// <summary><c>OnActivateAsync</c> or the constructor threw.</summary>
    ActivationFailed = 2,

    /// <summary>The grain could not be registered.</summary>
    DirectoryFailure = 3,

    /// <summary>It was not used for the collection age.</summary>
    ActivationIdle = 4,

    /// <summary>It did not answer.</summary>
    ActivationUnresponsive = 5,

    /// <summary>Another activation of the grain exists.</summary>
    DuplicateActivation = 6,

    /// <summary>A request needs another version.</summary>
    IncompatibleRequest = 7,

    /// <summary>The application failed.</summary>
    ApplicationError = 8,

    /// <summary>The application asked for it.</summary>
    ApplicationRequested = 9,

    /// <summary>The grain moves to another silo.</summary>
    Migrating = 10,

    /// <summary>The runtime asked for it.</summary>
    RuntimeRequested = 11,

    /// <summary>The silo is short of memory.</summary>
    HighMemoryPressure = 12,
}

/// <summary>Why an activation ends, in a code and in words.</summary>
public readonly struct DeactivationReason
{
    /// <summary>Makes a reason without an exception.</summary>
    public DeactivationReason(DeactivationReasonCode code, string text)
        : this(code, null, text)
    {
    }

    /// <summary>Makes a reason.</summary>
    public DeactivationReason(DeactivationReasonCode code, Exception? exception, string text)
    {
        ReasonCode = code;
        Exception = exception;
        Description = text;
    }

    /// <summary>Gets the code.</summary>
    public DeactivationReasonCode ReasonCode { get; }

    /// <summary>Gets the words.</summary>
    public string Description { get; }

    /// <summary>Gets the exception that led here, if one did.</summary>
    public Exception? Exception { get; }

    /// <summary>Returns code, words and exception in one line.</summary>
    public override readonly string ToString()
        => Exception is null ? $"{ReasonCode}: {Description}" : $"{ReasonCode}: {Description} ({Exception.Message})";
}
