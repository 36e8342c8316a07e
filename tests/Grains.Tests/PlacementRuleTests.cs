using System.Globalization;
using System.Net;

namespace Branching.Grains.Tests;

public sealed class PlacementRuleTests
{
    private static NodeAnswer Node(string name, bool? holds, int databases = 0) => new(
        SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 1000 + name[^1]), 1), name, holds, databases);

    [Fact]
    public void The_node_that_holds_the_database_wins_over_emptier_ones()
        => Assert.Equal("n2",
            DatabasePlacementRule.Holder([Node("n1", false), Node("n2", true, 9), Node("n3", null)])?.Name);

    [Fact]
    public void A_move_goes_to_a_node_that_answers_and_asks_to_try_again_when_it_does_not_yet()
    {
        NodeAnswer[] answers = [Node("n1", true), Node("n2", null), Node("n3", null), Node("n3", false)];

        Assert.Equal(answers[3], Moves.FindNode(answers, "n3"));
        BranchingException silent = Assert.Throws<BranchingException>(() => Moves.FindNode(answers, "n2"));
        BranchingException unknown = Assert.Throws<BranchingException>(() => Moves.FindNode(answers, "n4"));

        Assert.Equal((FailureKind.Closed, true), (silent.Kind, silent.IsTransient));
        Assert.Equal((FailureKind.InvalidArgument, false), (unknown.Kind, unknown.IsTransient));
    }

    [Fact]
    public void Nobody_holds_it_when_nobody_says_so()
        => Assert.Null(DatabasePlacementRule.Holder([Node("n1", false), Node("n3", null)]));

    [Fact]
    public void Of_several_holders_the_first_by_name_wins_in_whatever_order_they_answer()
    {
        NodeAnswer[] answers = [Node("n3", true), Node("n1", true), Node("n2", true)];

        Assert.Equal("n1", DatabasePlacementRule.Holder(answers)?.Name);
        Assert.Equal("n1", DatabasePlacementRule.Holder([.. answers.Reverse()])?.Name);
    }

    [Fact]
    public void The_owner_wins_over_a_taker_and_a_taker_over_the_newest_copy_and_that_over_older_ones()
    {
        NodeAnswer owner = Node("n3", true) with { Epoch = 3, Owned = true };
        NodeAnswer taker = Node("n2", false) with { TakingOver = true };
        NodeAnswer newest = Node("n4", true) with { Epoch = 9 };
        NodeAnswer older = Node("n1", true) with { Epoch = 8 };

        Assert.Equal("n3", DatabasePlacementRule.Holder([older, newest, taker, owner])?.Name);
        Assert.Equal("n2", DatabasePlacementRule.Holder([older, newest, taker])?.Name);
        Assert.Equal("n4", DatabasePlacementRule.Holder([older, newest])?.Name);
    }

    [Fact]
    public void A_database_that_was_given_up_goes_to_the_node_it_was_given_to_unless_somebody_serves_it()
    {
        NodeAnswer source = Node("n1", false) with { GivenTo = "n3" };
        NodeAnswer target = Node("n3", false, 9);
        NodeAnswer older = Node("n2", true) with { Epoch = 8 };

        Assert.Equal("n3", DatabasePlacementRule.Holder([older, source, target])?.Name);
        Assert.Equal("n2", DatabasePlacementRule.Holder([older with { TakingOver = true }, source, target])?.Name);
        Assert.Equal("n2", DatabasePlacementRule.Holder([older with { Owned = true }, source, target])?.Name);
        Assert.Equal("n2", DatabasePlacementRule.Holder([older, source, target with { Holds = null }])?.Name);
        Assert.Null(DatabasePlacementRule.Holder([source, Node("n2", false)]));
        NodeAnswer earlier = target with { GivenTo = "n1", Epoch = 3 };
        Assert.Equal("n3", DatabasePlacementRule.Holder([earlier, source with { Epoch = 4 }])?.Name);
    }

    [Fact]
    public void A_move_that_fails_says_where_the_database_is()
    {
        NodeAnswer source = Node("n1", true);
        NodeAnswer third = Node("n3", true);

        Assert.Equal(
            "Node n2 could not take it, so it is back on node n1: T.",
            Moves.Explain("n1", "n2", "T.", null, source with { Owned = true }));
        Assert.Equal(
            "Node n2 could not take it: T. Node n3 serves it.",
            Moves.Explain("n1", "n2", "T.", null, third with { Owned = true }));
        Assert.Equal(
            "Node n2 could not take it: T. Node n3 is bringing it up.",
            Moves.Explain("n1", "n2", "T.", "B.", third with { TakingOver = true }));
        Assert.Equal(
            "Node n2 could not take it: T. Nor could node n1: B. It is at rest; the next call tries again.",
            Moves.Explain("n1", "n2", "T.", "B.", null));
    }

    [Fact]
    public void A_new_database_goes_to_the_node_with_the_fewest()
        => Assert.Equal(
            "n2", DatabasePlacementRule.LeastLoaded(
                "d", [Node("n1", false, 3), Node("n2", false, 1), Node("n3", false, 2)]).Name);

    [Fact]
    public void A_silent_node_is_chosen_only_when_all_are_silent()
    {
        Assert.Equal("n1", DatabasePlacementRule.LeastLoaded("d", [Node("n1", false, 9), Node("n2", null)]).Name);
        Assert.Equal("n2", DatabasePlacementRule.LeastLoaded("d", [Node("n2", null)]).Name);
    }

    [Fact]
    public void Equal_nodes_share_many_databases_and_the_order_of_answers_does_not_matter()
    {
        NodeAnswer[] answers = [Node("n1", false), Node("n2", false), Node("n3", false)];
        Dictionary<string, int> counts = [];
        for (int i = 0; i < 300; i++)
        {
            string database = string.Create(CultureInfo.InvariantCulture, $"d{i}");
            string chosen = DatabasePlacementRule.LeastLoaded(database, answers).Name;
            Assert.Equal(chosen, DatabasePlacementRule.LeastLoaded(database, [.. answers.Reverse()]).Name);
            counts[chosen] = counts.GetValueOrDefault(chosen) + 1;
        }

        Assert.Equal(3, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, 60, 140));
    }

    [Fact]
    public void A_choice_changes_only_when_the_chosen_node_is_gone()
    {
        NodeAnswer[] all = [Node("n1", false), Node("n2", false), Node("n3", false)];
        for (int i = 0; i < 50; i++)
        {
            string database = string.Create(CultureInfo.InvariantCulture, $"d{i}");
            NodeAnswer chosen = DatabasePlacementRule.LeastLoaded(database, all);
            NodeAnswer other = all.First(node => node.Name != chosen.Name);
            Assert.Equal(chosen, DatabasePlacementRule.LeastLoaded(database, [.. all.Where(node => node != other)]));
        }
    }

    [Fact]
    public void Without_any_node_there_is_a_clear_refusal()
        => Assert.Contains(
            "'d'", Assert.Throws<SiloUnavailableException>(() => DatabasePlacementRule.LeastLoaded("d", [])).Message,
            StringComparison.Ordinal);
}
