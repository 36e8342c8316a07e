using Branching.Storage.Ownership;

namespace Branching.Storage;

/// <summary>Answers only under a valid lease, or as long as no later epoch was seen.</summary>
internal sealed class TenureGuard(Tenure tenure, LeaseLoss whenLost) : IAnswerGuard
{
    /// <inheritdoc/>
    public bool MayAnswer =>
        tenure.IsValid || (whenLost == LeaseLoss.ContinueUnfenced && tenure.EndCause is null);

    /// <inheritdoc/>
    public void ThrowIfInvalid()
    {
        if (!MayAnswer)
        {
            tenure.ThrowIfInvalid();
        }
    }

    /// <inheritdoc/>
    public Task WaitAsync(CancellationToken cancellationToken) =>
        MayAnswer ? Task.CompletedTask : tenure.WaitUntilValidAsync(cancellationToken);
}
