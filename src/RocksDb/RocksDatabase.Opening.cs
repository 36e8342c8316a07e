using Branching.RocksDb.Interop;

namespace Branching.RocksDb;

/// <content>Opening, and what is done to a database that is closed.</content>
public sealed partial class RocksDatabase
{
    private unsafe delegate DatabaseHandle Opener(
        OptionsHandle options, string directory, int count, byte** names, nint* familyOptions, nint* families,
        ref nint error);

    /// <summary>Opens a database for reading and writing.</summary>
    /// <param name="path">Its directory. One process at a time may have it open.</param>
    /// <param name="options">How; read during the call.</param>
    /// <param name="families">Families to open; all that exist when absent. <c>default</c> is always opened. Without
    /// <see cref="DatabaseOptions.CreateMissingColumnFamilies"/> every one must exist, and RocksDB refuses to open with
    /// fewer than exist.</param>
    /// <exception cref="RocksDbException">
    /// <see cref="RocksDbStatus.LockHeld"/>: it is open already. <see cref="RocksDbStatus.PathNotFound"/>: there is
    /// none
    /// and it is not to be made; nothing is created then. <see cref="RocksDbStatus.Corruption"/>: its files contradict
    /// each other, or <c>CURRENT</c> is missing.
    /// </exception>
    public static RocksDatabase Open(
        string path, DatabaseOptions options, IReadOnlyList<ColumnFamilyDescriptor>? families = null)
    {
        unsafe
        {
            return OpenWritable(path, options, families, Native.rocksdb_open_column_families);
        }
    }

    /// <summary>Opens all families of a database for reading. Takes no lock: the writer may be running.</summary>
    /// <param name="path">Its directory.</param>
    /// <param name="options">How; read during the call.</param>
    /// <param name="errorIfWalExists">Whether writes that are only in the log fail the open. Otherwise the log is
    /// replayed into memory.</param>
    /// <param name="families">Families to open; all that exist when absent.</param>
    /// <exception cref="RocksDbException">As for <see cref="Open"/>, except the lock.</exception>
    public static RocksDatabase OpenReadOnly(
        string path, DatabaseOptions options, bool errorIfWalExists = false,
        IReadOnlyList<ColumnFamilyDescriptor>? families = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        string directory = NameRules.RequirePath(path);
        RequireExistence(directory, create: false);
        unsafe
        {
            return OpenWith(
                directory, options, families ?? AllFamilies(directory), readsOnly: true,
                (native, path, count, names, familyOptions, handles, ref error) =>
                    Native.rocksdb_open_for_read_only_column_families(
                        native, path, count, names, familyOptions, handles, Flag.Of(errorIfWalExists), ref error));
        }
    }

    /// <summary>Opens all families of a database that another process writes, to follow it.</summary>
    /// <param name="path">The directory of the writer, the primary.</param>
    /// <param name="secondaryPath">A directory of this follower's own for its info log; made when absent.</param>
    /// <param name="options">How; <see cref="DatabaseOptions.MaxOpenFiles"/> must be -1.</param>
    /// <exception cref="RocksDbException">As for <see cref="Open"/>, except the lock.</exception>
    public static RocksDatabase OpenSecondary(string path, string secondaryPath, DatabaseOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        string directory = NameRules.RequirePath(path);
        string own = NameRules.RequirePath(secondaryPath);
        RequireExistence(directory, create: false);
        unsafe
        {
            return OpenWith(
                directory, options, AllFamilies(directory), readsOnly: true,
                (native, path, count, names, familyOptions, families, ref error) =>
                    Native.rocksdb_open_as_secondary_column_families(
                        native, path, own, count, names, familyOptions, families, ref error));
        }
    }

    /// <summary>The names of the families in a closed or open database, as its manifest has them.</summary>
    /// <exception cref="RocksDbException">There is none, or it is damaged.</exception>
    public static unsafe IReadOnlyList<string> ListColumnFamilies(string path)
    {
        string directory = NameRules.RequirePath(path);
        RocksDbLibrary.EnsureLoaded();
        using OptionsHandle options = Native.rocksdb_options_create();
        nint error = 0;
        byte** list = Native.rocksdb_list_column_families(options, directory, out nuint count, ref error);
        ThrowIfUnreadable(error, "list of column families", directory);
        try
        {
            string[] names = new string[checked((int)count)];
            for (int i = 0; i < names.Length; i++)
            {
                names[i] = NativeText.Read(list[i]);
            }

            return names;
        }
        finally
        {
            Native.rocksdb_list_column_families_destroy(list, count);
        }
    }

    /// <summary>Deletes the files of a closed database, and its directory when nothing else is in it.</summary>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.LockHeld"/>: it is open.</exception>
    public static void Destroy(string path)
    {
        string directory = NameRules.RequirePath(path);
        if (!Directory.Exists(directory))
        {
            return; // RocksDB would make the directory to lock it.
        }

        RocksDbLibrary.EnsureLoaded();
        using OptionsHandle options = Native.rocksdb_options_create();
        nint error = 0;
        Native.rocksdb_destroy_db(options, directory, ref error);
        NativeError.ThrowIfSet(error, "destroy", directory);
    }

    /// <summary>Rebuilds the manifest of a closed, damaged database from what its table and log files still
    /// hold.</summary>
    /// <remarks>Data may be lost, and deleted keys may return: keep a copy of the directory.</remarks>
    /// <param name="path">Its directory.</param>
    /// <param name="families">How every family is stored; the merge operator matters, as logs are replayed.</param>
    /// <param name="allowOtherMergeOperator">Whether to go on when families had another operator, or none alike: what
    /// a log holds from its first operand on may be lost then.</param>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.PathNotFound"/>: no such directory.
    /// <see cref="RocksDbStatus.LockHeld"/>: it is open. <see cref="RocksDbStatus.InvalidArgument"/>: a family had
    /// another merge operator; nothing was touched.</exception>
    public static void Repair(
        string path, ColumnFamilyOptions? families = null, bool allowOtherMergeOperator = false)
    {
        string directory = NameRules.RequirePath(path);
        if (!Directory.Exists(directory))
        {
            throw new RocksDbException(RocksDbStatus.PathNotFound, "repair", directory, "there is no such directory");
        }

        RocksDbLibrary.EnsureLoaded();
        if (!allowOtherMergeOperator)
        {
            StoredMergeOperators.RequireOne("repair", directory, families?.MergeOperator);
        }

        using OptionsHandle options = Native.rocksdb_options_create();
        families?.Copy().ApplyTo(options);
        nint error = 0;
        Native.rocksdb_repair_db(options, directory, ref error);
        NativeError.ThrowIfSet(error, "repair", directory);
    }

    /// <summary>Reads what the writer has written since. Only after <see cref="OpenSecondary"/>.</summary>
    /// <returns><see langword="false"/> when files vanished under the reader; trying again later is safe.</returns>
    /// <exception cref="RocksDbException"><see cref="RocksDbStatus.NotSupported"/>: not opened as a
    /// secondary.</exception>
    public bool TryCatchUpWithPrimary()
    {
        ThrowIfDisposed();
        nint error = 0;
        Native.rocksdb_try_catch_up_with_primary(_handle, ref error);
        if (error == 0)
        {
            return true;
        }

        RocksDbException failure = NativeError.Take(error, "catch-up with the primary", Path);
        if (failure.Status is RocksDbStatus.TryAgain or RocksDbStatus.PathNotFound or RocksDbStatus.Incomplete)
        {
            return false;
        }

        throw failure;
    }

    private static RocksDatabase OpenWritable(
        string path, DatabaseOptions options, IReadOnlyList<ColumnFamilyDescriptor>? families, Opener opener)
    {
        ArgumentNullException.ThrowIfNull(options);
        string directory = NameRules.RequirePath(path);
        bool exists = RequireExistence(directory, options.CreateIfMissing);
        IReadOnlyList<ColumnFamilyDescriptor> descriptors =
            families ?? (exists ? AllFamilies(directory) : []);
        return OpenWith(directory, options, descriptors, readsOnly: false, opener);
    }

    private static ColumnFamilyDescriptor[] AllFamilies(string directory) =>
        [.. ListColumnFamilies(directory).Select(static name => new ColumnFamilyDescriptor(name))];

    private static void ApplyFamily(ColumnFamilyOptions family, OptionsHandle options, TableOptionsHandle table)
    {
        family.ApplyTo(options);
        family.ApplyTo(table);
        Native.rocksdb_options_set_block_based_table_factory(options, table);
    }

    private static RocksDatabase OpenWith(
        string directory,
        DatabaseOptions options,
        IReadOnlyList<ColumnFamilyDescriptor> families,
        bool readsOnly,
        Opener opener)
    {
        RocksDbLibrary.EnsureLoaded();
        OpenedDatabase opened = new(options, families) { ReadsOnly = readsOnly };
        DatabaseHandle? handle = null;
        try
        {
            if (!options.AllowOtherMergeOperator)
            {
                StoredMergeOperators.Require(directory, opened.Families, opened.MergeOperators);
            }

            opened.PrepareFamilies();
            nint error = 0;
            ThreadCounters.TurnOff(); // What the log holds is sorted into memory, key by key.
            handle = Call(opener, opened, directory, ref error);
            handle.NoteOpened();
            ThrowIfUnreadable(error, "open", directory);
            return new RocksDatabase(directory, handle, opened);
        }
        catch
        {
            handle?.Dispose();
            opened.Release();
            throw;
        }
        finally
        {
            opened.ReleaseFamilyOptions();
        }
    }

    private static unsafe DatabaseHandle Call(
        Opener opener, OpenedDatabase opened, string directory, ref nint error)
    {
        using NativeText.Lines names = opened.CopyNames();
        fixed (nint* familyOptions = opened.FamilyOptions, families = opened.Handles)
        {
            return opener(
                opened.Options, directory, opened.Families.Count, names.Pointers, familyOptions, families, ref error);
        }
    }

    /// <summary>A missing file of a database that is there is damage, not absence.</summary>
    private static void ThrowIfUnreadable(nint error, string operation, string directory)
    {
        if (error == 0)
        {
            return;
        }

        RocksDbException failure = NativeError.Take(error, operation, directory);
        if (failure.Status == RocksDbStatus.PathNotFound && File.Exists(System.IO.Path.Combine(directory, "CURRENT")))
        {
            throw new RocksDbException(RocksDbStatus.Corruption, failure.Message, failure);
        }

        throw failure;
    }

    /// <summary>
    /// Whether a database is there. RocksDB itself makes directories and files before it finds that it must not, and
    /// with <c>create_if_missing</c> takes a directory whose <c>CURRENT</c> was lost for an empty one, deleting its
    /// tables.
    /// </summary>
    private static bool RequireExistence(string directory, bool create)
    {
        if (File.Exists(System.IO.Path.Combine(directory, "CURRENT")))
        {
            return true;
        }

        if (Directory.Exists(directory) && FirstStoreFile(directory) is { } left)
        {
            throw new RocksDbException(
                RocksDbStatus.Corruption,
                "open",
                directory,
                $"the file CURRENT is missing, but '{left}' is there, so this was a database. Restore CURRENT or the "
                + "whole directory from a copy, or use Repair.");
        }

        if (!create)
        {
            throw new RocksDbException(
                RocksDbStatus.PathNotFound,
                "open",
                directory,
                "there is no database (no file CURRENT). Check the path, or set CreateIfMissing to make one.");
        }

        return false;
    }

    private static string? FirstStoreFile(string directory) => Directory
        .EnumerateFiles(directory)
        .Select(static file => System.IO.Path.GetFileName(file))
        .Where(static name => name.StartsWith("MANIFEST-", StringComparison.Ordinal)
            || name.EndsWith(".sst", StringComparison.Ordinal)
            || name.EndsWith(".blob", StringComparison.Ordinal)
            || (name.EndsWith(".log", StringComparison.Ordinal) && name.Length > 4 && char.IsAsciiDigit(name[0])))
        .Min(StringComparer.Ordinal);
}
