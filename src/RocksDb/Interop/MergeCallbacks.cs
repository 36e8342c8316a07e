using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Branching.RocksDb.Interop;

/// <summary>What RocksDB calls of a <see cref="MergeOperator"/>. Nothing here throws across the border.</summary>
internal sealed unsafe class MergeCallbacks
{
    // A read that merges does it on the thread of the read, which then takes the failure along with RocksDB's text.
    [ThreadStatic]
    private static Exception? _failure;

    private readonly MergeOperator _operator;
    private readonly CallbackName _name;

    private MergeCallbacks(MergeOperator mergeOperator)
    {
        _operator = mergeOperator;
        _name = new CallbackName(mergeOperator.Name);
    }

    /// <summary>Why the newest merge of this thread failed, once.</summary>
    public static Exception? TakeFailure()
    {
        Exception? failure = _failure;
        _failure = null;
        return failure;
    }

    /// <summary>Gives the options an operator; they own it, and the databases opened with them.</summary>
    public static void Apply(MergeOperator mergeOperator, OptionsHandle options)
    {
        GCHandle state = GCHandle.Alloc(new MergeCallbacks(mergeOperator));
        nint native = Native.rocksdb_mergeoperator_create(
            GCHandle.ToIntPtr(state),
            (nint)(delegate* unmanaged[Cdecl]<nint, void>)&Release,
            (nint)(delegate* unmanaged[Cdecl]<
                nint, byte*, nuint, byte*, nuint, byte**, nuint*, int, byte*, nuint*, byte*>)&FullMerge,
            (nint)(delegate* unmanaged[Cdecl]<
                nint, byte*, nuint, byte**, nuint*, int, byte*, nuint*, byte*>)&PartialMerge,
            (nint)(delegate* unmanaged[Cdecl]<nint, byte*, nuint, void>)&DeleteValue,
            (nint)(delegate* unmanaged[Cdecl]<nint, byte*>)&Name);
        Native.rocksdb_options_set_merge_operator(options, native);
    }

    private static MergeCallbacks Of(nint state) => (MergeCallbacks)GCHandle.FromIntPtr(state).Target!;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(nint state) => GCHandle.FromIntPtr(state).Free();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte* Name(nint state) => Of(state)._name.Pointer;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void DeleteValue(nint state, byte* value, nuint length)
    {
        // The result is this thread's buffer, see PinnedBuffer.Return; RocksDB has copied it.
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte* FullMerge(
        nint state, byte* key, nuint keyLength, byte* existing, nuint existingLength, byte** operands,
        nuint* operandLengths, int count, byte* success, nuint* resultLength)
    {
        MergeOperator mergeOperator = Of(state)._operator;
        PinnedBuffer? buffer = null;
        bool merged = false;
        try
        {
            buffer = PinnedBuffer.Rent();
            merged = mergeOperator.TryMerge(
                new ReadOnlySpan<byte>(key, checked((int)keyLength)),
                existing is not null,
                new ReadOnlySpan<byte>(existing, checked((int)existingLength)),
                new MergeOperands(operands, operandLengths, count),
                buffer);
            if (!merged)
            {
                throw new InvalidOperationException("The operator says that these operands cannot be merged.");
            }
        }
        catch (Exception cause)
        {
            merged = false;
            mergeOperator.Remember(cause);
            _failure = cause;
        }

        return Answer(buffer, merged, success, resultLength);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte* PartialMerge(
        nint state, byte* key, nuint keyLength, byte** operands, nuint* operandLengths, int count, byte* success,
        nuint* resultLength)
    {
        MergeOperator mergeOperator = Of(state)._operator;
        PinnedBuffer? buffer = null;
        bool combined = false;
        try
        {
            buffer = PinnedBuffer.Rent();
            combined = mergeOperator.TryCombine(
                new ReadOnlySpan<byte>(key, checked((int)keyLength)),
                new MergeOperands(operands, operandLengths, count),
                buffer);
        }
        catch (Exception cause)
        {
            mergeOperator.Remember(cause); // No failure of RocksDB's: it keeps the operands apart.
        }

        return Answer(buffer, combined, success, resultLength);
    }

    private static byte* Answer(PinnedBuffer? buffer, bool success, byte* successFlag, nuint* resultLength)
    {
        // RocksDB sets neither before the call and copies the result before it looks at the flag.
        *successFlag = Flag.Of(success);
        *resultLength = success && buffer is not null ? (nuint)buffer.Length : 0;
        byte* result = buffer is null ? null : buffer.Start;
        buffer?.Return();
        return result;
    }
}
