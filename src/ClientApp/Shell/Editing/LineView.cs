using System.Globalization;
using System.Text;

namespace Branching.ClientApp.Shell.Editing;

/// <summary>Draws the line being edited below its prompt's beginning; a long one goes over several rows.</summary>
internal sealed class LineView(IShellConsole console, string prompt)
{
    private int _row;

    /// <summary>Draws the line anew, with the cursor where it is.</summary>
    public void Draw(LineBuffer line)
    {
        int width = Math.Max(1, console.Width);
        var output = new StringBuilder();
        Return(output).Append("\x1b[J").Append(prompt).Append(line.Text);
        (int promptRow, int promptColumn) = Advance(prompt, (0, 0), width);
        (int cursorRow, int cursorColumn) = Advance(
            line.Text.AsSpan(0, line.Cursor), (promptRow, promptColumn), width);
        (int endRow, int endColumn) = Advance(
            line.Text.AsSpan(line.Cursor), (cursorRow, cursorColumn), width);
        if (endColumn >= width)
        {
            // The terminal waits at the last column; only a line end takes it to the next row for certain.
            output.Append("\r\n");
            endRow++;
        }

        if (cursorColumn >= width)
        {
            cursorRow++;
            cursorColumn = 0;
        }

        Move(output, endRow - cursorRow, 'A').Append('\r');
        Move(output, cursorColumn, 'C');
        _row = cursorRow;
        console.Write(output.ToString());
    }

    /// <summary>Leaves the line as it is and goes below it.</summary>
    public void Leave(LineBuffer line)
    {
        line.End();
        Draw(line);
        console.Write("\r\n");
        _row = 0;
    }

    /// <summary>Shows something below the line, and the line once more below that.</summary>
    public void ShowBelow(LineBuffer line, string text)
    {
        int cursor = line.Cursor;
        Leave(line);
        console.Write(text.ReplaceLineEndings("\r\n"));
        line.MoveTo(cursor);
        Draw(line);
    }

    /// <summary>Clears the terminal.</summary>
    public void Clear(LineBuffer line)
    {
        console.Write("\x1b[H\x1b[2J");
        _row = 0;
        Draw(line);
    }

    private StringBuilder Return(StringBuilder output) => Move(output, _row, 'A').Append('\r');

    private static StringBuilder Move(StringBuilder output, int by, char direction)
        => by > 0 ? output.Append(CultureInfo.InvariantCulture, $"\x1b[{by}{direction}") : output;

    // Where the cursor is after a text; the column may be the width, as on a terminal that has not wrapped yet.
    private static (int Row, int Column) Advance(ReadOnlySpan<char> text, (int Row, int Column) from, int width)
    {
        (int row, int column) = from;
        while (!text.IsEmpty)
        {
            int length = StringInfo.GetNextTextElementLength(text);
            int cells = CellWidth.OfElement(text[..length]);
            if (column + cells > width)
            {
                row++;
                column = 0;
            }

            column += cells;
            text = text[length..];
        }

        return (row, column);
    }
}
