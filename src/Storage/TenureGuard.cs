using Branching.Storage.Ownership;

namespace Branching.Storage;

/// <summary>Answers only under a valid lease, or as long as no later epoch was seen.</summary>
internal sealed class TenureGuard(Tenure tenure, LeaseLoss whenLost) : IAnswerGuard
{
    /// <inheritdoc/>
    public void ThrowIfInvalid()
    {
        if (tenure.IsValid)
        {
            return;
        }

        if (whenLost == LeaseLoss.ContinueUnfenced && tenure.EndCause is null)
        {
            return;
        }

        tenure.ThrowIfInvalid();
    }
}
