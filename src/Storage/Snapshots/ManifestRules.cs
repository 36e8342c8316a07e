using System.Globalization;

namespace Branching.Storage.Snapshots;

/// <summary>What every manifest must say, whoever wrote it.</summary>
internal static class ManifestRules
{
    private static readonly SnapshotFileRole[] _once =
        [SnapshotFileRole.Current, SnapshotFileRole.Manifest, SnapshotFileRole.Mark];

    // 64 PiB: more than any store, and so far from the largest number that sums of some cannot overflow.
    private const long MostBytes = 1L << 56;

    /// <summary>What keeps a snapshot from being a store, a sentence each: what is wrong with its files, or a file
    /// that every store has is missing.</summary>
    public static IEnumerable<string> FindMalformed(SnapshotManifest manifest)
    {
        foreach (string malformed in FindMalformedFiles(manifest))
        {
            yield return malformed;
        }

        foreach (SnapshotFileRole role in _once)
        {
            if (manifest.Files.Count(file => file.Role == role) != 1)
            {
                yield return $"it does not list exactly one file of role {role}.";
            }
        }
    }

    /// <summary>
    /// What is wrong with the list of files, a sentence each. A name must be one that a store's file has, so none leads
    /// out of the store's directory; each comes once. An object is named by its content, so none leads out of the
    /// objects' directory.
    /// </summary>
    public static IEnumerable<string> FindMalformedFiles(SnapshotManifest manifest)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (SnapshotFile file in manifest.Files)
        {
            if (StoreFileNames.RoleOf(file.Name) != file.Role)
            {
                yield return $"'{Names.Show(file.Name)}' is not the name of a file of role {file.Role}.";
            }
            else if (!names.Add(file.Name))
            {
                yield return $"file '{file.Name}' is listed twice.";
            }
            else if (file.Bytes < 0 || !LocalObjects.IsDigest(file.Sha256))
            {
                yield return $"file '{file.Name}' has no valid length or SHA-256.";
            }
            else if (!IsObjectOf(file))
            {
                yield return $"'{Names.Show(file.ObjectName)}' is not the name of an object of file '{file.Name}'.";
            }
        }
    }

    /// <summary>Whether a total is that of these lengths, and one that a store can have.</summary>
    public static bool IsTotal(long total, IEnumerable<long> lengths)
    {
        Int128 sum = 0; // Lengths that a document states may be more together than a long holds.
        foreach (long length in lengths)
        {
            sum += length;
        }

        return sum == total && total is >= 0 and <= MostBytes;
    }

    /// <summary>Whether the object is <c>objects/&lt;2 digits&gt;/&lt;sha-256&gt;.&lt;epoch&gt;-&lt;number&gt;</c>
    /// of the file's own digest.</summary>
    private static bool IsObjectOf(SnapshotFile file)
    {
        string stem = Publication.ObjectStemOf(file.Sha256);
        if (!file.ObjectName.StartsWith(stem, StringComparison.Ordinal))
        {
            return false;
        }

        string[] numbers = file.ObjectName[stem.Length..].Split('-');
        return numbers.Length == 2 && numbers.All(number =>
            number.All(char.IsAsciiDigit) && ulong.TryParse(number, CultureInfo.InvariantCulture, out _));
    }
}
