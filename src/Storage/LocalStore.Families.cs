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

    /// <summary>Creates a column family. Durable on return. Blocking.</summary>
    /// <param name="name">1 to 64 of <c>A-Z a-z 0-9 . _ -</c>.</param>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.InvalidName"/>, <see cref="FailureKind.ColumnFamilyExists"/>.
    /// </exception>
    public void CreateColumnFamily(string name)
    {
        CheckFamilyName(name);
        ChangeFamilies($"Creating column family '{name}'", () =>
        {
            if (_families.ContainsKey(name))
            {
                throw new StorageException(
                    FailureKind.ColumnFamilyExists, $"{Label} already has a column family '{name}'.");
            }

            _database.CreateColumnFamily(name, _resources.CreateFamilyOptions(_tuning));
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
                ThrowIfPoisoned();
                change();
                Volatile.Write(ref _families, FamiliesOf(_database));
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
