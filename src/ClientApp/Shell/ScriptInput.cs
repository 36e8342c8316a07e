namespace Branching.ClientApp.Shell;

/// <summary>
/// Standard input of a command inside a script: the script itself is there, so that a command that would read it fails
/// instead of taking the rest of the script for a value.
/// </summary>
internal sealed class ScriptInput : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => throw Refusal();

    public override ValueTask<int> ReadAsync(
        Memory<byte> buffer, CancellationToken cancellationToken = default) => throw Refusal();

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        => throw Refusal();

    public override void Flush()
    {
        // Nothing is ever written.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private static UserError Refusal() => new(
        ExitCode.Usage, "standard input is the script itself, so nothing else can be read from it", "name a file");
}
