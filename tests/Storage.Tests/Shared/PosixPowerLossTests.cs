using System.Security.Cryptography;
using Xunit.Abstractions;

namespace Branching.Storage.Tests.Shared;

/// <summary>
/// Loss of power on the file system below shared storage: a child process calls each primitive, and the system calls
/// that it really makes are played into a model (<see cref="TracedDisk"/>). What was answered must survive at every
/// moment from then on, and no name may ever stand for content that can be lost.
/// </summary>
public sealed class PosixPowerLossTests(ITestOutputHelper output)
{
    private const string Calls =
        "trace=open,openat,mkdir,mkdirat,link,linkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,fsync,fdatasync,"
        + "write,pwrite64,writev,pwritev,ftruncate,copy_file_range";

    [TracingFact]
    public async Task What_a_primitive_answered_survives_a_loss_of_power_at_any_later_moment()
    {
        (TracedDisk disk, List<string> lost, int answers) = await PlayAsync(durably: true);

        output.WriteLine($"{answers} answers, {disk.Changes} changes.");
        Assert.True(answers > 14, $"{answers}");
        Assert.True(disk.Changes > 50, $"{disk.Changes}");
        Assert.Empty(lost);
        Assert.Empty(disk.Problems);
    }

    [TracingFact]
    public async Task The_model_finds_what_is_lost_when_nothing_is_flushed()
    {
        (TracedDisk disk, List<string> lost, _) = await PlayAsync(durably: false);

        Assert.Contains(lost, one => one.StartsWith("plain: the name ", StringComparison.Ordinal));
        Assert.Contains(lost, one => one.StartsWith("lease: ", StringComparison.Ordinal));
        Assert.Contains(disk.Problems, one => one.Contains("/shared/plain", StringComparison.Ordinal));
        Assert.Contains(disk.Problems, one => one.Contains("/shared/objects/sent", StringComparison.Ordinal));
    }

    private static async Task<(TracedDisk Disk, List<string> Lost, int Answers)> PlayAsync(bool durably)
    {
        string root = Directory.CreateTempSubdirectory("branching-traced-").FullName;
        try
        {
            (string file, string part) = await MakeFilesAsync(root);
            string behind = Directory.CreateDirectory(Path.Combine(root, "shared", "left", "behind")).FullName;
            string trace = Path.Combine(root, "trace");
            TracedDisk disk = new(root);
            disk.Has(root, isDurable: true);
            disk.Has(Path.Combine(root, "shared"), isDurable: true);

            // A process was killed after it had made these, and before it made them durable.
            disk.Has(Path.GetDirectoryName(behind)!, isDurable: false);
            disk.Has(behind, isDurable: false);
            disk.Has(Path.GetDirectoryName(part)!, isDurable: false);
            disk.Has(part, isDurable: false);

            Ended ended = await ChildProcess.RunAsync(
            [
                "strace", "-f", "-y", "-qq", "-s", "200", "-e", Calls, "-e", "signal=none", "-o", trace,
                .. ChildProcess.Child(Path.Combine(root, "shared"), "primitives", file, $"{durably}"),
            ]);

            Assert.True(ended.Exit == 0, ended.ToString());
            (List<string> lost, int answers) = Play(disk, root, await File.ReadAllLinesAsync(trace));
            Assert.True(answers == ended.Lines.Count, $"{answers} answers in the trace. {ended}");
            return (disk, lost, answers);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>After each call looks at all that was answered before it.</summary>
    private static (List<string> Lost, int Answers) Play(TracedDisk disk, string root, string[] trace)
    {
        Dictionary<string, bool> answered = new(StringComparer.Ordinal);
        HashSet<string> lost = new(StringComparer.Ordinal);
        int answers = 0;
        foreach (string line in trace)
        {
            string[] said = disk.Take(line)?.Split(' ') ?? [];
            if (said is [var did, var what])
            {
                answers++;
                answered.Remove(what); // While it is being deleted it may be there or not.
                if (did != "deleting")
                {
                    answered.Add(what, did == "put");
                }

                lost.UnionWith(Look(disk, root, answered, whole: true));
            }
            else
            {
                lost.UnionWith(Look(disk, root, answered, whole: false));
            }
        }

        return ([.. lost], answers);
    }

    private static IEnumerable<string> Look(
        TracedDisk disk, string root, Dictionary<string, bool> answered, bool whole)
    {
        foreach ((string name, bool isThere) in answered)
        {
            string path = Path.GetFullPath(Path.Combine(root, "shared", name));
            if (isThere && disk.WhyLost(path) is { } why
                && (whole || !why.StartsWith("what took the place", StringComparison.Ordinal)))
            {
                yield return $"{name}: {why}";
            }
            else if (!isThere && disk.MayBeThere(path))
            {
                yield return $"{name}: it may be there again";
            }
        }
    }

    /// <summary>A file to send, and the half of it that an earlier process left, not durable.</summary>
    private static async Task<(string File, string Part)> MakeFilesAsync(string root)
    {
        byte[] content = new byte[(9 << 20) + 17];
        new Random(20261122).NextBytes(content);
        string file = Path.Combine(root, "file");
        await File.WriteAllBytesAsync(file, content);
        string sha256 = Convert.ToHexStringLower(SHA256.HashData(content));
        string temporary = Directory.CreateDirectory(Path.Combine(root, "shared", ".tmp")).FullName;
        string part = Path.Combine(temporary, sha256 + ".part");
        await File.WriteAllBytesAsync(part, content[..(5 << 20)]);
        return (file, part);
    }
}
