using Branching.Storage.Shared;
using Branching.Storage.Tests.Shared;

namespace Branching.Storage.Tests.Simulation;

/// <summary>
/// One process's way to the shared storage: every step takes its time on the way there and back, and may fail before
/// its effect, after it, or have its effect long after its failure was answered. What is under way when the process
/// crashes or is paused arrives all the same.
/// </summary>
internal sealed class SimulatedStorage(
    SimulatedWorld world, SimulatedProcess process, MemorySharedStorage memory, Action<string, string, bool> onEffect)
    : ISharedStorage
{
    public string Location => "simulated";

    public Task<bool> PutIfAbsentAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        byte[] bytes = content.ToArray();
        return StepAsync("put", name, () => memory.PutIfAbsentAsync(name, bytes, default), cancellationToken);
    }

    public Task ReplaceAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        byte[] bytes = content.ToArray();
        return StepAsync("replace", name, async () =>
        {
            await memory.ReplaceAsync(name, bytes, default).ConfigureAwait(false);
            return true;
        }, cancellationToken);
    }

    public Task<byte[]?> TryReadAsync(string name, CancellationToken cancellationToken) =>
        StepAsync("read", name, () => memory.TryReadAsync(name, default), cancellationToken);

    public Task<IReadOnlyList<SharedEntry>> ListAsync(string directory, CancellationToken cancellationToken) =>
        StepAsync("list", directory, () => memory.ListAsync(directory, default), cancellationToken);

    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken) =>
        StepAsync("delete", name, () => memory.DeleteAsync(name, default), cancellationToken);

    public Task<bool> PutFileIfAbsentAsync(string name, FileToSend file, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<FetchedFile> FetchFileAsync(
        string name, FileToFetch file, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<long?> GetFreeBytesAsync(CancellationToken cancellationToken) => Task.FromResult<long?>(null);

    private Task<T> StepAsync<T>(
        string kind, string name, Func<Task<T>> effect, CancellationToken cancellationToken)
    {
        TaskCompletionSource<T> answer = new();
        CancellationTokenRegistration registration =
            cancellationToken.UnsafeRegister(_ => answer.TrySetCanceled(cancellationToken), null);
        _ = answer.Task.ContinueWith(
            _ => registration.Dispose(), default, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        double fate = world.Random.NextDouble();
        bool changes = kind is "put" or "replace" or "delete";
        if (fate < 0.01)
        {
            Answer(() => answer.TrySetException(Failed(kind, name)));
            return answer.Task;
        }

        // The process may be paused before the request leaves it; then nothing holds it up any more.
        world.Schedule(world.Milliseconds(0, 3), process, () =>
            world.Schedule(Travel(kind), null, () =>
            {
                if (changes && fate < 0.015)
                {
                    world.Schedule(world.Milliseconds(0, 4000), null, () => _ = Effect(kind, name, effect));
                    Answer(() => answer.TrySetException(Failed(kind, name)));
                    return;
                }

                T result = Effect(kind, name, effect);
                Answer(() => _ = fate < 0.025
                    ? answer.TrySetException(Failed(kind, name))
                    : answer.TrySetResult(result));
            }));
        return answer.Task;
    }

    private T Effect<T>(string kind, string name, Func<Task<T>> effect)
    {
        Task<T> done = effect();
        Assert.True(done.IsCompletedSuccessfully);
        T result = done.GetAwaiter().GetResult();
        onEffect(kind, name, result is true);
        return result;
    }

    private void Answer(Action answer) => world.Schedule(world.Milliseconds(0, 5), process, answer);

    // Deletions are the steps whose lateness could hurt a successor most.
    private TimeSpan Travel(string kind) =>
        world.Chance(kind == "delete" ? world.LateDeletions : 0.02)
            ? world.Milliseconds(0, kind == "delete" ? 20_000 : 6000)
            : world.Milliseconds(0, 8);

    private static StorageException Failed(string kind, string name) => new(
        FailureKind.SharedStorageUnavailable, $"Simulated failure of {kind} '{name}'.");
}
