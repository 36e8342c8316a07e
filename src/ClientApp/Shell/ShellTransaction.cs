using System.Reflection;
using Branching.Grains;

namespace Branching.ClientApp.Shell;

/// <summary>What a transaction does for the commands inside it.</summary>
internal interface ITransactionWork : IAsyncDisposable
{
    /// <summary>Operations that wait for the commit.</summary>
    int Writes { get; }

    /// <summary>Reads a key: what the transaction wrote itself, else what is committed.</summary>
    ValueTask<GetResponse> GetAsync(GetRequest request, CancellationToken cancellationToken);

    /// <summary>Keeps operations for the commit, unless a condition does not hold for what the transaction
    /// sees.</summary>
    ValueTask<WriteResponse> WriteAsync(WriteRequest request, CancellationToken cancellationToken);

    /// <summary>Applies the operations all together.</summary>
    /// <returns>False when something that was read has changed; then nothing was applied.</returns>
    ValueTask<WriteResponse> CommitAsync(CancellationToken cancellationToken);
}

/// <summary>
/// A transaction of the shell on one branch. Commands reach the grains through <see cref="Grains"/>, where the reads
/// and writes of that branch go through the transaction; so every option of <c>get</c>, <c>put</c> and <c>delete</c>
/// works inside one.
/// </summary>
internal sealed class ShellTransaction(IGrainFactory grains, string database, string branch, ITransactionWork work)
    : IAsyncDisposable
{
    public ITransactionWork Work { get; } = work;

    public IGrainFactory Grains { get; } = Redirection.Of(grains, (method, arguments, call) =>
    {
        object? grain = call();
        return (grain, arguments) switch
        {
            (IDatabaseGrain main, [string key, ..]) when branch == BranchKey.Main && key == database
                => Redirection.Of(main, (on, values, next) => Redirect(work, on, values, next)),
            (IBranchGrain other, [string key, ..]) when key == new BranchKey(database, branch).ToString()
                => Redirection.Of(other, (on, values, next) => Redirect(work, on, values, next)),
            _ => grain,
        };
    });

    public ValueTask DisposeAsync() => Work.DisposeAsync();

#pragma warning disable CA2012 // The proxy hands each on as the answer of the call, which the caller awaits once.
    private static object? Redirect(
        ITransactionWork work, MethodInfo method, object?[] arguments, Func<object?> call)
        => (method.Name, arguments) switch
        {
            (nameof(IStoreGrain.GetAsync), [GetRequest get, CancellationToken cancellationToken])
                => work.GetAsync(get, cancellationToken),
            (nameof(IStoreGrain.WriteAsync), [WriteRequest write, CancellationToken cancellationToken])
                => work.WriteAsync(write, cancellationToken),
            _ => call(),
        };
#pragma warning restore CA2012
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

/// <summary>
/// A transaction that remembers the values it read and commits on the condition that they are still the same.
/// </summary>
internal sealed class ValueCheckedWork(IStoreGrain store) : ITransactionWork
{
    private readonly Dictionary<Place, GetResponse> _read = [];
    private readonly Dictionary<Place, GetResponse> _written = [];
    private readonly List<WriteOperation> _operations = [];

    public int Writes => _operations.Count;

    public async ValueTask<GetResponse> GetAsync(GetRequest request, CancellationToken cancellationToken)
    {
        var place = new Place(request.ColumnFamily, Convert.ToHexString(request.Key.Span));
        if (_written.TryGetValue(place, out GetResponse known) || _read.TryGetValue(place, out known))
        {
            return known;
        }

        GetResponse found = await store.GetAsync(request, cancellationToken);
        _read[place] = found;
        return found;
    }

    public async ValueTask<WriteResponse> WriteAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        IReadOnlyList<WritePrecondition> conditions = request.Preconditions ?? [];
        for (int i = 0; i < conditions.Count; i++)
        {
            WritePrecondition condition = conditions[i];
            GetResponse found = await GetAsync(
                new GetRequest(condition.Key, condition.ColumnFamily), cancellationToken);
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

    public async ValueTask<WriteResponse> CommitAsync(CancellationToken cancellationToken)
    {
        if (_operations.Count == 0)
        {
            return new WriteResponse(Applied: true, 0, -1);
        }

        WritePrecondition[] unchanged =
        [
            .. _read.Select(pair => new WritePrecondition(
                pair.Value.Found ? WritePreconditionKind.ValueEquals : WritePreconditionKind.KeyAbsent,
                Convert.FromHexString(pair.Key.Key),
                pair.Value.Value,
                pair.Key.ColumnFamily)),
        ];
        return await store.WriteAsync(new WriteRequest(_operations, unchanged), cancellationToken);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Keep(WriteOperation operation)
    {
        var place = new Place(operation.ColumnFamily, Convert.ToHexString(operation.Key.Span));
        _written[place] = operation.Kind switch
        {
            WriteOperationKind.Put => new GetResponse(Found: true, operation.Value),
            WriteOperationKind.Delete => new GetResponse(Found: false, default),
            _ => throw new UserError(
                ExitCode.Usage, $"{operation.Kind} does not go into a transaction", "commit or rollback first"),
        };
        _operations.Add(operation);
    }

    private readonly record struct Place(string? ColumnFamily, string Key);
}
