using Branching.Grains;
using Branching.Storage;
using Branching.Storage.Ownership;
using Branching.Storage.Snapshots;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Branching.Silo;

/// <summary>
/// Reads the settings of a server: a JSON file, then environment variables (<c>BRANCHING__STORAGE__DATAROOT</c>), then
/// the command line; later ones win. Anything unknown is refused by name.
/// </summary>
internal static class ServerConfiguration
{
    private const string Root = "Branching";
    private const string Orleans = "Orleans";
    private const string FileSwitch = "--config";
    private const string SharedDirectory = $"{SharedStorageOptions.Section}:{nameof(SharedStorageOptions.Directory)}";

    private static readonly Dictionary<string, string> _switches = new(StringComparer.Ordinal)
    {
        ["--data-root"] = $"{StorageOptions.Section}:{nameof(StorageOptions.DataRoot)}",
        ["--native-library"] = $"{StorageOptions.Section}:{nameof(StorageOptions.NativeLibrary)}",
        ["--address"] = $"{ServerOptions.Section}:{nameof(ServerOptions.Address)}",
        ["--silo-port"] = $"{ServerOptions.Section}:{nameof(ServerOptions.SiloPort)}",
        ["--gateway-port"] = $"{ServerOptions.Section}:{nameof(ServerOptions.GatewayPort)}",
        ["--shared-storage"] = SharedDirectory,
        ["--clustering"] = $"{ServerOptions.Section}:{nameof(ServerOptions.Clustering)}",
        ["--primary"] = $"{ServerOptions.Section}:{nameof(ServerOptions.Primary)}",
        ["--cluster-id"] = $"{ServerOptions.Section}:{nameof(ServerOptions.ClusterId)}",
        ["--node-name"] = $"{ServerOptions.Section}:{nameof(ServerOptions.NodeName)}",
    };

    private static readonly Dictionary<string, Type> _sections = new(StringComparer.OrdinalIgnoreCase)
    {
        [StorageOptions.Section] = typeof(StorageOptions),
        [ServingOptions.Section] = typeof(ServingOptions),
        [ServerOptions.Section] = typeof(ServerOptions),
        [MembershipOptions.Section] = typeof(MembershipOptions),
        [SharedStorageOptions.Section] = typeof(SharedStorageOptions),
        [OwnershipOptions.Section] = typeof(OwnershipOptions),
        [SnapshotOptions.Section] = typeof(SnapshotOptions),
        [ScheduleOptions.Section] = typeof(ScheduleOptions),
        [FailoverOptions.Section] = typeof(FailoverOptions),
        [NodeBackupOptions.Section] = typeof(NodeBackupOptions),
    };

    /// <summary>What the command line takes, one line for each switch.</summary>
    public static IEnumerable<string> Usage =>
        [$"{FileSwitch} <file>  a JSON file of settings",
            .. _switches.Select(pair => $"{pair.Key} <value>  {pair.Value}")];

    /// <summary>Reads all sources.</summary>
    /// <exception cref="BranchingException"><see cref="Grains.FailureKind.InvalidArgument"/>, naming what is
    /// wrong.</exception>
    public static IConfigurationRoot Read(IReadOnlyList<string> arguments)
    {
        Dictionary<string, string?> fromLine = Parse(arguments, out string? file);
        ConfigurationBuilder builder = new();
        if (file is not null)
        {
            AddFile(builder, file);
        }

        builder.AddEnvironmentVariables().AddInMemoryCollection(fromLine);
        IConfigurationRoot configuration = builder.Build();
        ThrowIfWrong(configuration);
        return configuration;
    }

    /// <summary>Refuses settings that there are not, and values that they do not take.</summary>
    /// <exception cref="BranchingException"><see cref="Grains.FailureKind.InvalidArgument"/>, naming what is
    /// wrong.</exception>
    public static void ThrowIfWrong(IConfiguration configuration)
    {
        Refuse(UnknownKeys(configuration));
        foreach ((string section, Type type) in _sections)
        {
            Bind(configuration, section, Activator.CreateInstance(type)!);
        }
    }

    /// <summary>The server's options, checked, and with the way nodes find each other decided.</summary>
    public static ServerSettings Server(IConfiguration configuration)
    {
        ServerOptions options = Bind<ServerOptions>(configuration, ServerOptions.Section);
        MembershipOptions membership = Bind<MembershipOptions>(configuration, MembershipOptions.Section);
        string? shared = configuration[SharedDirectory] is { Length: > 0 } directory
            ? Path.GetFullPath(directory)
            : null;
        bool provider = configuration.GetSection($"{Orleans}:Clustering").Exists();
        options.Clustering ??= shared is not null && !provider ? ServerClustering.SharedStorage
            : provider ? ServerClustering.Provider
            : ServerClustering.Development;
        Refuse(ServerOptions.Section, new ServerOptionsValidator().Validate(null, options));
        Refuse(ServerOptions.Section, new ServerOptionsRules().Validate(null, options));
        Refuse(MembershipOptions.Section, new MembershipOptionsValidator().Validate(null, membership));
        if (options.Clustering == ServerClustering.SharedStorage && shared is null)
        {
            throw Refused($"Clustering '{options.Clustering}' needs the shared directory: give --shared-storage DIR.");
        }

        if (provider != (options.Clustering == ServerClustering.Provider))
        {
            throw Refused(provider
                ? $"{Orleans}:Clustering configures a membership provider, but Clustering is '{options.Clustering}'."
                : $"Clustering '{options.Clustering}' needs {Orleans}:Clustering:ProviderType and what it asks for.");
        }

        return new ServerSettings(options, membership, shared);
    }

    private static TOptions Bind<TOptions>(IConfiguration configuration, string section)
        where TOptions : notnull, new()
    {
        TOptions options = new();
        Bind(configuration, section, options);
        return options;
    }

    private static void Bind(IConfiguration configuration, string section, object options)
    {
        try
        {
            configuration.GetSection(section).Bind(options);
        }
        catch (InvalidOperationException e)
        {
            throw Refused(e.Message);
        }
    }

    private static bool IsSection(string argument, string section)
        => argument.StartsWith($"--{section}:", StringComparison.OrdinalIgnoreCase);

    private static Dictionary<string, string?> Parse(IReadOnlyList<string> arguments, out string? file)
    {
        Dictionary<string, string?> found = new(StringComparer.OrdinalIgnoreCase);
        file = null;
        for (int i = 0; i < arguments.Count; i++)
        {
            string[] parts = arguments[i].Split('=', 2);
            string? key = parts[0] == FileSwitch ? FileSwitch
                : _switches.TryGetValue(parts[0], out string? mapped) ? mapped
                : IsSection(parts[0], Root) || IsSection(parts[0], Orleans) ? parts[0][2..]
                : throw Refused($"'{parts[0]}' is no setting of the server.");
            string value = parts.Length == 2 ? parts[1]
                : i + 1 < arguments.Count ? arguments[++i]
                : throw Refused($"'{parts[0]}' needs a value.");
            if (key == FileSwitch)
            {
                file = value;
            }
            else
            {
                found[key] = value;
            }
        }

        return found;
    }

    private static void AddFile(ConfigurationBuilder builder, string file)
    {
        string path = Path.GetFullPath(file);
        if (!File.Exists(path))
        {
            throw Refused($"The settings file {path} does not exist.");
        }

        builder.AddJsonFile(path, optional: false, reloadOnChange: false);
        try
        {
            builder.Build();
        }
        catch (InvalidDataException e)
        {
            throw Refused($"The settings file {path} cannot be read: {(e.InnerException ?? e).Message}");
        }
    }

    private static IEnumerable<string> UnknownKeys(IConfiguration configuration)
    {
        foreach (IConfigurationSection section in configuration.GetSection(Root).GetChildren())
        {
            if (!_sections.TryGetValue(section.Path, out Type? type))
            {
                yield return section.Path;
                continue;
            }

            foreach (IConfigurationSection setting in section.GetChildren())
            {
                if (!type.GetProperties().Any(p => p.Name.Equals(setting.Key, StringComparison.OrdinalIgnoreCase)))
                {
                    yield return setting.Path;
                }
            }
        }
    }

    private static void Refuse(IEnumerable<string> unknown)
    {
        string[] keys = [.. unknown];
        if (keys.Length > 0)
        {
            throw Refused($"Unknown settings: {string.Join(", ", keys)}.");
        }
    }

    private static void Refuse(string section, ValidateOptionsResult result)
    {
        if (result.Failed)
        {
            throw Refused($"The options of {section} are not valid: {result.FailureMessage}");
        }
    }

    private static BranchingException Refused(string why) => new(Grains.FailureKind.InvalidArgument, why);
}
