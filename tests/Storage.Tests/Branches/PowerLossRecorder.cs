using Branching.RocksDb.Files;

namespace Branching.Storage.Tests.Branches;

/// <summary>Copies the tree before each step and takes back, in the copy, what was not fsynced by then.</summary>
/// <remarks>
/// What a step does becomes durable in two ways: the content of a file with its own fsync, a directory's entries with
/// the fsync of that directory. A deletion or replacement that is not durable brings back what was there before.
/// </remarks>
internal sealed class PowerLossRecorder(string root, string copies)
{
    private readonly List<Effect> _pending = [];
    private bool _started;
    private DiskStep? _running;

    public List<(string Path, string Step)> Copies { get; } = [];

    public void Start() => _started = true;

    public void Stop()
    {
        Settle();
        Copy("the answer");
        _started = false;
    }

    public void Before(DiskStep step)
    {
        if (!_started)
        {
            return;
        }

        Settle();
        Copy($"{step.Kind} {Path.GetRelativePath(root, step.Path)}");
        _running = step;
        switch (step.Kind)
        {
            case DiskStepKind.FlushFile or DiskStepKind.FlushDirectory or DiskStepKind.FlushDirectoryWithFiles:
            case DiskStepKind.CreateDirectory when Directory.Exists(step.Path):
                break;
            case DiskStepKind.AppendFile:
                _pending.Add(new Content(step.Path, new FileInfo(step.Path).Length));
                break;
            case DiskStepKind.TruncateFile:
                _pending.Add(new Truncated(step.Path, Copies[^1].Path));
                break;
            case DiskStepKind.WriteFile:
                _pending.Add(new Created(step.Path));
                _pending.Add(new Content(step.Path, 0));
                break;
            case DiskStepKind.Rename or DiskStepKind.Replace:
                _pending.Add(new Renamed(step.Path, step.Target!, Copies[^1].Path));
                break;
            case DiskStepKind.DeleteFile or DiskStepKind.DeleteTree:
                _pending.Add(new Deleted(step.Path, Copies[^1].Path));
                break;
            default:
                _pending.Add(new Created(step.Path));
                break;
        }
    }

    /// <summary>The step before has run: a flush has made what it covers durable.</summary>
    private void Settle()
    {
        if (_running is { Kind: DiskStepKind.FlushFile } file)
        {
            _pending.RemoveAll(effect => effect is Content or Truncated && effect.Path == file.Path);
        }
        else if (_running is { Kind: DiskStepKind.Checkpoint } copied)
        {
            // Nothing of it is durable, but for the content of the files that it shares with the store.
            foreach (string name in Directory.EnumerateFiles(copied.Path))
            {
                _pending.Add(new Created(name));
                if (LocalFiles.GetStatus(name).LinkCount == 1)
                {
                    _pending.Add(new Content(name, 0));
                }
            }
        }
        else if (_running is { Kind: DiskStepKind.FlushDirectory or DiskStepKind.FlushDirectoryWithFiles } directory)
        {
            bool withFiles = directory.Kind == DiskStepKind.FlushDirectoryWithFiles;
            Predicate<Effect> covered = effect =>
                (withFiles || effect is not (Content or Truncated))
                && Path.GetDirectoryName(effect.Entry) == directory.Path;
            Effect[] durable = [.. _pending.Where(effect => covered(effect))];
            _pending.RemoveAll(covered);
            foreach (Renamed rename in durable.OfType<Renamed>())
            {
                Follow(rename);
            }
        }

        _running = null;
    }

    /// <summary>What is still to be lost inside a directory or file is now found under its new name.</summary>
    private void Follow(Renamed rename)
    {
        // The durable new name stands for the old one.
        _pending.RemoveAll(effect => effect is not (Content or Truncated) && effect.Path == rename.Path);
        for (int i = 0; i < _pending.Count; i++)
        {
            string path = _pending[i].Path;
            if (path == rename.Path || path.StartsWith(rename.Path + '/', StringComparison.Ordinal))
            {
                _pending[i] = _pending[i] with { Path = rename.Target + path[rename.Path.Length..] };
            }
        }
    }

    private void Copy(string step)
    {
        string target = Path.Combine(copies, $"{Copies.Count:000}");
        CopyTree(root, target);
        foreach (Effect effect in Enumerable.Reverse(_pending))
        {
            effect.TakeBack(path => Path.Combine(target, Path.GetRelativePath(root, path)),
                (copy, path) => Path.Combine(copy, Path.GetRelativePath(root, path)));
        }

        Copies.Add((target, step));
    }

    private static void CopyTree(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        }

        // The lock files are held and hold nothing.
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "LOCK"))
        {
            CopyFile(file, Path.Combine(to, Path.GetRelativePath(from, file)));
        }
    }

    private static void CopyFile(string from, string to)
    {
        // Not File.Copy, which refuses files that are open for writing.
        using FileStream input = new(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using FileStream output = new(to, FileMode.Create);
        input.CopyTo(output);
    }

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else if (File.Exists(path))
        {
            File.Delete(path); // Its directory may be gone already.
        }
    }

    /// <summary>Brings back what an earlier copy holds at a path; nothing when it was not durable then.</summary>
    private static void BringBack(string earlier, string path)
    {
        if (Directory.Exists(earlier))
        {
            CopyTree(earlier, path);
        }
        else if (File.Exists(earlier))
        {
            CopyFile(earlier, path);
        }
    }

    private abstract record Effect(string Path)
    {
        /// <summary>The entry whose directory makes the effect durable.</summary>
        public virtual string Entry => Path;

        public abstract void TakeBack(Func<string, string> here, Func<string, string, string> earlier);
    }

    private sealed record Content(string Path, long LengthBefore) : Effect(Path)
    {
        public override void TakeBack(Func<string, string> here, Func<string, string, string> earlier)
        {
            if (File.Exists(here(Path)))
            {
                using FileStream file = new(here(Path), FileMode.Open, FileAccess.Write);
                file.SetLength(LengthBefore);
            }
        }
    }

    private sealed record Truncated(string Path, string Before) : Effect(Path)
    {
        public override void TakeBack(Func<string, string> here, Func<string, string, string> earlier) =>
            BringBack(earlier(Before, Path), here(Path));
    }

    private sealed record Created(string Path) : Effect(Path)
    {
        public override void TakeBack(Func<string, string> here, Func<string, string, string> earlier) =>
            Remove(here(Path));
    }

    private sealed record Renamed(string Path, string Target, string Before) : Effect(Path)
    {
        public override string Entry => Target;

        public override void TakeBack(Func<string, string> here, Func<string, string, string> earlier)
        {
            if (System.IO.Path.Exists(here(Target)))
            {
                Directory.Move(here(Target), here(Path));
                BringBack(earlier(Before, Target), here(Target));
            }
        }
    }

    private sealed record Deleted(string Path, string Before) : Effect(Path)
    {
        public override void TakeBack(Func<string, string> here, Func<string, string, string> earlier) =>
            BringBack(earlier(Before, Path), here(Path));
    }
}
