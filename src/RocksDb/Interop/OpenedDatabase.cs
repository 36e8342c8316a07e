namespace Branching.RocksDb.Interop;

/// <summary>The native options of one opening, and the column families that came out of it.</summary>
internal sealed class OpenedDatabase
{
    /// <summary>Size of the cache a database makes for itself when none is given.</summary>
    private const long OwnCacheBytes = 32L << 20;

    private readonly List<OptionsHandle> _familyOptions = [];

    public OpenedDatabase(DatabaseOptions options, IReadOnlyList<ColumnFamilyDescriptor> families)
    {
        DefaultFamilyOptions = options.DefaultColumnFamily.Copy();
        Statistics = options.StatisticsEnabled;
        CompactOnClose = options.CompactOnClose;
        Families = WithDefault(families);
        Handles = new nint[Families.Count];
        FamilyOptions = new nint[Families.Count];
        Compressions = new Compression[Families.Count];
        MergeOperators = [.. Families.Select(family => (family.Options ?? DefaultFamilyOptions).MergeOperator)];
        Options = options.CreateHandle();
        try
        {
            TableOptions = CreateTableOptions(options);
        }
        catch
        {
            Options.Dispose();
            throw;
        }
    }

    /// <summary>Whether the files are not this opening's to change.</summary>
    public bool ReadsOnly { get; init; }

    public OptionsHandle Options { get; }

    public TableOptionsHandle TableOptions { get; }

    public ColumnFamilyOptions DefaultFamilyOptions { get; }

    public bool Statistics { get; }

    public bool CompactOnClose { get; }

    public IReadOnlyList<ColumnFamilyDescriptor> Families { get; }

    /// <summary>The native families after the opening, in the order of <see cref="Families"/>.</summary>
    public nint[] Handles { get; }

    /// <summary>Native options per family, valid until <see cref="ReleaseFamilyOptions"/>.</summary>
    public nint[] FamilyOptions { get; }

    public Compression[] Compressions { get; }

    public MergeOperator?[] MergeOperators { get; }

    public void PrepareFamilies()
    {
        for (int i = 0; i < Families.Count; i++)
        {
            ColumnFamilyOptions family = Families[i].Options ?? DefaultFamilyOptions;
            OptionsHandle options = Native.rocksdb_options_create();
            _familyOptions.Add(options);
            family.ApplyTo(options);
            family.ApplyTo(TableOptions);
            Native.rocksdb_options_set_block_based_table_factory(options, TableOptions);
            FamilyOptions[i] = options.DangerousGetHandle();
            Compressions[i] = family.EffectiveCompression();
        }
    }

    public NativeText.Lines CopyNames() => NativeText.Copy([.. Families.Select(static family => family.Name)]);

    public void ReleaseFamilyOptions()
    {
        foreach (OptionsHandle options in _familyOptions)
        {
            options.Dispose();
        }
    }

    /// <summary>Releases what a successful opening hands over to the database.</summary>
    public void Release()
    {
        Options.Dispose();
        TableOptions.Dispose();
    }

    private static List<ColumnFamilyDescriptor> WithDefault(IReadOnlyList<ColumnFamilyDescriptor> families)
    {
        List<ColumnFamilyDescriptor> all = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (ColumnFamilyDescriptor family in families)
        {
            NameRules.RequireFamilyName(family.Name);
            if (!names.Add(family.Name))
            {
                throw new ArgumentException($"Column family '{family.Name}' is named twice.", nameof(families));
            }

            all.Add(family);
        }

        if (!names.Contains(ColumnFamily.DefaultName))
        {
            all.Insert(0, new ColumnFamilyDescriptor(ColumnFamily.DefaultName));
        }

        return all;
    }

    private static TableOptionsHandle CreateTableOptions(DatabaseOptions options)
    {
        TableOptionsHandle table = Native.rocksdb_block_based_options_create();
        try
        {
            if (options.NoBlockCache)
            {
                Native.rocksdb_block_based_options_set_no_block_cache(table, 1);
            }
            else if (options.BlockCache is { } shared)
            {
                Native.rocksdb_block_based_options_set_block_cache(table, shared.Open());
            }
            else
            {
                // One for all families, as a family without a cache would make one for itself alone.
                using BlockCacheHandle own = BlockCacheHandle.Create(OwnCacheBytes);
                Native.rocksdb_block_based_options_set_block_cache(table, own);
            }

            return table;
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }
}
