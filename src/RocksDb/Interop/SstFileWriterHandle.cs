using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>Owns <c>rocksdb_sstfilewriter_t*</c> and keeps the options alive that it was made with.</summary>
internal sealed class SstFileWriterHandle : SafeHandle
{
    private ParentReference _environmentOptions;
    private ParentReference _options;

    public SstFileWriterHandle()
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    public static SstFileWriterHandle Create(ColumnFamilyOptions family)
    {
        using OptionsHandle options = Native.rocksdb_options_create();
        using TableOptionsHandle table = Native.rocksdb_block_based_options_create();
        using EnvironmentOptionsHandle environment = Native.rocksdb_envoptions_create();
        Native.rocksdb_block_based_options_set_no_block_cache(table, 1); // It only writes.
        family.ApplyTo(options);
        family.ApplyTo(table);
        Native.rocksdb_options_set_block_based_table_factory(options, table);
        SstFileWriterHandle writer = Native.rocksdb_sstfilewriter_create(environment, options);
        writer._environmentOptions = ParentReference.Take(environment);
        writer._options = ParentReference.Take(options);
        return writer;
    }

    protected override bool ReleaseHandle()
    {
        Native.rocksdb_sstfilewriter_destroy(handle);
        _options.Release();
        _environmentOptions.Release();
        return true;
    }
}
