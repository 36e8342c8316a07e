namespace Branching.Storage;

/// <summary>A checkpoint that was made: a complete, writable directory.</summary>
/// <param name="Sequence">
/// The parent's last acknowledged sequence when the call came. The checkpoint holds at least everything up to it; what
/// it holds exactly is <see cref="LocalStore.LastAcknowledged"/> of the store when it is opened.
/// </param>
/// <param name="LinkedFiles">Files that share their bytes with the parent.</param>
/// <param name="CopiedFiles">Files with bytes of their own.</param>
/// <param name="TotalBytes">Bytes of all files.</param>
/// <param name="LinkedBytes">Bytes of the linked files.</param>
/// <param name="CopiedBytes">Bytes of the copied files.</param>
public sealed record LocalCheckpoint(
    Sequence Sequence, int LinkedFiles, int CopiedFiles, long TotalBytes, long LinkedBytes, long CopiedBytes);
