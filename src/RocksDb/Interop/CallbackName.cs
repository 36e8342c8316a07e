using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Branching.RocksDb.Interop;

/// <summary>The zero-terminated name of an object with callbacks; RocksDB asks for it when it likes.</summary>
internal sealed unsafe class CallbackName
{
    private const int Longest = 100;

    // What RocksDB's options files and logs carry without quoting.
    private static readonly SearchValues<char> _allowed = SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

    private readonly byte[] _bytes;

    /// <exception cref="ArgumentException">It is not a name.</exception>
    public CallbackName(string name)
    {
        Require(name);
        _bytes = GC.AllocateArray<byte>(name.Length + 1, pinned: true);
        Encoding.ASCII.GetBytes(name, _bytes);
    }

    public byte* Pointer => (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0);

    public static void Require(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Length > Longest || name.AsSpan().ContainsAnyExcept(_allowed))
        {
            throw new ArgumentException(
                $"'{name}' is no name for an operator or a filter: 1 to {Longest} letters (a to z), digits, points, "
                + "dashes and underscores.",
                nameof(name));
        }
    }
}
