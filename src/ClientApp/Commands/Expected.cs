using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using Branching.ClientApp.Formats;
using Branching.Grains;

namespace Branching.ClientApp.Commands;

/// <summary>What options and arguments take, and how it is said when they are given something else.</summary>
internal static class Expected
{
    /// <summary>Lets a symbol refuse what it cannot take in words, without the names of types.</summary>
    public static void Apply(Symbol symbol)
    {
        switch (symbol)
        {
            case Option<int> option:
                option.CustomParser = Whole<int>;
                break;
            case Option<int?> option:
                option.CustomParser = result => OrNull(result, Whole<int>);
                break;
            case Option<long> option:
                option.CustomParser = Whole<long>;
                break;
            case Option<long?> option:
                option.CustomParser = result => OrNull(result, Whole<long>);
                break;
            case Option<ulong?> option:
                option.CustomParser = result => OrNull(result, Whole<ulong>);
                break;
            case Argument<ulong> argument:
                argument.CustomParser = Whole<ulong>;
                break;
            case Argument<ulong?> argument:
                argument.CustomParser = result => OrNull(result, Whole<ulong>);
                break;
            case Option<RecordFormat?> option:
                option.CustomParser = result => OrNull(result, OneOf<RecordFormat>);
                break;
            case Option<VerificationKind?> option:
                option.CustomParser = result => OrNull(result, OneOf<VerificationKind>);
                break;
            case Option { HelpName: "DIR" or "FILE" } option:
                option.Validators.Add(NotBlank);
                break;
            case Argument { Name: "DIR" or "FILE" } argument:
                argument.Validators.Add(result => RefuseBlank(result, argument.Name));
                break;
            default:
                break;
        }
    }

    /// <summary>Refuses an empty name of a file or directory: every path made of it would be another one.</summary>
    public static void NotBlank(OptionResult result) => RefuseBlank(result, result.Option.Name);

    /// <summary>Refuses numbers below one; what is no number at all is refused elsewhere.</summary>
    public static void AtLeastOne(OptionResult result)
    {
        if (result.Tokens is [{ Value: var word }] && TryWhole(word, out long number) && number < 1)
        {
            result.AddError($"{result.Option.Name} must be 1 or more");
        }
    }

    private static void RefuseBlank(SymbolResult result, string name)
    {
        if (result.Tokens.Any(token => string.IsNullOrWhiteSpace(token.Value)))
        {
            result.AddError($"{name} takes the name of a file or directory, and it is empty");
        }
    }

    private static T? OrNull<T>(ArgumentResult result, Func<ArgumentResult, T> parse)
        where T : struct
        => result.Tokens.Count == 0 ? null : parse(result);

    private static T Whole<T>(ArgumentResult result)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        if (result.Tokens is not [{ Value: var word }])
        {
            return default;
        }

        if (!TryWhole(word, out T number))
        {
            // So large a number is a whole one, and saying only that would not help.
            string range = BigInteger.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
                ? $" from {T.MinValue} to {T.MaxValue}"
                : "";
            result.AddError($"{NameOf(result)} takes a whole number{range}, not '{word}'");
        }

        return number;
    }

    private static bool TryWhole<T>(string word, out T number)
        where T : struct, IBinaryInteger<T>
        => T.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    // Enum.TryParse also takes numbers and lists, which name nothing here.
    private static T OneOf<T>(ArgumentResult result)
        where T : struct, Enum
    {
        string word = result.Tokens is [{ Value: var only }] ? only : "";
        foreach (T value in Enum.GetValues<T>())
        {
            if (string.Equals(value.ToString(), word, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        IEnumerable<string> names = Enum.GetNames<T>().Select(name => name.ToLowerInvariant());
        result.AddError($"{NameOf(result)} takes one of {string.Join(", ", names)}, not '{word}'");
        return default;
    }

    private static string NameOf(ArgumentResult result)
        => result.Parent is OptionResult option ? option.Option.Name : result.Argument.Name;
}
