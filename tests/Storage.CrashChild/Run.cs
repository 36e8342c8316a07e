using System.Globalization;

namespace Branching.Storage.CrashChild;

/// <summary>
/// One operation on a data root. Arguments: root, scenario, number of the event that ends it (0: none), "points" or
/// "all" events, and what the scenario asks for.
/// </summary>
internal sealed class Run
{
    public Run(string[] arguments, bool alone, Action<string> say)
    {
        Arguments = arguments;
        Say = say;
        Switch = new KillSwitch(int.Parse(arguments[2], CultureInfo.InvariantCulture), alone, say);
    }

    public string[] Arguments { get; }

    public string Root => Arguments[0];

    public string Scenario => Arguments[1];

    public bool EveryStep => Arguments[3] == "all";

    public Action<string> Say { get; }

    public KillSwitch Switch { get; }

    /// <summary>Everything was asked for and answered: what comes now is no event.</summary>
    public void Done()
    {
        Switch.Armed = false;
        Say("done");
    }
}
