using Branching.ClientApp.Formats;

namespace Branching.ClientApp.Transfer;

/// <summary>
/// A file that is read twice: once to check it, once to write it. What can be read only once (standard input, a pipe)
/// is copied to a temporary file first.
/// </summary>
internal sealed class ImportFile : IAsyncDisposable
{
    private readonly FileStream _stream;

    private ImportFile(FileStream stream, string name)
    {
        _stream = stream;
        Name = name;
    }

    /// <summary>The file's name for messages.</summary>
    public string Name { get; }

    public long Bytes => _stream.Length;

    /// <summary>Opens a file; <c>-</c> is standard input.</summary>
    public static async Task<ImportFile> OpenAsync(
        string path, Stream standardInput, CancellationToken cancellationToken)
    {
        if (path == "-")
        {
            return new ImportFile(await SpoolAsync(standardInput, cancellationToken), "standard input");
        }

        if (Directory.Exists(path))
        {
            throw new UserError(ExitCode.NotFound, $"'{path}' is a directory", "name a file", "FileNotFound");
        }

        if (!File.Exists(path))
        {
            throw new UserError(
                ExitCode.NotFound,
                $"there is no file '{path}'",
                "check the path; - reads standard input",
                "FileNotFound");
        }

        var stream = new FileStream(path, new FileStreamOptions
        {
            // The reader has its own buffer.
            BufferSize = 0,
            Options = FileOptions.SequentialScan,
        });
        if (stream.CanSeek)
        {
            return new ImportFile(stream, path);
        }

        await using (stream)
        {
            return new ImportFile(await SpoolAsync(stream, cancellationToken), path);
        }
    }

    /// <summary>Reads the file from its beginning.</summary>
    public RecordReader Read(RecordFormat format, string? keyColumn)
    {
        _stream.Position = 0;
        return RecordReader.Open(format, new LeftOpen(_stream), keyColumn);
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private static async Task<FileStream> SpoolAsync(Stream source, CancellationToken cancellationToken)
    {
        // Removed when it is closed; also when the process dies, since it has no name by then.
        var spool = new FileStream(Path.GetTempFileName(), new FileStreamOptions
        {
            Mode = FileMode.Open,
            Access = FileAccess.ReadWrite,
            BufferSize = 0,
            Options = FileOptions.DeleteOnClose,
        });
        try
        {
            File.Delete(spool.Name);
            await source.CopyToAsync(spool, 1 << 20, cancellationToken);
            return spool;
        }
        catch
        {
            await spool.DisposeAsync();
            throw;
        }
    }

    private sealed class LeftOpen(Stream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

        public override int Read(Span<byte> buffer) => inner.Read(buffer);

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
