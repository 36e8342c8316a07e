using System.Collections.Concurrent;
using System.Linq.Expressions;
using System.Reflection;
using Orleans;
using Orleans.Concurrency;

namespace Branching.EmbeddedRuntime;

/// <summary>What the runtime knows about one method of a grain interface; worked out once per process.</summary>
internal abstract class MethodShape
{
    private static readonly ConcurrentDictionary<MethodInfo, MethodShape> _known = new();

    private readonly bool[] _passAsIs;

    protected MethodShape(MethodInfo method)
    {
        Method = method;
        Name = method.Name;
        ParameterInfo[] parameters = method.GetParameters();
        CancellationIndex = Array.FindIndex(parameters, p => p.ParameterType == typeof(CancellationToken));
        AlwaysInterleave = method.IsDefined(typeof(AlwaysInterleaveAttribute));
        ReadOnly = method.IsDefined(typeof(ReadOnlyAttribute));
        OneWay = method.IsDefined(typeof(OneWayAttribute)) || method.ReturnType == typeof(void);
        Timeout = method.GetCustomAttribute<ResponseTimeoutAttribute>()?.Timeout;
        _passAsIs = [.. parameters.Select(p =>
            p.IsDefined(typeof(ImmutableAttribute)) || DeepCopier.IsShared(p.ParameterType))];
    }

    public MethodInfo Method { get; }

    public string Name { get; }

    public int CancellationIndex { get; }

    public bool AlwaysInterleave { get; }

    public bool ReadOnly { get; }

    public bool OneWay { get; }

    public TimeSpan? Timeout { get; }

    public abstract bool HasResult { get; }

    public static MethodShape For(MethodInfo method) => _known.GetOrAdd(method, Build);

    /// <summary>Sends the call and returns what the caller gets: a task or a stream.</summary>
    public abstract object? Call(GrainProxy target, object?[] arguments);

    /// <summary>Calls the method on the grain. Only calls, never streams, come here.</summary>
    public abstract Task Invoke(object instance, object?[] arguments);

    public override string ToString() => $"{Method.DeclaringType?.Name}.{Name}";

    protected object?[] CopyArguments(object?[] arguments)
    {
        // The array is the proxy's own and made for this call, so it can carry the copies.
        for (int i = 0; i < arguments.Length; i++)
        {
            if (!_passAsIs[i] && arguments[i] is { } argument)
            {
                arguments[i] = DeepCopier.Copy(argument);
            }
        }

        return arguments;
    }

    /// <summary>Compiles casts of the instance and the arguments, the call, and a wrap around it.</summary>
    protected static Func<object, object?[], TOut> Compile<TOut>(MethodInfo method, Func<Expression, Expression> wrap)
    {
        ParameterExpression instance = Expression.Parameter(typeof(object));
        ParameterExpression arguments = Expression.Parameter(typeof(object[]));
        Expression call = Expression.Call(
            Expression.Convert(instance, method.DeclaringType!),
            method,
            method.GetParameters().Select((p, i) => (Expression)Expression.Convert(
                Expression.ArrayIndex(arguments, Expression.Constant(i)), p.ParameterType)));
        return Expression.Lambda<Func<object, object?[], TOut>>(wrap(call), instance, arguments).Compile();
    }

    private static MethodShape Build(MethodInfo method)
    {
        Type returns = method.ReturnType;
        if (method.GetParameters().Any(p => p.ParameterType.IsByRef))
        {
            throw new NotSupportedException($"{method.DeclaringType}.{method.Name} has a by-reference parameter.");
        }

        if (returns == typeof(void) || returns == typeof(Task) || returns == typeof(ValueTask))
        {
            return new CallShape<bool>(method, hasResult: false);
        }

        Type? open = returns.IsGenericType ? returns.GetGenericTypeDefinition() : null;
        Type? shape = open == typeof(Task<>) || open == typeof(ValueTask<>) ? typeof(CallShape<>)
            : open == typeof(IAsyncEnumerable<>) ? typeof(StreamShape<>)
            : null;
        if (shape is null)
        {
            throw new NotSupportedException(
                $"{method.DeclaringType}.{method.Name} returns {returns.Name}. A grain method returns Task, ValueTask, "
                + "Task<T>, ValueTask<T> or IAsyncEnumerable<T>.");
        }

        Type closed = shape.MakeGenericType(returns.GetGenericArguments()[0]);
        object[] arguments = shape == typeof(CallShape<>) ? [method, true] : [method];
        return (MethodShape)Activator.CreateInstance(closed, arguments)!;
    }
}

/// <summary>A method that answers once.</summary>
internal sealed class CallShape<T> : MethodShape
{
    private readonly Func<object, object?[], Task> _invoke;
    private readonly Func<Task<T>, object?> _toReturnType;

    public CallShape(MethodInfo method, bool hasResult)
        : base(method)
    {
        HasResult = hasResult;
        Type returns = method.ReturnType;
        _invoke = Compile<Task>(method, call =>
            returns == typeof(void)
                ? Expression.Block(typeof(Task), call, Expression.Constant(Task.CompletedTask))
            : returns.IsValueType
                ? Expression.Convert(Expression.Call(call, returns.GetMethod(nameof(ValueTask.AsTask))!), typeof(Task))
            : Expression.Convert(call, typeof(Task)));
        _toReturnType = returns == typeof(void) ? static _ => null
            : returns == typeof(ValueTask) ? static task => new ValueTask(task)
            : returns == typeof(ValueTask<T>) ? static task => new ValueTask<T>(task)
            : static task => task;
    }

    public override bool HasResult { get; }

    public override Task Invoke(object instance, object?[] arguments)
        => _invoke(instance, arguments)
            ?? throw new InvalidOperationException($"{this} returned null instead of a task.");

    public override object? Call(GrainProxy target, object?[] arguments)
    {
        if (CancellationIndex >= 0
            && arguments[CancellationIndex] is CancellationToken { IsCancellationRequested: true } token)
        {
            return _toReturnType(Task.FromCanceled<T>(token));
        }

        GrainCall<T> call = new(this, target, CopyArguments(arguments));
        target.Send(call);
        return _toReturnType(OneWay ? Task.FromResult(default(T)!) : call.Answer);
    }
}
