using System.Reflection;
using System.Runtime.CompilerServices;
using Branching.ClientApp.Commands;
using Branching.Grains;

namespace Branching.ClientApp.Shell;

/// <summary>
/// A transaction of the shell on one branch. Commands reach the grains through <see cref="Grains"/>, where the reads
/// and writes of that branch go through an <see cref="OptimisticTransaction"/>; so every option of <c>get</c>,
/// <c>exists</c>, <c>scan</c>, <c>count</c>, <c>put</c> and <c>delete</c> but <c>get --ttl</c> works inside one, and
/// its commit is refused when a key it read, or a range, was written since, also when the key has its former value
/// again.
/// </summary>
/// <remarks><c>count --estimate</c> counts: what is estimated cannot be checked.</remarks>
internal sealed class ShellTransaction
{
    private readonly OptimisticTransaction _work;

    public ShellTransaction(IGrainFactory grains, string database, string branch, IStoreGrain store)
    {
        _work = new OptimisticTransaction(store);
        Grains = Redirection.Of(grains, (_, arguments, call) =>
        {
            object? grain = call();
            return (grain, arguments) switch
            {
                (IDatabaseGrain main, [string key, ..]) when branch == BranchKey.Main && key == database
                    => Redirection.Of(main, Redirect),
                (IBranchGrain other, [string key, ..]) when key == new BranchKey(database, branch).ToString()
                    => Redirection.Of(other, Redirect),
                _ => grain,
            };
        });
    }

    /// <summary>The grains as the commands inside the transaction see them.</summary>
    public IGrainFactory Grains { get; }

    /// <summary>Keys that wait for the commit.</summary>
    public int Writes => _work.WriteCount;

    /// <summary>Whether it was lost before its commit: its store was opened again, so its reads belong to no one
    /// moment.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Applies the writes all together.</summary>
    /// <exception cref="UserError">A key that was read has been written since; nothing was applied.</exception>
    public async Task<CommitResponse> CommitAsync(CancellationToken cancellationToken)
    {
        CommitResponse answer = await _work.CommitAsync(cancellationToken);
        return answer.Conflict is { } conflict ? throw Refused(conflict) : answer;
    }

    private UserError Refused(CommitConflict conflict)
    {
        string family = conflict.ColumnFamily == "default" ? "" : $" of column family {conflict.ColumnFamily}";
        string key = $"key '{ByteText.ToLine(conflict.Key.Span)}'{family}";
        bool isRange = _work.RangeCount > 0 && !_work.HasRead(conflict.Key, conflict.ColumnFamily);
        string why = conflict.Kind switch
        {
            CommitConflictKind.Written =>
                $"{key} was written after the transaction read {(isRange ? "the range that it is in" : "it")}",
            CommitConflictKind.TooOld =>
                $"since the transaction read {(isRange ? $"the range from {key} on" : key)} so much was written, or " +
                "a column family dropped, that the store no longer knows whether it has changed",
            _ => $"another transaction holds {key}",
        };
        return new UserError(
            ExitCode.Precondition, $"nothing was changed: {why}", "begin it again", "ReadsChanged");
    }

#pragma warning disable CA2012 // The proxy hands each on as the answer of the call, which the caller awaits once.
    private object? Redirect(MethodInfo method, object?[] arguments, Func<object?> call)
        => (method.Name, arguments) switch
        {
            (nameof(IStoreGrain.GetAsync), [GetRequest get, CancellationToken cancellationToken])
                => GetAsync(get.Key, get.ColumnFamily, cancellationToken),
            (nameof(IStoreGrain.WriteAsync), [WriteRequest write, CancellationToken cancellationToken])
                => WriteAsync(write, cancellationToken),
            (nameof(IStoreGrain.ScanAsync), [ScanRequest scan, CancellationToken cancellationToken])
                => ScanAsync(scan, cancellationToken),
            (nameof(IStoreGrain.StreamAsync), [StreamRequest stream, CancellationToken cancellationToken])
                => StreamAsync(stream, cancellationToken),
            (nameof(IStoreGrain.CountAsync), [CountRequest count, CancellationToken cancellationToken])
                => CountAsync(count, cancellationToken),
            (nameof(IStoreGrain.InspectAsync), [InspectRequest inspect, CancellationToken cancellationToken])
                => InspectAsync(inspect, cancellationToken),
            _ => call(),
        };
#pragma warning restore CA2012

    private async ValueTask<GetResponse> GetAsync(
        ReadOnlyMemory<byte> key, string? columnFamily, CancellationToken cancellationToken)
        => await ReadAsync(() => _work.GetAsync(key, columnFamily, cancellationToken));

    private async ValueTask<ScanResponse> ScanAsync(ScanRequest request, CancellationToken cancellationToken)
        => await ReadAsync(() => _work.ScanAsync(request, cancellationToken));

    private async ValueTask<CountResponse> CountAsync(CountRequest request, CancellationToken cancellationToken)
        => new(
            await ReadAsync(() => _work.CountAsync(request.Range, request.ColumnFamily, cancellationToken)),
            IsEstimate: false);

    private async IAsyncEnumerable<IReadOnlyList<Entry>> StreamAsync(
        StreamRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        const int PageEntries = 1000;
        ScanRequest part = new(
            request.Range, PageEntries, request.Reverse, request.KeysOnly, ColumnFamily: request.ColumnFamily,
            Offset: request.Offset);
        do
        {
            ScanResponse page = await ScanAsync(part, cancellationToken);
            yield return page.Entries;
            part = part with { Continuation = page.Continuation };
        }
        while (!part.Continuation.IsEmpty);
    }

    /// <summary>Whether keys exist and how long their values are; how long they live is left open.</summary>
    private async ValueTask<InspectResponse> InspectAsync(InspectRequest request, CancellationToken cancellationToken)
    {
        IReadOnlyList<GetResponse> found = await ReadAsync(() => _work.GetAsync(
            [.. request.Keys.Select(key => new StoreKey(key, request.ColumnFamily))], cancellationToken));
        return new InspectResponse([.. found.Select(one => new KeyInspection(one.Found, one.Value.Length))]);
    }

    private async Task<T> ReadAsync<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (BranchingException e) when (e.Kind == FailureKind.TransactionConflict)
        {
            IsLost = true;
            throw;
        }
    }

    /// <summary>Keeps the operations for the commit, unless a condition does not hold for what the transaction
    /// sees.</summary>
    private async ValueTask<WriteResponse> WriteAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        IReadOnlyList<WritePrecondition> conditions = request.Preconditions ?? [];
        for (int i = 0; i < conditions.Count; i++)
        {
            WritePrecondition condition = conditions[i];
            GetResponse found = await GetAsync(condition.Key, condition.ColumnFamily, cancellationToken);
            bool holds = condition.Kind switch
            {
                WritePreconditionKind.KeyAbsent => !found.Found,
                WritePreconditionKind.KeyPresent => found.Found,
                _ => found.Found && found.Value.Span.SequenceEqual(condition.Value.Span),
            };
            if (!holds)
            {
                return new WriteResponse(Applied: false, 0, i);
            }
        }

        foreach (WriteOperation operation in request.Operations)
        {
            Keep(operation);
        }

        return new WriteResponse(Applied: true, 0, -1);
    }

    private void Keep(WriteOperation operation)
    {
        switch (operation.Kind)
        {
            case WriteOperationKind.Put:
                _work.Put(operation.Key, operation.Value, operation.ColumnFamily, operation.TimeToLive);
                break;
            case WriteOperationKind.Append:
                _work.Append(operation.Key, operation.Value, operation.ColumnFamily, operation.TimeToLive);
                break;
            case WriteOperationKind.Delete:
                _work.Delete(operation.Key, operation.ColumnFamily);
                break;
            default:
                throw new UserError(
                    ExitCode.Usage, $"{operation.Kind} does not go into a transaction", "commit or rollback first");
        }
    }
}

/// <summary>An interface whose calls somebody else answers.</summary>
internal class Redirection : DispatchProxy
{
    private object _target = null!;
    private Func<MethodInfo, object?[], Func<object?>, object?> _answer = null!;

    /// <summary>An object that answers each call as <paramref name="answer"/> does, which may make the call.</summary>
    public static T Of<T>(T target, Func<MethodInfo, object?[], Func<object?>, object?> answer)
        where T : class
    {
        T proxy = Create<T, Redirection>();
        var redirection = (Redirection)(object)proxy;
        redirection._target = target;
        redirection._answer = answer;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        object?[] arguments = args ?? [];
        return _answer(targetMethod!, arguments, () => targetMethod!.Invoke(
            _target, BindingFlags.DoNotWrapExceptions, binder: null, arguments, culture: null));
    }
}
