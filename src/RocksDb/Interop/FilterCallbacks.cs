using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>What RocksDB calls of a <see cref="CompactionFilter"/>. Nothing here throws across the border.</summary>
/// <remarks>
/// Given to RocksDB as a factory: options own their factory and a compaction its filter, while a filter that is set
/// directly belongs to nobody and would have to outlive the database.
/// </remarks>
internal sealed unsafe class FilterCallbacks
{
    private readonly CompactionFilter _filter;
    private readonly CallbackName _name;

    private FilterCallbacks(CompactionFilter filter)
    {
        _filter = filter;
        _name = new CallbackName(filter.Name);
    }

    /// <summary>Gives the options a filter; they own it, and the databases opened with them.</summary>
    public static void Apply(CompactionFilter filter, OptionsHandle options)
    {
        GCHandle state = GCHandle.Alloc(new FilterCallbacks(filter));
        nint factory = Native.rocksdb_compactionfilterfactory_create(
            GCHandle.ToIntPtr(state),
            (nint)(delegate* unmanaged[Cdecl]<nint, void>)&Release,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint>)&CreateFilter,
            (nint)(delegate* unmanaged[Cdecl]<nint, byte*>)&Name);
        Native.rocksdb_options_set_compaction_filter_factory(options, factory);
    }

    private static FilterCallbacks Of(nint state) => (FilterCallbacks)GCHandle.FromIntPtr(state).Target!;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(nint state) => GCHandle.FromIntPtr(state).Free();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte* Name(nint state) => Of(state)._name.Pointer;

    /// <summary>A filter for one compaction, with a state of its own.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint CreateFilter(nint state, nint context)
    {
        FilterCallbacks callbacks = Of(state);
        try
        {
            GCHandle own = GCHandle.Alloc(callbacks);
            return Native.rocksdb_compactionfilter_create(
                GCHandle.ToIntPtr(own),
                (nint)(delegate* unmanaged[Cdecl]<nint, void>)&Release,
                (nint)(delegate* unmanaged[Cdecl]<
                    nint, int, byte*, nuint, byte*, nuint, byte**, nuint*, byte*, byte>)&Filter,
                (nint)(delegate* unmanaged[Cdecl]<nint, byte*>)&Name);
        }
        catch (Exception cause)
        {
            callbacks._filter.Remember(cause);
            return 0; // This compaction goes without.
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte Filter(
        nint state, int level, byte* key, nuint keyLength, byte* value, nuint valueLength, byte** newValue,
        nuint* newLength, byte* changed)
    {
        const byte Keep = 0;
        const byte Remove = 1;
        CompactionFilter filter = Of(state)._filter;
        PinnedBuffer? buffer = null;
        try
        {
            buffer = PinnedBuffer.Rent();
            CompactionDecision decision = filter.Decide(
                level,
                new ReadOnlySpan<byte>(key, checked((int)keyLength)),
                new ReadOnlySpan<byte>(value, checked((int)valueLength)),
                buffer);
            if (decision == CompactionDecision.Change)
            {
                *newValue = buffer.Start; // RocksDB copies it when this returns, and frees nothing.
                *newLength = (nuint)buffer.Length;
                *changed = 1;
            }

            return decision == CompactionDecision.Remove ? Remove : Keep;
        }
        catch (Exception cause)
        {
            filter.Remember(cause);
            return Keep;
        }
        finally
        {
            buffer?.Return();
        }
    }
}
