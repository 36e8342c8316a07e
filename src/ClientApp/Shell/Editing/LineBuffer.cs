using System.Globalization;

namespace Branching.ClientApp.Shell.Editing;

/// <summary>A line being edited, with its cursor. It moves by what a person takes for one sign.</summary>
internal sealed class LineBuffer
{
    private string _cut = "";

    /// <summary>The line.</summary>
    public string Text { get; private set; } = "";

    /// <summary>Where the next sign goes; between 0 and the length of <see cref="Text"/>.</summary>
    public int Cursor { get; private set; }

    /// <summary>Puts another line in its place, with the cursor at its end.</summary>
    public void Set(string text)
    {
        Text = text;
        Cursor = text.Length;
    }

    public void Insert(string text) => Replace(Cursor, 0, text);

    /// <summary>Replaces a part of the line and puts the cursor after it.</summary>
    public void Replace(int start, int length, string text)
    {
        Text = string.Concat(Text.AsSpan(0, start), text, Text.AsSpan(start + length));
        Cursor = start + text.Length;
    }

    public void Left() => Cursor = Before(Cursor);

    public void Right() => Cursor = After(Cursor);

    public void Home() => Cursor = 0;

    public void End() => Cursor = Text.Length;

    /// <summary>Puts the cursor somewhere.</summary>
    public void MoveTo(int cursor) => Cursor = cursor;

    public void WordLeft() => Cursor = WordBefore(Cursor, char.IsLetterOrDigit);

    public void WordRight()
    {
        int at = Cursor;
        while (at < Text.Length && !char.IsLetterOrDigit(Text[at]))
        {
            at++;
        }

        while (at < Text.Length && char.IsLetterOrDigit(Text[at]))
        {
            at++;
        }

        Cursor = at;
    }

    /// <summary>Removes the sign before the cursor.</summary>
    public void Backspace()
    {
        int start = Before(Cursor);
        Replace(start, Cursor - start, "");
    }

    /// <summary>Removes the sign at the cursor.</summary>
    public void Delete() => Replace(Cursor, After(Cursor) - Cursor, "");

    /// <summary>Cuts everything after the cursor.</summary>
    public void CutToEnd() => Cut(Cursor, Text.Length);

    /// <summary>Cuts everything before the cursor.</summary>
    public void CutToStart() => Cut(0, Cursor);

    /// <summary>Cuts the word before the cursor, up to a blank.</summary>
    public void CutWord() => Cut(WordBefore(Cursor, c => !char.IsWhiteSpace(c)), Cursor);

    /// <summary>Inserts what was cut last.</summary>
    public void Paste() => Insert(_cut);

    private void Cut(int start, int end)
    {
        if (end > start)
        {
            _cut = Text[start..end];
            Replace(start, end - start, "");
        }
    }

    private int WordBefore(int at, Func<char, bool> isInside)
    {
        while (at > 0 && !isInside(Text[at - 1]))
        {
            at--;
        }

        while (at > 0 && isInside(Text[at - 1]))
        {
            at--;
        }

        return at;
    }

    private int After(int at)
        => at == Text.Length ? at : at + StringInfo.GetNextTextElementLength(Text.AsSpan(at));

    private int Before(int at)
    {
        int start = 0;
        for (int next = 0; next < at;)
        {
            start = next;
            next = After(next);
        }

        return start;
    }
}
