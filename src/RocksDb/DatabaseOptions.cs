using System.Globalization;
using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <summary>How a database is opened. Read by the open; later changes do nothing.</summary>
public sealed class DatabaseOptions
{
    private ColumnFamilyOptions _defaultColumnFamily = new();

    /// <summary>Whether an absent database is made. Default: no.</summary>
    /// <remarks>A directory with files of a database but without <c>CURRENT</c> is damaged, not absent: it is
    /// refused.</remarks>
    public bool CreateIfMissing { get; set; }

    /// <summary>Whether an existing database fails the open. Default: no.</summary>
    public bool ErrorIfExists { get; set; }

    /// <summary>Whether named families that do not exist are made. Default: no.</summary>
    public bool CreateMissingColumnFamilies { get; set; }

    /// <summary>The block cache, possibly shared. Default: a 32 MiB cache of its own.</summary>
    public BlockCache? BlockCache { get; set; }

    /// <summary>Whether to go without any block cache. Default: no.</summary>
    public bool NoBlockCache { get; set; }

    /// <summary>Most open table files; -1 keeps all open, otherwise 1 or more. Default: -1.</summary>
    public int MaxOpenFiles { get; set; } = -1;

    /// <summary>Threads that open table files while the database is opened; 1 or more. Default: 16.</summary>
    public int MaxFileOpeningThreads { get; set; } = 16;

    /// <summary>Background flushes and compactions at a time; 1 or more. Default: 2.</summary>
    public int MaxBackgroundJobs { get; set; } = 2;

    /// <summary>Write-ahead log bytes that force a flush; zero for RocksDB's own rule. Default: 0.</summary>
    public long MaxTotalWalBytes { get; set; }

    /// <summary>Whether recovery keeps the log instead of flushing what it replayed. Default: no.</summary>
    public bool AvoidFlushDuringRecovery { get; set; }

    /// <summary>Whether closing leaves writes without a log unflushed, and so loses them. Default: no.</summary>
    public bool AvoidFlushDuringShutdown { get; set; }

    /// <summary>Whether the log stays in memory until <see cref="RocksDatabase.FlushWal"/>. Default: no.</summary>
    public bool ManualWalFlush { get; set; }

    /// <summary>What recovery does with a damaged log. Default: <see cref="WalRecoveryMode.PointInTime"/>.</summary>
    public WalRecoveryMode WalRecoveryMode { get; set; } = WalRecoveryMode.PointInTime;

    /// <summary>Old log files kept for reuse; zero or more. Default: 0.</summary>
    public int RecycleLogFileNum { get; set; }

    /// <summary>Whether files are synced with fsync instead of fdatasync. Default: no.</summary>
    public bool UseFsync { get; set; }

    /// <summary>Whether counters are kept for <see cref="RocksDatabase.GetStatistics"/>. Default: no.</summary>
    public bool StatisticsEnabled { get; set; }

    /// <summary>How much is counted, when <see cref="StatisticsEnabled"/>. RocksDB's C API has a choice since 8.6;
    /// older ones have <see cref="StatisticsLevel.ExceptDetailedTimers"/>, which is the default.</summary>
    public StatisticsLevel StatisticsLevel { get; set; } = StatisticsLevel.ExceptDetailedTimers;

    /// <summary>Info log files kept; 1 or more. Default: 10.</summary>
    public long KeepLogFileNum { get; set; } = 10;

    /// <summary>Size at which the info log rolls, in bytes; zero for never. Default: 1 MiB.</summary>
    public long MaxLogFileBytes { get; set; } = 1L << 20;

    /// <summary>How much goes to the info log. Default: <see cref="InfoLogLevel.Info"/>.</summary>
    public InfoLogLevel InfoLogLevel { get; set; } = InfoLogLevel.Info;

    /// <summary>Seconds between dumps of counters into the info log; zero for never. Default: 0.</summary>
    public int StatsDumpPeriodSeconds { get; set; }

    /// <summary>How families are stored that have no options of their own.</summary>
    public ColumnFamilyOptions DefaultColumnFamily
    {
        get => _defaultColumnFamily;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            _defaultColumnFamily = value;
        }
    }

    /// <summary>Log bytes after which writing back begins; zero for never. Default: 0.</summary>
    public long WalBytesPerSync { get; set; }

    /// <summary>Table bytes after which writing back begins; zero for never. Default: 0.</summary>
    public long BytesPerSync { get; set; }

    /// <summary>A limit on memtables shared with other databases, or none. Default: none.</summary>
    public WriteBufferManager? WriteBufferManager { get; set; }

    /// <summary>Whether inconsistencies found at open and while compacting are failures. Default: yes.</summary>
    public bool ParanoidChecks { get; set; } = true;

    /// <summary>Whether opening skips reading table statistics, which makes it faster. Default: yes.</summary>
    public bool SkipStatsUpdateOnOpen { get; set; } = true;

    /// <summary>Bytes of all memtables of this database that force a flush; zero for no limit. Default: 0.</summary>
    public long DbWriteBufferBytes { get; set; }

    /// <summary>Whether the database's identity is kept in its MANIFEST, too, where it overrules the file
    /// <c>IDENTITY</c>. Then a checkpoint that is opened as a database of its own keeps the identity of the one it was
    /// made of. RocksDB 9.6 and newer; its own default is <see langword="true"/> since 9.7. Default
    /// <see langword="false"/>.</summary>
    public bool IdentityInManifest { get; set; }

    /// <summary>Whether a flush of several families is all or nothing. Default: no.</summary>
    public bool AtomicFlush { get; set; }

    /// <summary>Size at which the manifest rolls, in bytes; more than zero. Default: 64 MiB.</summary>
    public long MaxManifestFileBytes { get; set; } = 64L << 20;

    /// <summary>Whether a family may be opened with another merge operator than the last time, or with none.
    /// Default: no.</summary>
    /// <remarks>Operands that were not compacted yet then mean something else, or cannot be read; and opening without
    /// an operator drops whatever the log holds from its first operand on.</remarks>
    public bool AllowOtherMergeOperator { get; set; }

    /// <summary>Whether families take files that are ingested behind their data, see
    /// <see cref="IngestOptions.IngestBehind"/>. Must be so from the first opening on. Default: no.</summary>
    public bool AllowIngestBehind { get; set; }

    /// <summary>How long logs are kept for <see cref="RocksDatabase.GetUpdatesSince"/> after everything in them is in
    /// table files, in whole seconds; zero for not at all. Default: zero.</summary>
    public TimeSpan WalTimeToLive { get; set; }

    /// <summary>Bytes of such logs, in whole MiB, beyond which the oldest goes; zero for no limit.
    /// Default: 0.</summary>
    public long WalSizeLimitBytes { get; set; }

    /// <summary>How often RocksDB tries to go on by itself after a background error that may pass (a full disk);
    /// zero for never. Default: <see cref="int.MaxValue"/>.</summary>
    public int MaxBackgroundErrorResumeCount { get; set; } = int.MaxValue;

    /// <summary>The time between such tries; more than zero. Default: one second.</summary>
    public TimeSpan BackgroundErrorResumeInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Parts of one compaction that run side by side; 1 or more. Default: 1.</summary>
    public int MaxSubcompactions { get; set; } = 1;

    /// <summary>Whether <see cref="RocksDatabase.Dispose"/> compacts every family first, which may take long.
    /// Default: no.</summary>
    public bool CompactOnClose { get; set; }

    /// <summary>Makes the native options without those of families; the caller disposes them.</summary>
    internal OptionsHandle CreateHandle()
    {
        Validate();
        OptionsHandle options = CreateFromText();
        try
        {
            Apply(options);
            return options;
        }
        catch
        {
            options.Dispose();
            throw;
        }
    }

    private OptionsHandle CreateFromText()
    {
        OptionsHandle options = Native.rocksdb_options_create();

        // The C API of 7.8 has no setters for these; its text form has.
        string text = (AvoidFlushDuringRecovery ? "avoid_flush_during_recovery=true;" : "")
            + (AvoidFlushDuringShutdown ? "avoid_flush_during_shutdown=true;" : "")
            + (MaxBackgroundErrorResumeCount == int.MaxValue
                ? ""
                : string.Create(
                    CultureInfo.InvariantCulture, $"max_bgerror_resume_count={MaxBackgroundErrorResumeCount};"))
            + (BackgroundErrorResumeInterval == TimeSpan.FromSeconds(1)
                ? ""
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"bgerror_resume_retry_interval={(long)BackgroundErrorResumeInterval.TotalMicroseconds};"));
        if (text.Length == 0)
        {
            return options;
        }

        OptionsHandle parsed = Native.rocksdb_options_create();
        using (options)
        {
            nint error = 0;
            Native.rocksdb_get_options_from_string(options, text, parsed, ref error);
            if (error != 0)
            {
                parsed.Dispose();
                throw NativeError.Take(error, "options", text);
            }
        }

        return parsed;
    }

    private void Apply(OptionsHandle options)
    {
        Native.rocksdb_options_set_create_if_missing(options, Flag.Of(CreateIfMissing));
        Native.rocksdb_options_set_error_if_exists(options, Flag.Of(ErrorIfExists));
        Native.rocksdb_options_set_create_missing_column_families(options, Flag.Of(CreateMissingColumnFamilies));
        Native.rocksdb_options_set_max_open_files(options, MaxOpenFiles);
        Native.rocksdb_options_set_max_file_opening_threads(options, MaxFileOpeningThreads);
        Native.rocksdb_options_set_max_background_jobs(options, MaxBackgroundJobs);
        Native.rocksdb_options_set_max_total_wal_size(options, (ulong)MaxTotalWalBytes);
        Native.rocksdb_options_set_manual_wal_flush(options, Flag.Of(ManualWalFlush));
        Native.rocksdb_options_set_wal_recovery_mode(options, (int)WalRecoveryMode);
        Native.rocksdb_options_set_recycle_log_file_num(options, (nuint)RecycleLogFileNum);
        Native.rocksdb_options_set_use_fsync(options, UseFsync ? 1 : 0);
        Native.rocksdb_options_set_keep_log_file_num(options, (nuint)KeepLogFileNum);
        Native.rocksdb_options_set_max_log_file_size(options, (nuint)MaxLogFileBytes);
        Native.rocksdb_options_set_info_log_level(options, (int)InfoLogLevel);
        Native.rocksdb_options_set_stats_dump_period_sec(options, (uint)StatsDumpPeriodSeconds);
        Native.rocksdb_options_set_wal_bytes_per_sync(options, (ulong)WalBytesPerSync);
        Native.rocksdb_options_set_bytes_per_sync(options, (ulong)BytesPerSync);
        Native.rocksdb_options_set_paranoid_checks(options, Flag.Of(ParanoidChecks));
        Native.rocksdb_options_set_skip_stats_update_on_db_open(options, Flag.Of(SkipStatsUpdateOnOpen));
        Native.rocksdb_options_set_db_write_buffer_size(options, (nuint)DbWriteBufferBytes);
        Native.rocksdb_options_set_atomic_flush(options, Flag.Of(AtomicFlush));
        Native.rocksdb_options_set_allow_ingest_behind(options, Flag.Of(AllowIngestBehind));
        Native.rocksdb_options_set_max_manifest_file_size(options, (nuint)MaxManifestFileBytes);
        Native.rocksdb_options_set_WAL_ttl_seconds(options, (ulong)WalTimeToLive.TotalSeconds);
        Native.rocksdb_options_set_WAL_size_limit_MB(options, (ulong)(WalSizeLimitBytes >> 20));
        Native.rocksdb_options_set_max_subcompactions(options, (uint)MaxSubcompactions);
        ApplyIdentity(options);
        ApplyStatistics(options);

        WriteBufferManager?.ApplyTo(options);
    }

    private unsafe void ApplyIdentity(OptionsHandle options)
    {
        const string Function = "rocksdb_options_set_write_dbid_to_manifest";
        if (IdentityInManifest || OptionalNative.TryGet(Function, out _))
        {
            var set = (delegate* unmanaged<nint, byte, void>)OptionalNative.Get(Function, "RocksDB 9.6");
            set(options.DangerousGetHandle(), Flag.Of(IdentityInManifest));
        }
    }

    private unsafe void ApplyStatistics(OptionsHandle options)
    {
        if (!StatisticsEnabled)
        {
            return;
        }

        Native.rocksdb_options_enable_statistics(options);
        if (StatisticsLevel != StatisticsLevel.ExceptDetailedTimers)
        {
            var set = (delegate* unmanaged<nint, int, void>)OptionalNative.Get(
                "rocksdb_options_set_statistics_level", "RocksDB 8.6");
            set(options.DangerousGetHandle(), (int)StatisticsLevel);
        }
    }

    private void Validate()
    {
        OptionRange.AtLeast(1, MaxOpenFiles == -1 ? 1 : MaxOpenFiles, nameof(MaxOpenFiles));
        OptionRange.AtLeast(1, MaxFileOpeningThreads);
        OptionRange.AtLeast(1, MaxBackgroundJobs);
        OptionRange.AtLeast(0, MaxTotalWalBytes);
        OptionRange.AtLeast(0, RecycleLogFileNum);
        OptionRange.AtLeast(1, KeepLogFileNum);
        OptionRange.AtLeast(0, MaxLogFileBytes);
        OptionRange.AtLeast(0, StatsDumpPeriodSeconds);
        OptionRange.AtLeast(0, WalBytesPerSync);
        OptionRange.AtLeast(0, BytesPerSync);
        OptionRange.AtLeast(0, DbWriteBufferBytes);
        OptionRange.AtLeast(1, MaxManifestFileBytes);
        OptionRange.AtLeast(0, WalTimeToLive.TotalSeconds, nameof(WalTimeToLive));
        OptionRange.AtLeast(0, WalSizeLimitBytes);
        OptionRange.AtLeast(0, MaxBackgroundErrorResumeCount);
        OptionRange.AtLeast(
            1, BackgroundErrorResumeInterval.TotalMicroseconds, nameof(BackgroundErrorResumeInterval));
        OptionRange.AtLeast(1, MaxSubcompactions);
    }
}
