using Orleans.Concurrency;

namespace Branching.Grains;

/// <summary>
/// The data operations of one store: the main store through <see cref="IDatabaseGrain"/>, a branch through
/// <see cref="IBranchGrain"/>.
/// </summary>
/// <remarks>
/// All of them interleave: reads never wait for writes, and writes are ordered by the store's writer loop. Requests
/// and answers are limited in size (default 4 MiB, <see cref="FailureKind.RequestTooLarge"/>); more goes through
/// <see cref="StreamAsync"/> or several batches. Every method fails with <see cref="BranchingException"/>:
/// <see cref="FailureKind.DatabaseNotFound"/> or <see cref="FailureKind.BranchNotFound"/> when it names something
/// that does not exist, <see cref="FailureKind.ColumnFamilyNotFound"/>, and the storage failures.
/// </remarks>
[Alias("branching.IStoreGrain")]
public interface IStoreGrain : IGrainWithStringKey
{
    /// <summary>Reads one key.</summary>
    [AlwaysInterleave]
    [Alias("get")]
    ValueTask<GetResponse> GetAsync(GetRequest request, CancellationToken cancellationToken = default);

    /// <summary>Reads several keys as of one moment.</summary>
    [AlwaysInterleave]
    [Alias("multi-get")]
    ValueTask<MultiGetResponse> MultiGetAsync(MultiGetRequest request, CancellationToken cancellationToken = default);

    /// <summary>Applies operations all together or not at all. Durable as asked for on return.</summary>
    [AlwaysInterleave]
    [Alias("write")]
    ValueTask<WriteResponse> WriteAsync(WriteRequest request, CancellationToken cancellationToken = default);

    /// <summary>Reads keys for a transaction; <see cref="OptimisticTransaction"/> does it for clients.</summary>
    [AlwaysInterleave]
    [Alias("read-for-transaction")]
    ValueTask<TransactionReadResponse> ReadForTransactionAsync(
        TransactionReadRequest request, CancellationToken cancellationToken = default);

    /// <summary>Applies a transaction whole if nothing it read was written since. Durable as asked for on
    /// return.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.OutcomeUnknown"/>: it was sent again, and whether
    /// it was applied is not remembered. <see cref="FailureKind.InvalidContinuation"/>: the token is of another
    /// store.</exception>
    [AlwaysInterleave]
    [Alias("commit")]
    ValueTask<CommitResponse> CommitAsync(CommitRequest request, CancellationToken cancellationToken = default);

    /// <summary>Reads one page of a range.</summary>
    [AlwaysInterleave]
    [Alias("scan")]
    ValueTask<ScanResponse> ScanAsync(ScanRequest request, CancellationToken cancellationToken = default);

    /// <summary>Streams a whole range in pages, all as of the moment of the call.</summary>
    [AlwaysInterleave]
    [Alias("stream")]
    IAsyncEnumerable<IReadOnlyList<Entry>> StreamAsync(
        StreamRequest request, CancellationToken cancellationToken = default);

    /// <summary>Counts the keys of a range.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Working)]
    [Alias("count")]
    ValueTask<CountResponse> CountAsync(CountRequest request, CancellationToken cancellationToken = default);

    /// <summary>Which keys exist, how long their values are and how long they live; no value is sent.</summary>
    [AlwaysInterleave]
    [Alias("inspect")]
    ValueTask<InspectResponse> InspectAsync(InspectRequest request, CancellationToken cancellationToken = default);

    /// <summary>Removes a key and answers the value that it had: no other caller gets the same one.</summary>
    /// <remarks>When the answer is lost, so is the value: a time-out means that the key may be gone.</remarks>
    [AlwaysInterleave]
    [Alias("take")]
    ValueTask<GetResponse> TakeAsync(TakeRequest request, CancellationToken cancellationToken = default);

    /// <summary>About how many bytes a range takes on the disk; deleted data count until they are compacted.</summary>
    [AlwaysInterleave]
    [Alias("measure")]
    ValueTask<long> MeasureAsync(MeasureRequest request, CancellationToken cancellationToken = default);

    /// <summary>Removes what a range holds now, step by step. Durable on return; repeating it is safe.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Working)]
    [Alias("clear")]
    ValueTask<ClearResponse> ClearAsync(ClearRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// Begins a bulk load: any number of records in any order, which become visible all at once when it is completed.
    /// </summary>
    /// <remarks>
    /// The records are sorted into table files beside the store, past its write-ahead log, and the store takes those
    /// over: quicker than writes for much data. They are above every earlier write and beneath every later one. A
    /// change log has a gap there, events do not tell of single keys, and transactions that are open lose. It is given
    /// up when its client is silent for two minutes, when the grain moves, and when the node ends. At most four on one
    /// branch.
    /// </remarks>
    /// <exception cref="BranchingException"><see cref="FailureKind.Overloaded"/>: too many are under way.
    /// </exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("begin-bulk-load")]
    ValueTask<Guid> BeginBulkLoadAsync(BulkLoadRequest request, CancellationToken cancellationToken = default);

    /// <summary>Adds records to a bulk load, one part after the other. After a failure the load has ended.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.InvalidContinuation"/>: it is not under way.
    /// </exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Working)]
    [Alias("add-to-bulk-load")]
    ValueTask AddToBulkLoadAsync(BulkLoadPart part, CancellationToken cancellationToken = default);

    /// <summary>Makes everything that was added visible, all at once. Durable on return.</summary>
    /// <exception cref="BranchingException">Nothing was loaded, unless the kind is
    /// <see cref="FailureKind.LeaseExpired"/> or <see cref="FailureKind.Fenced"/>: then nobody knows, as after a
    /// time-out.</exception>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Working)]
    [Alias("complete-bulk-load")]
    ValueTask<BulkLoadResponse> CompleteBulkLoadAsync(Guid load, CancellationToken cancellationToken = default);

    /// <summary>Gives a bulk load up; nothing of it is left. One that is not under way is no error.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("abandon-bulk-load")]
    ValueTask AbandonBulkLoadAsync(Guid load, CancellationToken cancellationToken = default);

    /// <summary>The store's column families, in ordinal order of their names.</summary>
    [AlwaysInterleave]
    [Alias("describe-column-families")]
    ValueTask<IReadOnlyList<ColumnFamilyDescription>> DescribeColumnFamiliesAsync(
        CancellationToken cancellationToken = default);

    /// <summary>Adds a column family with a merge operator, or whose keys expire. Durable on return.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("add-column-family")]
    ValueTask AddColumnFamilyAsync(
        ColumnFamilyDescription family, CancellationToken cancellationToken = default);

    /// <summary>Names of the store's column families, in ordinal order; "default" always exists.</summary>
    [AlwaysInterleave]
    [Alias("column-families")]
    ValueTask<IReadOnlyList<string>> ListColumnFamiliesAsync(CancellationToken cancellationToken = default);

    /// <summary>Adds a column family: 1 to 64 characters of <c>[A-Za-z0-9._-]</c>. Durable on return.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("create-column-family")]
    ValueTask CreateColumnFamilyAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>Removes a column family with all its keys. Durable on return. "default" cannot be removed.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("drop-column-family")]
    ValueTask DropColumnFamilyAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>Writes memtables to table files and makes every earlier write durable, buffered ones
    /// included.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Working)]
    [Alias("flush")]
    ValueTask FlushAsync(CancellationToken cancellationToken = default);

    /// <summary>Compacts a range of a column family; null is the default one.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Working)]
    [Alias("compact")]
    ValueTask CompactAsync(KeyRange range, string? columnFamily = null, CancellationToken cancellationToken = default);

    /// <summary>Figures of the store.</summary>
    [AlwaysInterleave]
    [Alias("figures")]
    ValueTask<StoreFigures> GetFiguresAsync(CancellationToken cancellationToken = default);

    /// <summary>Examines the store: whether it takes writes, and what is wrong.</summary>
    [AlwaysInterleave]
    [Alias("health")]
    ValueTask<StoreHealth> GetHealthAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Closes the store and opens it again after what was wrong was mended, and proves that it takes writes. Other
    /// callers wait meanwhile.
    /// </summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.InUse"/>: scans did not end in time.
    /// <see cref="FailureKind.Poisoned"/>: only a restart of the node recovers it. Otherwise what still fails.
    /// </exception>
    [AlwaysInterleave]
    [Alias("reopen")]
    ValueTask<StoreHealth> ReopenAsync(CancellationToken cancellationToken = default);

    /// <summary>The text of one of RocksDB's properties; null when it knows none of that name.</summary>
    /// <param name="name">Its name, for example <c>rocksdb.stats</c>.</param>
    /// <param name="columnFamily">Whose property; null is the default one.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    [AlwaysInterleave]
    [Alias("property")]
    ValueTask<string?> GetPropertyAsync(
        string name, string? columnFamily = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Streams what was committed, in order, in pages of at most 4 MiB. Each entry has the position behind it: going on
    /// from there gives what follows, without a gap or a repetition, also after the stream has ended.
    /// </summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.ChangeLogOff"/>,
    /// <see cref="FailureKind.ChangesGone"/>, <see cref="FailureKind.ChangePositionInvalid"/>,
    /// <see cref="FailureKind.ConsumerNotFound"/>, <see cref="FailureKind.ConsumerDropped"/>;
    /// <see cref="FailureKind.Corruption"/>: the log is damaged there. When the database moves, the stream ends with
    /// <see cref="FailureKind.Moved"/>, <see cref="FailureKind.Fenced"/> or <see cref="FailureKind.Closed"/>.
    /// </exception>
    [AlwaysInterleave]
    [Alias("changes")]
    IAsyncEnumerable<IReadOnlyList<ChangeEntry>> ChangesAsync(
        ChangesRequest request, CancellationToken cancellationToken = default);

    /// <summary>Switches the change log on, or changes how it is kept; null: the default. Durable on return.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("enable-change-log")]
    ValueTask EnableChangeLogAsync(ChangeLogPolicy? policy = null, CancellationToken cancellationToken = default);

    /// <summary>Switches the change log off; what it has stays on the node until the branch is deleted.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("disable-change-log")]
    ValueTask DisableChangeLogAsync(CancellationToken cancellationToken = default);

    /// <summary>Whether the store keeps a change log, what it has, and its consumers.</summary>
    [AlwaysInterleave]
    [Alias("change-log")]
    ValueTask<ChangeLogDescription> GetChangeLogAsync(CancellationToken cancellationToken = default);

    /// <summary>Creates a consumer; what it has not acknowledged is kept. One that is there stays as it is.</summary>
    [AlwaysInterleave]
    [Alias("create-consumer")]
    ValueTask<ConsumerDescription> CreateConsumerAsync(
        string name, ChangeFrom from, CancellationToken cancellationToken = default);

    /// <summary>Says that a consumer has done with everything up to a position. Durable on return.</summary>
    [AlwaysInterleave]
    [Alias("acknowledge")]
    ValueTask<ConsumerDescription> AcknowledgeAsync(
        string name, ReadOnlyMemory<byte> position, CancellationToken cancellationToken = default);

    /// <summary>Removes a consumer. Durable on return.</summary>
    [AlwaysInterleave]
    [Alias("remove-consumer")]
    ValueTask RemoveConsumerAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>Removes the oldest files of the change log that nobody needs any more.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("purge-changes")]
    ValueTask<PurgeChangesOutcome> PurgeChangesAsync(
        PurgeChangesRequest request, CancellationToken cancellationToken = default);

    /// <summary>Reads all of the change log and says what of it is damaged.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Working)]
    [Alias("validate-changes")]
    ValueTask<ChangeLogReport> ValidateChangesAsync(CancellationToken cancellationToken = default);
}

/// <summary>Owns a database on its node; the data operations are those of the main store. Key: the database's
/// name.</summary>
[Alias("branching.IDatabaseGrain")]
public interface IDatabaseGrain : IStoreGrain
{
    /// <summary>Creates the database, empty. Durable on return.</summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.DatabaseExists"/>,
    /// <see cref="FailureKind.InvalidName"/>.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("create")]
    ValueTask<DatabaseDescription> CreateAsync(
        CreateDatabaseRequest request, CancellationToken cancellationToken = default);

    /// <summary>What the database is and where it lives.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("describe")]
    ValueTask<DatabaseDescription> DescribeAsync(CancellationToken cancellationToken = default);

    /// <summary>Removes the database with all its branches, for good. Durable on return.</summary>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("drop")]
    ValueTask DropAsync(CancellationToken cancellationToken = default);

    /// <summary>The live branches ordered by name, the main store among them.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("list-branches")]
    ValueTask<IReadOnlyList<BranchDescription>> ListBranchesAsync(CancellationToken cancellationToken = default);

    /// <summary>Every store of the database, deleted ancestors of live ones included: parents before their
    /// children.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("lineage")]
    ValueTask<IReadOnlyList<BranchDescription>> GetLineageAsync(CancellationToken cancellationToken = default);
}

/// <summary>
/// One branch: a writable copy that began as a checkpoint of its parent. Key: <c>database/branch</c>
/// (<see cref="BranchKey"/>).
/// </summary>
[Alias("branching.IBranchGrain")]
public interface IBranchGrain : IStoreGrain
{
    /// <summary>
    /// Creates the branch. It holds every write of the parent that was acknowledged before the call, and none of the
    /// parent's later ones. Durable on return.
    /// </summary>
    /// <exception cref="BranchingException"><see cref="FailureKind.BranchExists"/>,
    /// <see cref="FailureKind.ParentNotFound"/>, <see cref="FailureKind.InvalidName"/>,
    /// <see cref="FailureKind.TooManyBranches"/>, <see cref="FailureKind.BranchTooDeep"/>,
    /// <see cref="FailureKind.DiskFull"/>. Nothing is left behind.</exception>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("create")]
    ValueTask<BranchDescription> CreateAsync(
        CreateBranchRequest request, CancellationToken cancellationToken = default);

    /// <summary>What the branch is and where it came from.</summary>
    /// <param name="includeSize">Also measure its files; costs one look at each.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("describe")]
    ValueTask<BranchDescription> DescribeAsync(bool includeSize = false, CancellationToken cancellationToken = default);

    /// <summary>The live branches that began from this one, ordered by name.</summary>
    [AlwaysInterleave]
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("children")]
    ValueTask<IReadOnlyList<BranchDescription>> ListChildrenAsync(CancellationToken cancellationToken = default);

    /// <summary>Removes the branch. Its children stay whole; lineage remembers it while it has any. Durable on
    /// return.</summary>
    [ResponseTimeout(CallTimes.Asking)]
    [Alias("delete")]
    ValueTask DeleteAsync(CancellationToken cancellationToken = default);
}
