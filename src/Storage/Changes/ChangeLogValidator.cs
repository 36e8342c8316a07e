namespace Branching.Storage.Changes;

/// <summary>What was found in the directory of a change log.</summary>
/// <param name="Files">Files looked at.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Entries">Batches that can be read.</param>
/// <param name="Gaps">Gaps that the log itself tells of.</param>
/// <param name="First">The first sequence; <see langword="null"/> without files.</param>
/// <param name="Last">The last sequence that can be read.</param>
/// <param name="WasClosed">Whether it ends as a log does that was closed in good order.</param>
/// <param name="Damage">What cannot be read.</param>
public sealed record ChangeLogValidation(
    int Files, long Bytes, long Entries, int Gaps, Sequence? First, Sequence? Last, bool WasClosed,
    IReadOnlyList<ChangeDamage> Damage);

/// <summary>Reads every byte of a change log that nobody writes, without its store.</summary>
/// <remarks>
/// Changes nothing. Bytes at the end that are no whole frame are reported too: a log whose process was killed may have
/// them, and its next open cuts them off. Blocking.
/// </remarks>
public static class ChangeLogValidator
{
    // More findings than this say nothing more.
    private const int MaxFindings = 1000;

    /// <summary>Validates a directory.</summary>
    /// <exception cref="StorageException">
    /// <see cref="FailureKind.ChangeLogOff"/>: there is no change log. <see cref="FailureKind.FormatTooNew"/>; or why
    /// it cannot be read.
    /// </exception>
    public static ChangeLogValidation Validate(string directory, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!Directory.Exists(directory))
        {
            throw new StorageException(
                FailureKind.ChangeLogOff, $"There is no change log at '{directory}': the directory does not exist.");
        }

        List<(string Path, ulong First)> files = [];
        foreach (string name in Disk.List(directory).Order(StringComparer.Ordinal))
        {
            if (ChangeFormat.TryParseName(name, out ulong first))
            {
                files.Add((Path.Combine(directory, name), first));
            }
        }

        return Validate(directory, [.. files.Select(f => (f.Path, f.First, (long?)null))], null, cancellationToken);
    }

    /// <summary>Validates files up to given ends.</summary>
    internal static ChangeLogValidation Validate(
        string directory, IReadOnlyList<(string Path, ulong First, long? End)> files, ulong? last,
        CancellationToken cancellationToken)
    {
        Run run = new();
        CheckState(directory, run);
        for (int i = 0; i < files.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ulong? until = i + 1 < files.Count ? files[i + 1].First - 1 : last;
            try
            {
                ReadFile(files[i], until, run, cancellationToken);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Disk.Failed("Reading the change log file", files[i].Path, e);
            }
        }

        return new ChangeLogValidation(
            files.Count, run.Bytes, run.Entries, run.Gaps, files.Count == 0 ? null : new Sequence(files[0].First),
            files.Count == 0 ? null : new Sequence(run.Last), run.WasClosed, run.Damage);
    }

    private static void CheckState(string directory, Run run)
    {
        try
        {
            ChangeState.TryRead(directory);
        }
        catch (StorageException e) when (e.Kind == FailureKind.Corruption)
        {
            run.Damage.Add(new ChangeDamage(
                Path.Combine(directory, ChangeFormat.StateName), 0, new Sequence(1), new Sequence(0), e.Message));
        }
    }

    private static void ReadFile(
        (string Path, ulong First, long? End) file, ulong? until, Run run, CancellationToken cancellationToken)
    {
        (string path, ulong first, long? end) = file;
        using ChangeFileReader reader = ChangeFileReader.Open(path, end);
        run.Bytes += reader.End;
        run.WasClosed = false;
        run.Last = Math.Max(run.Last, first - 1);
        if (reader.Header is not { } header)
        {
            run.Add(path, reader.Fault!, until);
            return;
        }

        if (header.First != first)
        {
            FrameFault foreign = new(0, reader.End, first, until, $"it is the file of sequence {header.First}");
            run.Add(path, foreign, until);
            return;
        }

        for (FrameResult result = reader.Read(); result != FrameResult.End; result = reader.Read())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (result == FrameResult.Damage)
            {
                run.WasClosed = false;
                run.Add(path, reader.Fault!, until);
            }
            else
            {
                run.Take(reader);
            }
        }

        if (until is { } last && reader.Expected <= last && !run.EndsWith(path))
        {
            run.Add(path, new FrameFault(
                reader.End, 0, reader.Expected, last, "the file ends before the sequences that it must have"), until);
        }
    }

    private sealed class Run
    {
        private readonly List<Change> _decoded = [];

        public long Bytes { get; set; }

        public long Entries { get; private set; }

        public int Gaps { get; private set; }

        public ulong Last { get; set; }

        public bool WasClosed { get; set; }

        public List<ChangeDamage> Damage { get; } = [];

        public bool EndsWith(string path) => Damage.Count > 0 && Damage[^1].File == path && WasToTheEnd;

        private bool WasToTheEnd { get; set; }

        public void Add(string path, FrameFault fault, ulong? until)
        {
            WasToTheEnd = fault.Last is null;
            if (Damage.Count < MaxFindings)
            {
                ulong? last = fault.Last ?? until;
                Damage.Add(new ChangeDamage(
                    path, fault.Offset, new Sequence(fault.First), last is { } at ? new Sequence(at) : null,
                    fault.Reason));
            }
        }

        public void Take(ChangeFileReader reader)
        {
            FrameHeader frame = reader.Frame;
            WasToTheEnd = false;
            WasClosed = frame.Kind == FrameKind.Closed;
            bool good = frame.Kind switch
            {
                FrameKind.Families => FrameDecoder.TryFamilies(reader.Payload, []),
                FrameKind.Closed => FrameDecoder.TryClosed(reader.Payload.Span, out _),
                _ => true,
            };
            if (!good)
            {
                Add(reader.Path, new FrameFault(
                    reader.Offset - frame.FrameBytes, frame.FrameBytes, frame.First + 1, frame.First,
                    "a whole frame holds what no frame of its kind does"), null);
            }

            if (!frame.HasSequences)
            {
                return;
            }

            _decoded.Clear();
            if (!FrameDecoder.TryEntries(frame, reader.Payload, reader.Families, 0, _decoded, out string? why))
            {
                Add(reader.Path, new FrameFault(
                    reader.Offset - frame.FrameBytes, frame.FrameBytes, frame.First, frame.Last, why!), null);
                return;
            }

            Last = frame.Last;
            Entries += frame.Kind == FrameKind.Batch ? _decoded.Count : 0;
            Gaps += frame.Kind == FrameKind.Gap ? 1 : 0;
        }
    }
}
