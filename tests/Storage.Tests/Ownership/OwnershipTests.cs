using Branching.Storage.Ownership;

namespace Branching.Storage.Tests.Ownership;

/// <summary>Lives, claims, leases and tenures, by a clock that the test moves.</summary>
public sealed class OwnershipTests
{
    private readonly SharedShop _database = new();

    [Fact]
    public async Task The_first_owner_serves_at_once_and_every_claim_counts_one_up()
    {
        await using Tenure first = await _database.OwnAsync("one");
        Assert.True(first.IsValid);
        await first.ReleaseAsync(default);
        await using Tenure second = await _database.OwnAsync("two");

        Assert.Equal((1UL, 2UL), (first.Epoch.Value, second.Epoch.Value));
        Assert.False(first.IsValid);
        OwnershipStatus status = await _database.Ownership.LookAsync(default);
        Assert.Equal(("two", false), (status.Owner!.NodeName, status.Released));
    }

    [Fact]
    public async Task An_owner_that_renews_is_not_taken_over_and_the_failure_names_it()
    {
        await using Tenure first = await _database.OwnAsync("one");

        Task<Claim> claiming = _database.ClaimAsync("two");
        await _database.PassAsync(claiming);

        StorageException failure = await Assert.ThrowsAsync<StorageException>(() => claiming);
        Assert.Equal(FailureKind.NotOwner, failure.Kind);
        Assert.Contains("Node one", failure.Message, StringComparison.Ordinal);
        Assert.True(first.IsValid);
    }

    [Fact]
    public async Task A_silent_owner_is_taken_over_after_a_whole_lease_and_its_margin_and_not_before()
    {
        Tenure first = await _database.OwnAsync("one");
        await first.DisposeAsync(); // Stops renewing without a word, as a process that died.

        Task<Claim> claiming = _database.ClaimAsync("two");
        Advance(2100);
        Assert.False(claiming.IsCompleted);
        Advance(200);

        Assert.Equal(2UL, (await claiming).Epoch.Value);
    }

    [Fact]
    public async Task The_same_node_need_not_wait_for_its_own_dead_process_but_another_node_must()
    {
        Tenure first = await _database.OwnAsync("one");
        await first.DisposeAsync();

        Task<Claim> other = _database.ClaimAsync("two", new ClaimOptions(FormerOwnerIsThisNode: true));
        Assert.False(other.IsCompleted);
        await using Tenure again =
            await _database.OwnAsync("one", new ClaimOptions(FormerOwnerIsThisNode: true), process: 2);

        Assert.True(again.IsValid);
        await _database.PassAsync(other);
        await Assert.ThrowsAsync<StorageException>(() => other);
    }

    [Fact]
    public async Task A_claim_that_never_served_says_nothing_about_the_owner_before_it()
    {
        await using Tenure first = await _database.OwnAsync("one");
        Claim claim = await _database.ClaimAsync("two", new ClaimOptions(WaitForLease: false));
        await claim.DisposeAsync(); // Died between claim and service: "one" may still answer.
        Assert.True(first.IsValid);

        Task<Claim> again = _database.ClaimAsync("two", new ClaimOptions(FormerOwnerIsThisNode: true), process: 2);
        Assert.False(again.IsCompleted);
        await _database.PassAsync(again);

        Assert.False(first.IsValid);
        await (await again).DisposeAsync();
    }

    [Fact]
    public async Task A_living_owner_that_is_taken_over_by_force_is_fenced_before_the_taker_answers()
    {
        await using Tenure first = await _database.OwnAsync("one");
        Claim claim = await _database.ClaimAsync("two", new ClaimOptions(WaitForLease: false));
        Task<Tenure> serving = claim.ServeAsync(default);
        Assert.False(serving.IsCompleted);
        for (int i = 0; i < 100 && !serving.IsCompleted; i++)
        {
            Advance(50);
            Assert.False(first.IsValid && serving.IsCompleted);
        }

        await using Tenure second = await serving;
        Assert.True(second.IsValid);
        Assert.Equal(FailureKind.Fenced, first.EndCause!.Kind);
        Assert.True(first.Ended.IsCancellationRequested);
        Assert.Equal(FailureKind.Fenced, Assert.Throws<StorageException>(first.ThrowIfInvalid).Kind);
        Assert.Contains("Node two", first.EndCause.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_owner_without_storage_stops_to_answer_in_time_and_goes_on_when_it_is_back()
    {
        await using Tenure tenure = await _database.OwnAsync("one");
        _database.Memory.IsGone = true;
        Advance(1700);
        Assert.True(tenure.IsValid);
        Advance(200);

        Assert.False(tenure.IsValid);
        Assert.Equal(FailureKind.LeaseExpired, Assert.Throws<StorageException>(tenure.ThrowIfInvalid).Kind);
        _database.Memory.IsGone = false;
        Advance(700);
        Assert.True(tenure.IsValid);
    }

    [Fact]
    public async Task A_claim_whose_answer_was_lost_is_recognised_as_ours()
    {
        bool failed = false;
        _database.Memory.AfterEffect = step =>
        {
            if (!failed && step.Kind == "PutIfAbsent" && step.Name == _database.Paths.Claim(new Epoch(1)))
            {
                failed = true;
                throw new StorageException(FailureKind.SharedStorageUnavailable, "The answer is lost.");
            }

            return Task.CompletedTask;
        };

        await using Tenure tenure = await _database.OwnAsync("one");

        Assert.True(failed);
        Assert.Equal(1UL, tenure.Epoch.Value);
        _database.Memory.LosePower();
        Assert.NotNull(_database.Memory.Peek(_database.Paths.Claim(new Epoch(1))));
    }

    [Fact]
    public async Task The_caller_hears_of_the_epoch_before_it_is_claimed()
    {
        ulong? told = null;
        ClaimOptions options = new(BeforeClaim: (epoch, _) =>
        {
            told = epoch.Value;
            Assert.Null(_database.Memory.Peek(_database.Paths.Claim(epoch)));
            return Task.CompletedTask;
        });

        await using Tenure tenure = await _database.OwnAsync("one", options);

        Assert.Equal(1UL, told);
    }

    [Fact]
    public async Task A_name_has_one_life_at_a_time_and_a_dropped_one_is_owned_by_nobody()
    {
        DatabaseLives lives = new(_database.Memory);
        DatabaseId other = DatabaseId.Parse(new string('f', 32));
        Life life = await ReserveAsync(lives, SharedShop.Id);
        Assert.Equal(life, await ReserveAsync(lives, SharedShop.Id));
        Assert.Equal(
            FailureKind.DatabaseExists,
            (await Assert.ThrowsAsync<StorageException>(() => ReserveAsync(lives, other))).Kind);
        await using Tenure tenure = await _database.OwnAsync("one");
        await _database.PublishAsync(tenure, "x");

        await lives.DropAsync(tenure, default);

        Assert.True((await lives.FindAsync(SharedShop.Name, default))!.Dropped);
        Assert.False(tenure.IsValid);
        Assert.Equal(
            FailureKind.DatabaseNotFound,
            (await Assert.ThrowsAsync<StorageException>(() => _database.ClaimAsync("two"))).Kind);
        Assert.Equal(2UL, (await ReserveAsync(lives, other)).Number);
        await lives.CleanAsync(life with { Dropped = true }, default);
        Assert.DoesNotContain(_database.Memory.Names, n => n.Contains("/objects/", StringComparison.Ordinal));
        Assert.NotNull(_database.Memory.Peek(_database.Paths.Claim(new Epoch(2))));
        Assert.Equal([SharedShop.Name], await lives.ListAsync(default));
    }

    [Fact]
    public async Task A_fenced_owner_drops_nothing()
    {
        DatabaseLives lives = new(_database.Memory);
        await ReserveAsync(lives, SharedShop.Id);
        await using Tenure first = await _database.OwnAsync("one");
        Claim claim = await _database.ClaimAsync("two", new ClaimOptions(WaitForLease: false));

        StorageException failure =
            await Assert.ThrowsAsync<StorageException>(() => lives.DropAsync(first, default));

        Assert.Equal(FailureKind.Fenced, failure.Kind);
        Assert.False((await lives.FindAsync(SharedShop.Name, default))!.Dropped);
        await claim.DisposeAsync();
    }

    [Fact]
    public void Options_that_leave_no_time_to_renew_are_refused()
    {
        OwnershipOptions options = new() { LeaseMargin = TimeSpan.FromSeconds(1) };

        Assert.True(new OwnershipOptionsRules().Validate(null, options).Failed);
        Assert.True(new OwnershipOptionsRules().Validate(null, new OwnershipOptions()).Succeeded);
    }

    private static Task<Life> ReserveAsync(DatabaseLives lives, DatabaseId id) =>
        lives.ReserveAsync(SharedShop.Name, id, "tests", DateTimeOffset.UnixEpoch, default);

    private void Advance(int milliseconds)
    {
        // Without the context of the test runner, what waits for the clock goes on within Advance.
        SynchronizationContext.SetSynchronizationContext(null);
        for (int i = 0; i < milliseconds; i += 50)
        {
            _database.Time.Advance(TimeSpan.FromMilliseconds(50));
        }
    }
}
