namespace Branching.EmbeddedRuntime.Tests;

public sealed class CallTests
{
    [Fact]
    public async Task A_call_reaches_the_grain_and_its_answer_the_caller()
    {
        await using ProbeCluster probe = await ProbeCluster.StartAsync();

        string answer = await probe.Grain("a").GreetAsync("b");

        Assert.Equal("a greets b", answer);
    }
}
