namespace Branching.RocksDb;

/// <summary>RocksDB reported a failure. The message is "&lt;operation&gt; failed on &lt;path&gt;: &lt;its
/// text&gt;".</summary>
public sealed class RocksDbException : Exception
{
    /// <summary>Makes a failure of an unnamed operation.</summary>
    public RocksDbException()
        : this("RocksDB failed.")
    {
    }

    /// <summary>Makes a failure of an unnamed operation.</summary>
    public RocksDbException(string message)
        : this(message, innerException: null)
    {
    }

    /// <summary>Makes a failure of an unnamed operation.</summary>
    public RocksDbException(string message, Exception? innerException)
        : base(message, innerException)
    {
        Status = RocksDbStatus.Unknown;
        Operation = "";
    }

    /// <summary>Makes the failure of an operation.</summary>
    /// <param name="status">Its kind.</param>
    /// <param name="operation">What was tried, as a noun: "open", "put".</param>
    /// <param name="subject">What it was tried on: a path.</param>
    /// <param name="text">Why, in RocksDB's own words where there are any.</param>
    public RocksDbException(RocksDbStatus status, string operation, string subject, string text)
        : base($"{operation} failed on {subject}: {text}")
    {
        Status = status;
        Operation = operation;
    }

    /// <summary>The same failure in another light: what it means where it was met.</summary>
    internal RocksDbException(RocksDbStatus status, string message, RocksDbException innerException)
        : base(message, innerException)
    {
        Status = status;
        Operation = innerException.Operation;
    }

    /// <summary>A failure with a cause outside RocksDB.</summary>
    internal RocksDbException(RocksDbStatus status, string message, string operation, Exception innerException)
        : base(message, innerException)
    {
        Status = status;
        Operation = operation;
    }

    /// <summary>The kind of failure.</summary>
    public RocksDbStatus Status { get; }

    /// <summary>What was tried, as a noun: "open", "put".</summary>
    public string Operation { get; }
}
