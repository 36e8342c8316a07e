using System.CommandLine;
using System.Runtime.CompilerServices;

namespace Branching.ClientApp.Tests;

public sealed class CommandTreeTests : IDisposable
{
    private readonly CommandHost _host = new()
    {
        Input = Stream.Null,
        Output = Stream.Null,
        Error = TextWriter.Null,
    };

    public void Dispose() => _host.Dispose();

    [Fact]
    public void A_tree_of_commands_that_nobody_uses_any_more_is_collected()
    {
        WeakReference[] trees = [.. Enumerable.Range(0, 3).Select(_ => Make())];

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        Assert.All(trees, tree => Assert.False(tree.IsAlive, "something outlives the tree and holds it"));
    }

    // Not inlined: a local of the caller would hold the tree.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference Make()
    {
        RootCommand root = CommandLine.CreateRoot(_host);
        Assert.Empty(root.Parse(["get", "shop", "apple", "--json"]).Errors);
        return new WeakReference(root);
    }
}
