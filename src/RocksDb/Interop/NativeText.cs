using System.Runtime.InteropServices;
using System.Text;

namespace Branching.RocksDb.Interop;

/// <summary>UTF-8 text that crosses the border.</summary>
internal static unsafe class NativeText
{
    /// <summary>Copies a zero-terminated text and frees it; <see langword="null"/> for a null pointer.</summary>
    public static string? Take(nint text)
    {
        if (text == 0)
        {
            return null;
        }

        try
        {
            return Marshal.PtrToStringUTF8(text);
        }
        finally
        {
            Native.rocksdb_free(text);
        }
    }

    public static string Read(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    /// <summary>Zero-terminated copies of several texts, side by side; freed by <see cref="Lines.Dispose"/>.</summary>
    public static Lines Copy(IReadOnlyList<string> texts) => new(texts);

    public readonly ref struct Lines
    {
        private readonly byte** _pointers;
        private readonly int _count;

        public Lines(IReadOnlyList<string> texts)
        {
            _count = texts.Count;
            _pointers = (byte**)NativeMemory.AllocZeroed((nuint)Math.Max(1, _count), (nuint)sizeof(byte*));
            for (int i = 0; i < _count; i++)
            {
                int length = Encoding.UTF8.GetByteCount(texts[i]);
                byte* copy = (byte*)NativeMemory.Alloc((nuint)length + 1);
                Encoding.UTF8.GetBytes(texts[i], new Span<byte>(copy, length));
                copy[length] = 0;
                _pointers[i] = copy;
            }
        }

        public byte** Pointers => _pointers;

        public void Dispose()
        {
            for (int i = 0; i < _count; i++)
            {
                NativeMemory.Free(_pointers[i]);
            }

            NativeMemory.Free(_pointers);
        }
    }
}
