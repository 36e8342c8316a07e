using Branching.Grains;
using Branching.Storage;
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
    private const string FileSwitch = "--config";

    private static readonly Dictionary<string, string> _switches = new(StringComparer.Ordinal)
    {
        ["--data-root"] = $"{StorageOptions.Section}:{nameof(StorageOptions.DataRoot)}",
        ["--native-library"] = $"{StorageOptions.Section}:{nameof(StorageOptions.NativeLibrary)}",
        ["--address"] = $"{ServerOptions.Section}:{nameof(ServerOptions.Address)}",
        ["--silo-port"] = $"{ServerOptions.Section}:{nameof(ServerOptions.SiloPort)}",
        ["--gateway-port"] = $"{ServerOptions.Section}:{nameof(ServerOptions.GatewayPort)}",
        ["--primary"] = $"{ServerOptions.Section}:{nameof(ServerOptions.Primary)}",
        ["--cluster-id"] = $"{ServerOptions.Section}:{nameof(ServerOptions.ClusterId)}",
        ["--node-name"] = $"{ServerOptions.Section}:{nameof(ServerOptions.NodeName)}",
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
        Refuse(UnknownKeys(configuration));
        return configuration;
    }

    /// <summary>The server's options, checked.</summary>
    public static ServerOptions Server(IConfiguration configuration)
    {
        ServerOptions options = new();
        try
        {
            configuration.GetSection(ServerOptions.Section).Bind(options);
        }
        catch (InvalidOperationException e)
        {
            throw Refused(e.Message);
        }

        Refuse(new ServerOptionsValidator().Validate(null, options));
        Refuse(new ServerOptionsRules().Validate(null, options));
        return options;
    }

    private static Dictionary<string, string?> Parse(IReadOnlyList<string> arguments, out string? file)
    {
        Dictionary<string, string?> found = new(StringComparer.OrdinalIgnoreCase);
        file = null;
        for (int i = 0; i < arguments.Count; i++)
        {
            string[] parts = arguments[i].Split('=', 2);
            string? key = parts[0] == FileSwitch ? FileSwitch
                : _switches.TryGetValue(parts[0], out string? mapped) ? mapped
                : parts[0].StartsWith($"--{Root}:", StringComparison.OrdinalIgnoreCase) ? parts[0][2..]
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
        Dictionary<string, Type> sections = new(StringComparer.OrdinalIgnoreCase)
        {
            [StorageOptions.Section] = typeof(StorageOptions),
            [ServingOptions.Section] = typeof(ServingOptions),
            [ServerOptions.Section] = typeof(ServerOptions),
        };
        foreach (IConfigurationSection section in configuration.GetSection(Root).GetChildren())
        {
            if (!sections.TryGetValue(section.Path, out Type? type))
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

    private static void Refuse(ValidateOptionsResult result)
    {
        if (result.Failed)
        {
            throw Refused($"The options of {ServerOptions.Section} are not valid: {result.FailureMessage}");
        }
    }

    private static BranchingException Refused(string why) => new(Grains.FailureKind.InvalidArgument, why);
}
