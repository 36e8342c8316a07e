using System.CommandLine;
using Branching.Silo;

namespace Branching.ClientApp.Commands;

/// <summary><c>serve</c>.</summary>
internal static class ServeCommand
{
    public static Command Create(CommandHost host)
    {
        Argument<string[]> settings = new("SETTING")
        {
            Description = "Settings of the server, after --: as in -- --gateway-port 30000. "
                + "A wrong one is answered with all of them.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        return new ExampledCommand(
            host,
            "serve",
            "Serve the data directory to other processes until Ctrl-C. Needs the build with Orleans.",
            [
                "branching serve --data /srv/branching",
                "branching serve --data /srv/b -- --gateway-port 30001 --silo-port 11112",
            ],
            [settings],
            async (invocation, cancellationToken) =>
            {
                using var error = new StringWriter();

                // Who waits for the line that says it serves reads it from a pipe: it must not lie in a buffer.
                await using var output = new StreamWriter(host.Output, leaveOpen: true) { AutoFlush = true };
                string[] arguments =
                [
                    "--data-root", Path.GetFullPath(invocation.Target.DataRoot),
                    .. SharedStorage(invocation.Target.SharedStorage),
                    .. GlobalOptions.SettingsOf(invocation.Parsed).Select(pair => $"--{pair.Key}={pair.Value}"),
                    .. invocation.Parsed.GetValue(settings) ?? [],
                ];
                int exitCode = await SiloServer.RunAsync(arguments, output, error, cancellationToken);
                if (exitCode == ExitCode.Ok)
                {
                    return exitCode;
                }

                string[] lines = error.ToString().Split(Environment.NewLine, 2);
                string rest = lines.Length > 1 ? lines[1].TrimEnd() : "";
                return invocation.Report(new UserError(
                    exitCode,
                    lines[0].Trim(),
                    rest.Length > 0 ? "the settings are" + Environment.NewLine + rest : "branching serve --help",
                    "Serve"));
            });
    }

    private static string[] SharedStorage(string? directory)
        => directory is null ? [] : ["--shared-storage", Path.GetFullPath(directory)];
}
