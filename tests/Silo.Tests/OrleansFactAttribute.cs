namespace Branching.Silo.Tests;

/// <summary>A test that needs nodes in several processes, which only the build with Orleans has.</summary>
public sealed class OrleansFactAttribute : FactAttribute
{
    public OrleansFactAttribute()
    {
        if (Clustering.NotSupported is { } why)
        {
            Skip = $"Needs Orleans: {why}.";
        }
    }
}
