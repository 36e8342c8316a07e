using System.Globalization;
using System.Security.Cryptography;
using Branching.Storage;
using Branching.Storage.Shared;
using Microsoft.Extensions.Logging;

namespace Branching.Silo.Membership;

/// <summary>The table of a cluster's members on shared storage.</summary>
/// <remarks>
/// <para>
/// Version <c>n</c> of the whole table is one file, written once with create-if-absent by whoever read version
/// <c>n - 1</c> as the newest. Two who change the same version meet at one name, and one of them loses: no lock and
/// no clock. Names are consecutive and never written twice.
/// </para>
/// <para>
/// Old versions are deleted, so a name below them is free again, and a process that slept since could create it and
/// believe that it won. A version is deleted only when the newest is <see cref="KeptVersions"/> ahead of it. So a
/// writer looks at the newest version after its own: as long as that is less than <see cref="KeptVersions"/> ahead,
/// its name cannot have been deleted before it was created, and it won.
/// </para>
/// <para>
/// Signs of life are no versions: every member replaces a file of its own, and readers merge them in. A reader may
/// meet an older listing than another process sees; it therefore also asks for the names that follow.
/// </para>
/// Thread-safe.
/// </remarks>
internal sealed class MembershipLog
{
    /// <summary>How many versions stay readable; the number matters only to a process that slept.</summary>
    public const int KeptVersions = 32;

    private const string Clusters = "clusters";
    private const string Suffix = ".json";
    private const int Digits = 20;
    private const int MaxAttempts = 16;

    private readonly ISharedStorage _shared;
    private readonly ILogger _logger;
    private readonly string _directory;
    private readonly string _aliveDirectory;
    private int _newestSeen;

    public MembershipLog(ISharedStorage shared, string clusterId, ILogger logger)
    {
        _shared = shared;
        _logger = logger;
        _directory = $"{Clusters}/{clusterId}/membership";
        _aliveDirectory = $"{Clusters}/{clusterId}/alive";
    }

    /// <summary>The clusters that ever had a member on this storage.</summary>
    public static async Task<IReadOnlyList<string>> ListClustersAsync(
        ISharedStorage shared, CancellationToken cancellationToken)
    {
        IReadOnlyList<SharedEntry> entries = await shared.ListAsync(Clusters, cancellationToken);
        return [.. entries.Where(entry => entry.IsDirectory).Select(entry => entry.Name).Order(StringComparer.Ordinal)];
    }

    /// <summary>The newest version, with the members' last signs of life.</summary>
    /// <exception cref="StorageException">Shared storage failed, or the newest version is damaged.</exception>
    public async Task<MembershipDocument> ReadAsync(CancellationToken cancellationToken)
    {
        MembershipDocument table = await ReadNewestAsync(cancellationToken);
        MemberRow[] rows = await Task.WhenAll(table.Members.Select(row => WithSignOfLifeAsync(row, cancellationToken)));
        return table with { Members = rows };
    }

    /// <summary>Adds a row. False when the row exists or the table is no longer the version that was read.</summary>
    /// <param name="row">The row; its etag is given here.</param>
    /// <param name="version">The version that the table gets.</param>
    /// <param name="etag">The etag of the version that was read.</param>
    /// <param name="cancellationToken">Stops waiting; the row may have been added then.</param>
    public async Task<bool> TryInsertAsync(
        MemberRow row, int version, string etag, CancellationToken cancellationToken)
    {
        MembershipDocument table = await ReadNewestAsync(cancellationToken);
        return IsNext(table, version, etag)
            && table.Find(row.Silo) is null
            && await TryAppendAsync(table, [.. table.Members, Stamp(row, version)], cancellationToken);
    }

    /// <summary>Replaces a row. False when it is absent or changed, or the table is no longer the version that was
    /// read.</summary>
    /// <param name="row">The row as it becomes; its etag is given here.</param>
    /// <param name="rowETag">The etag of the row that was read.</param>
    /// <param name="version">The version that the table gets.</param>
    /// <param name="etag">The etag of the version that was read.</param>
    /// <param name="cancellationToken">Stops waiting; the row may have been replaced then.</param>
    public async Task<bool> TryUpdateAsync(
        MemberRow row, string rowETag, int version, string etag, CancellationToken cancellationToken)
    {
        MembershipDocument table = await ReadNewestAsync(cancellationToken);
        if (!IsNext(table, version, etag) || table.Find(row.Silo)?.ETag != rowETag)
        {
            return false;
        }

        MemberRow changed = Stamp(row, version);
        return await TryAppendAsync(
            table, [.. table.Members.Select(old => old.Silo == row.Silo ? changed : old)], cancellationToken);
    }

    /// <summary>Notes that a member lives. Contends with nobody and changes no version.</summary>
    public Task SayAliveAsync(string silo, DateTimeOffset at, CancellationToken cancellationToken)
        => _shared.ReplaceAsync(
            AliveName(silo),
            MembershipDocuments.Write(new AliveDocument(MembershipDocuments.Format, silo, at)),
            cancellationToken);

    /// <summary>Removes the rows that are not active and had their last change before a time.</summary>
    public async Task RemoveDefunctAsync(
        string activeStatus, DateTimeOffset before, CancellationToken cancellationToken)
    {
        await ChangeAsync(
            rows => [.. rows.Where(row => row.Status == activeStatus || row.LastChangeAt >= before)],
            cancellationToken);
        await RemoveSignsOfLifeAsync(before, cancellationToken);
    }

    /// <summary>Removes every row. The version goes on counting, so that no name is ever written twice.</summary>
    public async Task ClearAsync(CancellationToken cancellationToken)
    {
        await ChangeAsync(_ => [], cancellationToken);
        await RemoveSignsOfLifeAsync(DateTimeOffset.MaxValue, cancellationToken);
    }

    private static bool IsNext(MembershipDocument table, int version, string etag)
        => version == table.Version + 1 && etag == table.ETag;

    private static MemberRow Stamp(MemberRow row, int version) => row with { ETag = NewETag(version) };

    private static string NewETag(int version)
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{version}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}");

    private static int VersionOf(SharedEntry entry)
        => !entry.IsDirectory
            && entry.Name.Length == Digits + Suffix.Length
            && entry.Name.EndsWith(Suffix, StringComparison.Ordinal)
            && int.TryParse(
                entry.Name.AsSpan(0, Digits), NumberStyles.None, CultureInfo.InvariantCulture, out int version)
            ? version
            : 0;

    private string Name(int version)
        => string.Create(CultureInfo.InvariantCulture, $"{_directory}/{version:D20}{Suffix}");

    private string AliveName(string silo) => $"{_aliveDirectory}/{AliveFile(silo)}";

    // The generation makes the name unique even where two addresses are written alike.
    private static string AliveFile(string silo)
        => string.Concat("silo-", string.Concat(silo.Select(c => char.IsAsciiLetterOrDigit(c) || c == '.' ? c : '-')),
            Suffix);

    private string PathOf(string name) => $"{_shared.Location}/{name}";

    private async Task ChangeAsync(
        Func<IReadOnlyList<MemberRow>, MemberRow[]> change, CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            MembershipDocument table = await ReadNewestAsync(cancellationToken);
            MemberRow[] rows = change(table.Members);
            if (rows.Length == table.Members.Count || await TryAppendAsync(table, rows, cancellationToken))
            {
                return;
            }
        }

        throw new StorageException(
            FailureKind.Overloaded,
            $"The table of members in '{PathOf(_directory)}' changed {MaxAttempts} times while it was being cleaned " +
            "up; it stays as it is until the next attempt.");
    }

    private async Task<MembershipDocument> ReadNewestAsync(CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            int newest = Math.Max(Volatile.Read(ref _newestSeen), await ListNewestAsync(cancellationToken));
            byte[]? content = null;
            while (await _shared.TryReadAsync(Name(newest + 1), cancellationToken) is { } later)
            {
                content = later;
                newest++;
            }

            if (newest == 0)
            {
                return MembershipDocument.Empty;
            }

            content ??= await _shared.TryReadAsync(Name(newest), cancellationToken);
            if (content is not null)
            {
                Remember(newest);
                return Parse(content, newest);
            }

            // Others went on and deleted that version between the listing and the reading.
        }

        throw new StorageException(
            FailureKind.Corruption,
            $"The table of members in '{PathOf(_directory)}' has lost version {Volatile.Read(ref _newestSeen)}, " +
            "which this process has read. Somebody deleted it: stop every node of the cluster and start them again.");
    }

    private MembershipDocument Parse(byte[] content, int version)
    {
        string path = PathOf(Name(version));
        MembershipDocument table = MembershipDocuments.ReadTable(content, path);
        return table.Version == version
            ? table
            : throw new StorageException(
                FailureKind.Corruption,
                $"The membership file '{path}' says that it is version {table.Version}. Stop every node of the " +
                "cluster, delete that file, and start the nodes again.");
    }

    private async Task<int> ListNewestAsync(CancellationToken cancellationToken)
        => (await _shared.ListAsync(_directory, cancellationToken)).Select(VersionOf).Append(0).Max();

    private void Remember(int newest)
    {
        int seen = Volatile.Read(ref _newestSeen);
        while (newest > seen)
        {
            int found = Interlocked.CompareExchange(ref _newestSeen, newest, seen);
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }

    private async Task<bool> TryAppendAsync(
        MembershipDocument table, IReadOnlyList<MemberRow> rows, CancellationToken cancellationToken)
    {
        int version = table.Version + 1;
        byte[] content = MembershipDocuments.Write(
            new MembershipDocument(MembershipDocuments.Format, version, NewETag(version), rows));
        if (!await TryCreateAsync(Name(version), content, cancellationToken))
        {
            return false;
        }

        IReadOnlyList<SharedEntry> entries = await _shared.ListAsync(_directory, cancellationToken);
        int newest = entries.Select(VersionOf).Append(version).Max();
        if (newest - version >= KeptVersions)
        {
            // This process slept (see the remarks): what it created may never have been the newest version. Whoever
            // asked reads the table again, as after any lost race.
            return false;
        }

        Remember(newest);
        await DeleteOldAsync(entries, newest, cancellationToken);
        return true;
    }

    /// <summary>Creates a file, also where the answer got lost: etags are random, so equal bytes are ours.</summary>
    private async Task<bool> TryCreateAsync(string name, byte[] content, CancellationToken cancellationToken)
    {
        try
        {
            return await _shared.PutIfAbsentAsync(name, content, cancellationToken);
        }
        catch (StorageException)
        {
            byte[]? found = await _shared.TryReadAsync(name, cancellationToken);
            if (found is null)
            {
                throw;
            }

            return content.AsSpan().SequenceEqual(found);
        }
    }

    private async Task DeleteOldAsync(
        IReadOnlyList<SharedEntry> entries, int newest, CancellationToken cancellationToken)
    {
        foreach (int old in entries.Select(VersionOf).Where(v => v > 0 && v <= newest - KeptVersions).Order())
        {
            try
            {
                await _shared.DeleteAsync(Name(old), cancellationToken);
            }
            catch (StorageException e)
            {
                // The change itself is durable; what stays behind is met again by the next one.
                _logger.MembershipCleanupFailed(e, PathOf(Name(old)));
                return;
            }
        }
    }

    private async Task<MemberRow> WithSignOfLifeAsync(MemberRow row, CancellationToken cancellationToken)
    {
        string name = AliveName(row.Silo);
        if (await _shared.TryReadAsync(name, cancellationToken) is not { } content)
        {
            return row;
        }

        try
        {
            AliveDocument alive = MembershipDocuments.ReadAlive(content, PathOf(name));
            return alive.Silo == row.Silo && alive.At > row.AliveAt ? row with { AliveAt = alive.At } : row;
        }
        catch (StorageException e)
        {
            // A sign of life only hastens what probes find out anyway; its member writes it anew in seconds.
            _logger.SignOfLifeUnreadable(e, PathOf(name));
            return row;
        }
    }

    private async Task RemoveSignsOfLifeAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        MembershipDocument table = await ReadNewestAsync(cancellationToken);
        HashSet<string> needed = [.. table.Members.Select(row => AliveFile(row.Silo))];
        foreach (SharedEntry entry in await _shared.ListAsync(_aliveDirectory, cancellationToken))
        {
            if (!needed.Contains(entry.Name) && entry.ModifiedAt < before)
            {
                await _shared.DeleteAsync($"{_aliveDirectory}/{entry.Name}", cancellationToken);
            }
        }
    }
}
