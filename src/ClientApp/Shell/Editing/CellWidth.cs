using System.Globalization;
using System.Text;

namespace Branching.ClientApp.Shell.Editing;

/// <summary>How many columns text takes on a terminal.</summary>
internal static class CellWidth
{
    // The blocks that terminals draw two columns wide: Unicode's East Asian Width "W" and "F", in broad strokes.
    private static readonly (int First, int Last)[] _wide =
    [
        (0x1100, 0x115F), (0x2E80, 0x303E), (0x3041, 0xA4CF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE6F),
        (0xFF00, 0xFF60), (0xFFE0, 0xFFE6), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1FAFF),
        (0x20000, 0x3FFFD),
    ];

    /// <summary>Columns of one text element: what a person takes for one sign.</summary>
    public static int OfElement(ReadOnlySpan<char> element)
    {
        int widest = 0;
        foreach (Rune rune in element.EnumerateRunes())
        {
            widest = Math.Max(widest, Of(rune));
        }

        return widest;
    }

    private static int Of(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.Control => 0,
        _ => Array.Exists(_wide, range => rune.Value >= range.First && rune.Value <= range.Last) ? 2 : 1,
    };
}
