namespace Branching.RocksDb.Interop;

/// <summary>RocksDB's C API takes <c>unsigned char</c> for yes and no.</summary>
internal static class Flag
{
    public static byte Of(bool value) => value ? (byte)1 : (byte)0;
}
