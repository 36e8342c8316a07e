namespace Branching.Storage.Snapshots;

/// <summary>What every manifest must say, whoever wrote it.</summary>
internal static class ManifestRules
{
    private static readonly SnapshotFileRole[] _once =
        [SnapshotFileRole.Current, SnapshotFileRole.Manifest, SnapshotFileRole.Mark];

    /// <summary>
    /// What is wrong with the list of files, a sentence each. A name must be one that a store's file has, so none leads
    /// out of the store's directory; each comes once.
    /// </summary>
    public static IEnumerable<string> FindMalformed(SnapshotManifest manifest)
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
        }

        foreach (SnapshotFileRole role in _once)
        {
            if (manifest.Files.Count(file => file.Role == role) != 1)
            {
                yield return $"it does not list exactly one file of role {role}.";
            }
        }
    }
}
