using System.Text;

namespace Branching.RocksDb.Interop;

/// <summary>A native library in use.</summary>
/// <param name="Handle">What the loader gave.</param>
/// <param name="Path">Its file, or its name where the system does not tell the file.</param>
/// <param name="Version">Its version, <see cref="LibraryVersion.Unknown"/> when nothing told it yet.</param>
internal sealed record LoadedLibrary(nint Handle, string Path, Version Version);

/// <summary>Tries the places in order and remembers why each one did not do.</summary>
/// <param name="places">Files and bare names, best first.</param>
/// <param name="tryLoad">Loads one place; zero when it cannot be loaded.</param>
internal sealed class LibrarySearch(IEnumerable<LibraryPlace> places, Func<string, nint> tryLoad)
{
    /// <exception cref="DllNotFoundException">None did; the message lists them all and how to install one.</exception>
    public LoadedLibrary Run()
    {
        StringBuilder tried = new();
        foreach (LibraryPlace place in places)
        {
            string? refusal = TryUse(place, out LoadedLibrary? library);
            if (library is not null)
            {
                return library;
            }

            tried.Append("\n  ").Append(place.Path).Append(" (").Append(place.Origin).Append("): ").Append(refusal);
        }

        throw new DllNotFoundException(
            $"RocksDB's native library was not found. {LibraryPlaces.InstallHint}\nPlaces looked at, in order:{tried}");
    }

    private string? TryUse(LibraryPlace place, out LoadedLibrary? library)
    {
        library = null;
        if (Path.IsPathRooted(place.Path) && !File.Exists(place.Path))
        {
            return "no such file";
        }

        nint handle = tryLoad(place.Path);
        if (handle == 0)
        {
            return "not there, or the system's loader refused it";
        }

        string file = LibraryPlaces.FileOf(place.Path);
        Version version = LibraryVersion.FromFileName(file);
        if (version != LibraryVersion.Unknown && version < RocksDbLibrary.MinimumVersion)
        {
            return $"RocksDB {version}, older than {RocksDbLibrary.MinimumVersion}";
        }

        library = new LoadedLibrary(handle, file, version);
        return null;
    }
}
