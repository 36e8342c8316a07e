namespace Branching.Storage.Tests.Branches;

/// <summary>Copies the tree before each step and takes back, in the copy, what was not fsynced by then.</summary>
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
        if (step.Kind == DiskStepKind.AppendFile)
        {
            _pending.Add(new Effect(step, new FileInfo(step.Path).Length));
        }
        else if (step.Kind is not (DiskStepKind.FlushFile or DiskStepKind.FlushDirectory or DiskStepKind.DeleteTree
            or DiskStepKind.DeleteFile))
        {
            _pending.Add(new Effect(step, 0));
        }
    }

    /// <summary>The step before has run: a flush has made what it covers durable.</summary>
    private void Settle()
    {
        if (_running is { Kind: DiskStepKind.FlushFile } file)
        {
            _pending.RemoveAll(e => e.Step.Kind == DiskStepKind.AppendFile && e.Step.Path == file.Path);
        }
        else if (_running is { Kind: DiskStepKind.FlushDirectory } directory)
        {
            _pending.RemoveAll(e => e.Step.Kind != DiskStepKind.AppendFile
                && Path.GetDirectoryName(e.Step.Target ?? e.Step.Path) == directory.Path);
        }

        _running = null;
    }

    private void Copy(string step)
    {
        string target = Path.Combine(copies, $"{Copies.Count:000}");
        foreach (string directory in Directory.EnumerateDirectories(root, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(target, Path.GetRelativePath(root, directory)));
        }

        // The lock files are held and hold nothing.
        foreach (string file in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "LOCK"))
        {
            CopyFile(file, Path.Combine(target, Path.GetRelativePath(root, file)));
        }

        foreach (Effect effect in Enumerable.Reverse(_pending))
        {
            TakeBack(effect, path => Path.Combine(target, Path.GetRelativePath(root, path)));
        }

        Copies.Add((target, step));
    }

    private static void TakeBack(Effect effect, Func<string, string> inCopy)
    {
        string path = inCopy(effect.Step.Path);
        switch (effect.Step.Kind)
        {
            case DiskStepKind.AppendFile:
                using (FileStream file = new(path, FileMode.Open, FileAccess.Write))
                {
                    file.SetLength(effect.LengthBefore);
                }

                break;
            case DiskStepKind.Rename when Path.Exists(inCopy(effect.Step.Target!)):
                Directory.Move(inCopy(effect.Step.Target!), path);
                break;
            case DiskStepKind.Rename:
                break;
            default:
                if (Directory.Exists(path))
                {
                    Directory.Delete(path, recursive: true);
                }
                else
                {
                    File.Delete(path);
                }

                break;
        }
    }

    private static void CopyFile(string from, string to)
    {
        // Not File.Copy, which refuses files that are open for writing.
        using FileStream input = new(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using FileStream output = new(to, FileMode.CreateNew);
        input.CopyTo(output);
    }

    private sealed record Effect(DiskStep Step, long LengthBefore);
}
