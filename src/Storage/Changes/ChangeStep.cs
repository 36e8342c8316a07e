namespace Branching.Storage.Changes;

/// <summary>
/// Every point of the change log's protocol at which a killed process leaves something to recover. Tests kill a process
/// at each; a new step gets a new member and is tested by that alone.
/// </summary>
internal enum ChangeStep
{
    /// <summary>The first file of a log is complete under its temporary name.</summary>
    FileWritten,

    /// <summary>It has its own name, not yet durably.</summary>
    FileNamed,

    /// <summary>It has its own name.</summary>
    FileNamedDurably,

    /// <summary>A group's frames are about to be written.</summary>
    Appending,

    /// <summary>They are written, not flushed.</summary>
    Appended,

    /// <summary>They are durable; the store knows nothing of them.</summary>
    AppendFlushed,

    /// <summary>The store has committed the group; nobody was answered.</summary>
    Committed,

    /// <summary>A full file has its last frame.</summary>
    RotateSealed,

    /// <summary>A full file is durable; the next is not begun.</summary>
    RotateFlushed,

    /// <summary>What the store does not have was cut off, not yet durably.</summary>
    RecoveryCut,

    /// <summary>A whole file behind the store's sequence was removed.</summary>
    RecoveryRemoved,

    /// <summary>The new history is recorded; no file has it.</summary>
    RecoveryRecorded,

    /// <summary>A file is about to be removed by retention.</summary>
    PurgeStarted,

    /// <summary>It was removed, not yet durably.</summary>
    PurgeRemoved,

    /// <summary>The state of consumers and histories is complete under its temporary name.</summary>
    StateWritten,

    /// <summary>The state has its own name.</summary>
    StateReplaced,

    /// <summary>The last frame of a closed log is written.</summary>
    ClosingWritten,
}
