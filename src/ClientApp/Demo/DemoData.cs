using System.Diagnostics;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;

namespace Branching.ClientApp.Demo;

/// <summary>Real records of this machine.</summary>
/// <param name="Source">Where they come from, for people.</param>
/// <param name="Records">The records, by key.</param>
internal sealed record DemoRecords(string Source, SortedDictionary<byte[], byte[]> Records);

/// <summary>Finds real data that a fresh machine has: the first source with enough records is taken.</summary>
internal static class DemoData
{
    public const int EnoughRecords = 20_000;

    private static readonly TimeSpan _aptWithin = TimeSpan.FromSeconds(20);

    /// <summary>The machine's package list, else the code of the .NET framework that runs this.</summary>
    public static async Task<DemoRecords> FindAsync(CancellationToken cancellationToken)
    {
        if (await FromAptAsync(cancellationToken) is { } apt && apt.Records.Count >= EnoughRecords)
        {
            return apt;
        }

        foreach (string file in (string[])["/var/lib/dpkg/available", "/var/lib/dpkg/status"])
        {
            if (File.Exists(file))
            {
                using StreamReader reader = File.OpenText(file);
                SortedDictionary<byte[], byte[]> packages = await ReadStanzasAsync(reader, cancellationToken);
                if (packages.Count >= EnoughRecords)
                {
                    return new DemoRecords($"the packages in {file}", packages);
                }
            }
        }

        DemoRecords framework = FromFramework();
        return framework.Records.Count >= EnoughRecords
            ? framework
            : throw new UserError(
                ExitCode.NotFound,
                $"no real data of {EnoughRecords:N0} records was found on this machine",
                "name a file: branching demo FILE",
                "NoData");
    }

    /// <summary>Package stanzas under name, version and architecture.</summary>
    public static async Task<SortedDictionary<byte[], byte[]>> ReadStanzasAsync(
        TextReader reader, CancellationToken cancellationToken)
    {
        var packages = new SortedDictionary<byte[], byte[]>(ByteOrder.Instance);
        var stanza = new StringBuilder();
        string name = "";
        string version = "";
        string architecture = "";
        while (true)
        {
            string? line = await reader.ReadLineAsync(cancellationToken);
            if (string.IsNullOrEmpty(line))
            {
                if (name.Length > 0)
                {
                    byte[] key = Encoding.UTF8.GetBytes($"{name} {version} {architecture}");
                    packages[key] = Encoding.UTF8.GetBytes(stanza.ToString());
                }

                stanza.Clear();
                name = version = architecture = "";
                if (line is null)
                {
                    return packages;
                }

                continue;
            }

            stanza.Append(line).Append('\n');
            name = FieldOf(line, "Package: ") ?? name;
            version = FieldOf(line, "Version: ") ?? version;
            architecture = FieldOf(line, "Architecture: ") ?? architecture;
        }
    }

    /// <summary>Every method of the running framework's assemblies with its code.</summary>
    public static DemoRecords FromFramework()
    {
        string directory = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var methods = new SortedDictionary<byte[], byte[]>(ByteOrder.Instance);
        foreach (string file in Directory.EnumerateFiles(directory, "System*.dll").Order(StringComparer.Ordinal))
        {
            using FileStream stream = File.OpenRead(file);
            using var image = new PEReader(stream);
            if (image.HasMetadata)
            {
                AddMethods(methods, Path.GetFileNameWithoutExtension(file), image);
            }
        }

        return new DemoRecords($"the methods of the framework in {directory}", methods);
    }

    private static void AddMethods(SortedDictionary<byte[], byte[]> methods, string assembly, PEReader image)
    {
        MetadataReader metadata = image.GetMetadataReader();
        foreach (MethodDefinitionHandle handle in metadata.MethodDefinitions)
        {
            MethodDefinition method = metadata.GetMethodDefinition(handle);
            if (method.RelativeVirtualAddress == 0)
            {
                continue;
            }

            TypeDefinition type = metadata.GetTypeDefinition(method.GetDeclaringType());
            string name = $"{assembly}/{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}"
                + $".{metadata.GetString(method.Name)}#{MetadataTokens(handle)}";
            byte[]? code = image.GetMethodBody(method.RelativeVirtualAddress).GetILBytes();
            methods[Encoding.UTF8.GetBytes(name)] = code ?? [];
        }
    }

    private static int MetadataTokens(MethodDefinitionHandle handle)
        => System.Reflection.Metadata.Ecma335.MetadataTokens.GetRowNumber(handle);

    private static string? FieldOf(string line, string field)
        => line.StartsWith(field, StringComparison.Ordinal) ? line[field.Length..] : null;

    private static async Task<DemoRecords?> FromAptAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_aptWithin);
        var start = new ProcessStartInfo("apt-cache", ["dumpavail"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        Process? process = null;
        try
        {
            process = Process.Start(start)!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            SortedDictionary<byte[], byte[]> packages = await ReadStanzasAsync(process.StandardOutput, deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return new DemoRecords("this machine's package list (apt-cache dumpavail)", packages);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // No apt here, or one that does not answer: the next source is as good.
            return null;
        }
        finally
        {
            if (process is { HasExited: false })
            {
                process.Kill();
            }

            process?.Dispose();
        }
    }
}
