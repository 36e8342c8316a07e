using System.Globalization;

namespace Branching.Storage.Tests.LocalStores;

/// <summary>How much of something a test does: little, unless an environment variable asks for more.</summary>
internal static class Rounds
{
    public static int Of(string variable, int byDefault) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int asked)
            ? asked
            : byDefault;
}
