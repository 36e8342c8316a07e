using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Branching.Grains;

namespace Branching.ClientApp.Demo;

/// <summary>
/// The writes of the process that will be killed. Operation i follows from i and the keys that the branch had at first,
/// and touches a key of its own: so whoever knows which were acknowledged knows what the branch must hold.
/// </summary>
internal sealed class CrashPlan(IReadOnlyList<byte[]> keys)
{
    /// <summary>Operation <paramref name="index"/>: a new key, an overwritten one or a removed one, in turn.</summary>
    public WriteOperation this[int index]
    {
        get
        {
            byte[] content = Content(index);
            return (index % 3, index < keys.Count) switch
            {
                (1, true) => new WriteOperation(WriteOperationKind.Put, keys[index], content),
                (2, true) => new WriteOperation(WriteOperationKind.Delete, keys[index], default),
                _ => new WriteOperation(WriteOperationKind.Put, Encoding.UTF8.GetBytes($"crash/{index:D8}"), content),
            };
        }
    }

    private static byte[] Content(int index)
    {
        string number = index.ToString(CultureInfo.InvariantCulture);
        string digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(number)));
        return Encoding.UTF8.GetBytes($"write {number} of the process that was killed: {digest}");
    }
}
