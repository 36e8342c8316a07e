using System.Text;

namespace Branching.Cluster.Tests;

internal static class Bytes
{
    public static ReadOnlyMemory<byte> Of(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    public static async Task<string?> ReadAsync(this IStoreGrain store, string key, string? columnFamily = null)
    {
        GetResponse answer = await store.GetAsync(new GetRequest(Of(key), columnFamily));
        return answer.Found ? Text(answer.Value) : null;
    }

    public static async Task<WriteResponse> PutAsync(this IStoreGrain store, string key, string value)
        => await store.PutAsync(Of(key), Of(value), WriteDurability.Buffered);

    public static async Task PutManyAsync(this IStoreGrain store, int count, int valueBytes)
    {
        byte[] value = new byte[valueBytes];
        WriteOperation[] all = [.. Enumerable.Range(0, count).Select(i =>
            new WriteOperation(WriteOperationKind.Put, Of($"key{i:D6}"), value))];
        foreach (WriteOperation[] some in all.Chunk(Math.Max(1, (1 << 20) / (valueBytes + 16))))
        {
            await store.WriteAsync(new WriteRequest(some, null, WriteDurability.Buffered));
        }
    }
}
