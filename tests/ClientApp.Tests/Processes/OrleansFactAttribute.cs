namespace Branching.ClientApp.Tests.Processes;

/// <summary>A test that needs nodes in several processes, which only the build with Orleans has.</summary>
public sealed class OrleansFactAttribute : FactAttribute
{
    public OrleansFactAttribute()
    {
#if EMBEDDED_RUNTIME
        Skip = "Needs Orleans: this build runs grains in one process and opens no port.";
#else
        if (OperatingSystem.IsWindows())
        {
            Skip = "Asks processes to stop with SIGTERM, which this system does not have.";
        }
#endif
    }
}
