using System.Globalization;
using System.Text;
using Branching.Storage.Shared;

namespace Branching.Storage.CrashChild;

/// <summary>
/// Races another process for names on shared storage, one name after the other, both at the same moment. Arguments:
/// shared directory, "race", how many names, this process's name, the other's.
/// </summary>
internal static class PutRace
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(1);

    public static async Task<int> RunAsync(string[] args)
    {
        int names = int.Parse(args[2], CultureInfo.InvariantCulture);
        (string me, string other) = (args[3], args[4]);
        using CancellationTokenSource deadline = new(TimeSpan.FromMinutes(1));
        PosixSharedStorage shared = await PosixSharedStorage.OpenAsync(args[0], cancellationToken: deadline.Token)
            .ConfigureAwait(false);
        byte[] content = Encoding.UTF8.GetBytes(me);
        for (int i = 0; i < names; i++)
        {
            await shared.PutIfAbsentAsync($"ready/{me}/{i}", content, deadline.Token).ConfigureAwait(false);
            while (await shared.TryReadAsync($"ready/{other}/{i}", deadline.Token).ConfigureAwait(false) is null)
            {
                await Task.Delay(_pause, deadline.Token).ConfigureAwait(false);
            }

            if (await shared.PutIfAbsentAsync($"race/{i}", content, deadline.Token).ConfigureAwait(false))
            {
                Program.Say($"won {i}");
            }
        }

        return 0;
    }
}
