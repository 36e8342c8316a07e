using System.Text.RegularExpressions;
using Branching.RocksDb;

namespace Branching.Storage;

public sealed partial class LocalStore
{
    /// <summary>Name of the column family that every store has.</summary>
    public const string DefaultColumnFamily = "default";

    /// <summary>The names of the column families, in order.</summary>
    public IReadOnlyList<string> ColumnFamilies =>
        [.. Volatile.Read(ref _families).Keys.Order(StringComparer.Ordinal)];

    /// <summary>The column families with what is fixed about each, in the order of their names. May read the
    /// disk. One that is dropped meanwhile may be missing.</summary>
    public IReadOnlyList<FamilyDescription> DescribeFamilies()
    {
        List<FamilyDescription> all = [];
        foreach (string name in ColumnFamilies)
        {
            try
            {
                all.Add(new FamilyDescription(
                    name, TraitsOf(Family(name))?.Settings ?? FamilySettings.Plain, EstimateCount(name)));
            }
            catch (StorageException e) when (e.Kind == FailureKind.ColumnFamilyNotFound)
            {
                // Dropped since the names were read, and nobody asked for this one by its name.
            }
        }

        return all;
    }

    /// <summary>Creates a column family. Durable on return. Blocking.</summary>
    /// <param name="name">1 to 64 of <c>A-Z a-z 0-9 . _ -</c>.</param>
    /// <param name="settings">What is fixed about it for good; plain when left out.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidName"/>, <see cref="FailureKind.ColumnFamilyExists"/>;
    /// <see cref="FailureKind.MergeOperatorMissing"/>: the operator is unknown;
    /// <see cref="FailureKind.InvalidArgument"/>: a time to live outside of its range.
    /// </exception>
    public void CreateColumnFamily(string name, FamilySettings? settings = null)
    {
        CheckFamilyName(name);
        FamilySettings wanted = settings ?? FamilySettings.Plain;
        CheckSettings(name, wanted);
        FamilyIdentity full = new(name, wanted);
        FamilyTraits? traits = _resources.Merges.TraitsOf(full, Label);
        ChangeFamilies($"Creating column family '{name}'", () =>
        {
            if (_families.ContainsKey(name))
            {
                throw new StorageException(
                    FailureKind.ColumnFamilyExists, $"{Label} already has a column family '{name}'.");
            }

            _database.CreateColumnFamily(full.ToNative(), _resources.CreateFamilyOptions(_tuning, traits));
        });
    }

    /// <summary>Drops a column family with all it holds. Readers inside it finish. Blocking.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.ColumnFamilyNotFound"/>; <see cref="FailureKind.InvalidArgument"/> for the default one.
    /// </exception>
    public void DropColumnFamily(string name)
    {
        CheckFamilyName(name);
        if (name == DefaultColumnFamily)
        {
            throw new StorageException(
                FailureKind.InvalidArgument, $"Column family 'default' of {Label} cannot be dropped.");
        }

        ChangeFamilies($"Dropping column family '{name}'", () =>
        {
            if (!_families.TryGetValue(name, out ColumnFamily? family))
            {
                throw NoSuchFamily(name);
            }

            _database.DropColumnFamily(family);
            Volatile.Read(ref _hooks)?.NoteFamilyDropped();
        });
    }

    // Under the writer's lock: a batch is never built with a family that is gone when it is committed.
    private void ChangeFamilies(string what, Action change)
    {
        Enter();
        try
        {
            lock (_commitLock)
            {
                ThrowIfReadOnly();
                ThrowIfPoisoned();
                change();
                Volatile.Write(ref _families, TakeFamilies());
            }
        }
        catch (RocksDbException e)
        {
            throw Failure(what, e);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private static void CheckSettings(string name, FamilySettings settings)
    {
        if (settings.DefaultTimeToLive is { } lives && (!settings.Expires || !IsTimeToLive(lives)))
        {
            throw new StorageException(
                FailureKind.InvalidArgument,
                $"Column family '{name}' was not created: " + (settings.Expires
                    ? $"a default time to live of {lives} is outside of 1 ms to {ExpiryStamp.MaxMilliseconds} ms."
                    : "it has a default time to live, but its keys do not expire. Let them, or leave the time out."));
        }
    }

    private static bool IsTimeToLive(TimeSpan lives) =>
        lives.TotalMilliseconds is >= 1 and <= ExpiryStamp.MaxMilliseconds;

    private static void CheckFamilyName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!FamilyName().IsMatch(name))
        {
            throw new StorageException(FailureKind.InvalidName,
                $"'{Names.Show(name)}' is not a column family name: use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'.");
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,64}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex FamilyName();
}
