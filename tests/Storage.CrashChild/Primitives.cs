using System.Security.Cryptography;
using System.Text;
using Branching.Storage.Shared;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Calls the primitives of shared storage one after the other and says of each, once it is answered, what must survive
/// from then on; whoever started it looks at the system calls in between. Arguments: shared directory, "primitives", a
/// local file to send, whether changes are made durable.
/// </summary>
internal static class Primitives
{
    public static async Task<int> RunAsync(string[] args)
    {
        string file = args[2];
        PosixSharedStorage shared = await PosixSharedStorage.OpenAsync(args[0]).ConfigureAwait(false);
        if (!bool.Parse(args[3]))
        {
            shared = shared.WithoutSync();
        }

        await PutAsync(shared, "plain", "1").ConfigureAwait(false);
        await PutAsync(shared, "new/and/deep", "2").ConfigureAwait(false);
        await PutAsync(shared, "new/and/second", "3").ConfigureAwait(false);
        await PutAsync(shared, "plain", "taken").ConfigureAwait(false);
        await PutAsync(shared, "left/behind/by-a-dead-process", "4").ConfigureAwait(false);
        await shared.ReplaceAsync("lease", Bytes("first"), default).ConfigureAwait(false);
        Program.Say("put lease");
        await shared.ReplaceAsync("lease", Bytes("second"), default).ConfigureAwait(false);
        Program.Say("put lease");
        await shared.ReplaceAsync("another/lease", Bytes("first"), default).ConfigureAwait(false);
        Program.Say("put another/lease");
        await DeleteAsync(shared, "new/and/second").ConfigureAwait(false);
        await DeleteAsync(shared, "new/and/second").ConfigureAwait(false);

        byte[] content = await File.ReadAllBytesAsync(file).ConfigureAwait(false);
        string sha256 = Convert.ToHexStringLower(SHA256.HashData(content));
        FileToSend sent = new(file, content.Length, sha256);
        await shared.PutFileIfAbsentAsync("objects/continued", sent, default).ConfigureAwait(false);
        Program.Say("put objects/continued");
        await shared.PutFileIfAbsentAsync("objects/sent", sent, default).ConfigureAwait(false);
        Program.Say("put objects/sent");
        await shared.PutFileIfAbsentAsync("objects/sent", sent, default).ConfigureAwait(false);
        Program.Say("put objects/sent");
        using (MemoryStream stream = new(content))
        {
            await shared.PutStreamIfAbsentAsync("objects/streamed", stream, content.Length, sha256, null, default)
                .ConfigureAwait(false);
        }

        Program.Say("put objects/streamed");
        string fetched = Path.Combine(args[0], "..", "fetched");
        await shared.FetchFileAsync("objects/sent", new FileToFetch(fetched), default).ConfigureAwait(false);
        Program.Say("put ../fetched");
        return 0;
    }

    private static async Task PutAsync(PosixSharedStorage shared, string name, string content)
    {
        await shared.PutIfAbsentAsync(name, Bytes(content), default).ConfigureAwait(false);
        Program.Say($"put {name}");
    }

    private static async Task DeleteAsync(PosixSharedStorage shared, string name)
    {
        Program.Say($"deleting {name}");
        await shared.DeleteAsync(name, default).ConfigureAwait(false);
        Program.Say($"deleted {name}");
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
