namespace Orleans
{
    /// <summary>A start and stop in stages, that others can take part in.</summary>
    public interface ILifecycleObservable
    {
        /// <summary>Takes part at a stage. Disposing the result withdraws.</summary>
        IDisposable Subscribe(string observerName, int stage, ILifecycleObserver observer);
    }

    /// <summary>Takes part in one stage of a start and stop.</summary>
    public interface ILifecycleObserver
    {
        /// <summary>Runs when the stage is reached on the way up. When it throws, the start fails.</summary>
        Task OnStart(CancellationToken cancellationToken = default);

        /// <summary>Runs when the stage is reached on the way down.</summary>
        Task OnStop(CancellationToken cancellationToken = default);
    }

    /// <summary>A service that takes part in a start and stop.</summary>
    public interface ILifecycleParticipant<TLifecycleObservable>
        where TLifecycleObservable : ILifecycleObservable
    {
        /// <summary>Subscribes to the stages it needs.</summary>
        void Participate(TLifecycleObservable lifecycle);
    }

    /// <summary>Shorter ways to subscribe.</summary>
    public static class LifecycleExtensions
    {
        /// <summary>Takes part at a stage, named after the observer's type.</summary>
        public static IDisposable Subscribe(
            this ILifecycleObservable observable, int stage, ILifecycleObserver observer)
        {
            ArgumentNullException.ThrowIfNull(observable);
            ArgumentNullException.ThrowIfNull(observer);
            return observable.Subscribe(observer.GetType().FullName ?? "", stage, observer);
        }

        /// <summary>Takes part in the start only.</summary>
        public static IDisposable Subscribe(
            this ILifecycleObservable observable,
            string observerName,
            int stage,
            Func<CancellationToken, Task> onStart)
            => Subscribe(observable, observerName, stage, onStart, null);

        /// <summary>Takes part at a stage.</summary>
        public static IDisposable Subscribe(
            this ILifecycleObservable observable,
            string observerName,
            int stage,
            Func<CancellationToken, Task> onStart,
            Func<CancellationToken, Task>? onStop)
        {
            ArgumentNullException.ThrowIfNull(observable);
            ArgumentNullException.ThrowIfNull(onStart);
            return observable.Subscribe(observerName, stage, new Observer(onStart, onStop));
        }

        /// <summary>Takes part in the start only.</summary>
        public static IDisposable Subscribe<TObserver>(
            this ILifecycleObservable observable, int stage, Func<CancellationToken, Task> onStart)
            => Subscribe(observable, typeof(TObserver).FullName ?? "", stage, onStart, null);

        /// <summary>Takes part at a stage.</summary>
        public static IDisposable Subscribe<TObserver>(
            this ILifecycleObservable observable,
            int stage,
            Func<CancellationToken, Task> onStart,
            Func<CancellationToken, Task> onStop)
            => Subscribe(observable, typeof(TObserver).FullName ?? "", stage, onStart, onStop);

        private sealed class Observer(
            Func<CancellationToken, Task> onStart, Func<CancellationToken, Task>? onStop) : ILifecycleObserver
        {
            public Task OnStart(CancellationToken cancellationToken = default) => onStart(cancellationToken);

            public Task OnStop(CancellationToken cancellationToken = default)
                => onStop?.Invoke(cancellationToken) ?? Task.CompletedTask;
        }
    }

    /// <summary>The stages of a silo; a higher one starts later and stops earlier.</summary>
    public static class ServiceLifecycleStage
    {
        /// <summary>Before all others.</summary>
        public const int First = int.MinValue;

        /// <summary>The runtime comes up.</summary>
        public const int RuntimeInitialize = 2000;

        /// <summary>Services of the runtime.</summary>
        public const int RuntimeServices = 4000;

        /// <summary>Storage of the runtime.</summary>
        public const int RuntimeStorageServices = 6000;

        /// <summary>Services of the runtime that grains use.</summary>
        public const int RuntimeGrainServices = 8000;

        /// <summary>After those.</summary>
        public const int AfterRuntimeGrainServices = 8100;

        /// <summary>Services of the application; on the way down grains are already gone.</summary>
        public const int ApplicationServices = 10000;

        /// <summary>The silo joins the cluster; on the way down it deactivates its grains.</summary>
        public const int BecomeActive = Active - 1;

        /// <summary>The silo takes grains.</summary>
        public const int Active = 20000;

        /// <summary>After all others.</summary>
        public const int Last = int.MaxValue;
    }
}

namespace Orleans.Runtime
{
    /// <summary>The start and stop of a silo.</summary>
    public interface ISiloLifecycle : ILifecycleObservable
    {
        /// <summary>Gets the highest stage that has started.</summary>
        int HighestCompletedStage { get; }

        /// <summary>Gets the lowest stage that has stopped.</summary>
        int LowestStoppedStage { get; }
    }

    /// <summary>Work to do when the silo starts; when it throws, the start fails.</summary>
    public interface IStartupTask
    {
        /// <summary>Does the work.</summary>
        Task Execute(CancellationToken cancellationToken);
    }
}
