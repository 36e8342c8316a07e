using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>How <see cref="RocksDatabase.IngestFiles"/> takes files in. Read during the call.</summary>
public sealed class IngestOptions
{
    /// <summary>
    /// Whether the files are linked into the database and their old names removed; RocksDB copies where linking is not
    /// possible. Default: no, they are copied and stay.
    /// </summary>
    public bool MoveFiles { get; set; }

    /// <summary>Whether snapshots made before do not see the files. Default: yes.</summary>
    public bool SnapshotConsistency { get; set; } = true;

    /// <summary>
    /// Whether files may overlap what is there (they are newer then). Without it such files are refused. Default: yes.
    /// </summary>
    public bool AllowGlobalSequence { get; set; } = true;

    /// <summary>Whether memtables that overlap are flushed first, which waits. Without it such files are refused.
    /// Default: yes.</summary>
    public bool AllowBlockingFlush { get; set; } = true;

    /// <summary>
    /// Whether the files go behind what is there: keys that exist keep their values. Needs
    /// <see cref="DatabaseOptions.AllowIngestBehind"/> and files that do not overlap each other. Default: no.
    /// </summary>
    public bool IngestBehind { get; set; }

    /// <summary>
    /// Whether files that would not fit into the last level are refused with <see cref="RocksDbStatus.TryAgain"/>.
    /// RocksDB's C API has it since 8.1. Default: no.
    /// </summary>
    public bool FailIfNotBottommostLevel { get; set; }

    /// <summary>Makes the native options; the caller disposes them.</summary>
    internal unsafe IngestOptionsHandle CreateHandle()
    {
        IngestOptionsHandle options = Native.rocksdb_ingestexternalfileoptions_create();
        try
        {
            Native.rocksdb_ingestexternalfileoptions_set_move_files(options, Flag.Of(MoveFiles));
            Native.rocksdb_ingestexternalfileoptions_set_snapshot_consistency(options, Flag.Of(SnapshotConsistency));
            Native.rocksdb_ingestexternalfileoptions_set_allow_global_seqno(options, Flag.Of(AllowGlobalSequence));
            Native.rocksdb_ingestexternalfileoptions_set_allow_blocking_flush(options, Flag.Of(AllowBlockingFlush));
            Native.rocksdb_ingestexternalfileoptions_set_ingest_behind(options, Flag.Of(IngestBehind));
            if (FailIfNotBottommostLevel)
            {
                var set = (delegate* unmanaged<nint, byte, void>)OptionalNative.Get(
                    "rocksdb_ingestexternalfileoptions_set_fail_if_not_bottommost_level", "RocksDB 8.1");
                set(options.DangerousGetHandle(), 1);
            }

            return options;
        }
        catch
        {
            options.Dispose();
            throw;
        }
    }
}
