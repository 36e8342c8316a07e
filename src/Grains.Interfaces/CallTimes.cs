namespace Branching.Grains;

/// <summary>How long callers wait for calls that are not data calls; those have the response timeout of the node.
/// </summary>
/// <remarks>They are part of the contract, not of a node's options: what such a call does takes as long everywhere.
/// </remarks>
internal static class CallTimes
{
    /// <summary>Calls that change a database as a whole, ask other nodes or shared storage, or wait for an operation.
    /// </summary>
    public const string Asking = "00:00:30";

    /// <summary>Calls that may read or rewrite a whole store.</summary>
    public const string Working = "00:05:00";
}
