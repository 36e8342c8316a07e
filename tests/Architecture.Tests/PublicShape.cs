using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Branching.Architecture.Tests;

/// <summary>
/// What callers can see of an assembly, one line per type, member, base and constraint, read from metadata alone:
/// nothing is loaded, run or resolved, so a missing dependency is no obstacle.
/// </summary>
internal static class PublicShape
{
    public static SortedSet<string> Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        using PEReader pe = new(file);
        Reader reader = new(pe.GetMetadataReader());
        SortedSet<string> lines = new(StringComparer.Ordinal);
        foreach (string line in reader.Lines())
        {
            lines.Add(line);
        }

        return lines;
    }

    private sealed class Reader(MetadataReader metadata)
    {
        private readonly Names _names = new(metadata);

        public IEnumerable<string> Lines()
            => metadata.TypeDefinitions.Where(IsVisible).SelectMany(LinesOf);

        private IEnumerable<string> LinesOf(TypeDefinitionHandle handle)
        {
            TypeDefinition type = metadata.GetTypeDefinition(handle);
            string name = _names.GetTypeFromDefinition(metadata, handle, 0);
            Context context = new(GenericNames(type.GetGenericParameters()), []);
            yield return $"{Kind(type, context)} {name}";
            foreach (string line in Constraints(name, type.GetGenericParameters(), context))
            {
                yield return line;
            }

            foreach (InterfaceImplementationHandle implemented in type.GetInterfaceImplementations())
            {
                string contract = _names.NameOf(metadata.GetInterfaceImplementation(implemented).Interface, context);
                yield return $"{name} is {contract}";
            }

            if (!type.BaseType.IsNil && _names.NameOf(type.BaseType, context) != "System.Object")
            {
                yield return $"{name} is {_names.NameOf(type.BaseType, context)}";
            }

            foreach (FieldDefinition field in type.GetFields().Select(metadata.GetFieldDefinition))
            {
                if (IsVisible(field.Attributes) && !field.Attributes.HasFlag(FieldAttributes.SpecialName))
                {
                    string constant = field.Attributes.HasFlag(FieldAttributes.Literal)
                        ? $" = {Constant(field.GetDefaultValue())}"
                        : "";
                    string shared = field.Attributes.HasFlag(FieldAttributes.Static) ? "static " : "";
                    yield return $"{name}.{metadata.GetString(field.Name)} : "
                        + $"{shared}{field.DecodeSignature(_names, context)}{constant}";
                }
            }

            foreach (MethodDefinition method in type.GetMethods().Select(metadata.GetMethodDefinition))
            {
                if (IsVisible(method.Attributes))
                {
                    foreach (string line in LinesOf(name, method, context))
                    {
                        yield return line;
                    }
                }
            }
        }

        private IEnumerable<string> LinesOf(string typeName, MethodDefinition method, Context ofType)
        {
            Context context = ofType with { Method = GenericNames(method.GetGenericParameters()) };
            MethodSignature<string> signature = method.DecodeSignature(_names, context);
            Dictionary<int, Parameter> parameters = method.GetParameters().Select(metadata.GetParameter)
                .ToDictionary(p => (int)p.SequenceNumber);
            string arguments = string.Join(", ", signature.ParameterTypes.Select((t, i) =>
                parameters.TryGetValue(i + 1, out Parameter p)
                    ? $"{t} {metadata.GetString(p.Name)}{Default(p)}"
                    : t));
            string generic = context.Method.Length > 0 ? $"<{string.Join(", ", context.Method)}>" : "";
            string shared = method.Attributes.HasFlag(MethodAttributes.Static) ? "static " : "";
            string name = $"{typeName}.{metadata.GetString(method.Name)}{generic}({arguments})";
            yield return $"{name} : {shared}{signature.ReturnType}";
            foreach (string line in Constraints(name, method.GetGenericParameters(), context))
            {
                yield return line;
            }
        }

        private IEnumerable<string> Constraints(
            string owner, GenericParameterHandleCollection parameters, Context context)
        {
            foreach (GenericParameter parameter in parameters.Select(metadata.GetGenericParameter))
            {
                string name = metadata.GetString(parameter.Name);
                GenericParameterAttributes special =
                    parameter.Attributes & GenericParameterAttributes.SpecialConstraintMask;
                if (special != GenericParameterAttributes.None)
                {
                    yield return $"{owner} where {name} : {special}";
                }

                foreach (GenericParameterConstraintHandle constraint in parameter.GetConstraints())
                {
                    yield return $"{owner} where {name} : "
                        + _names.NameOf(metadata.GetGenericParameterConstraint(constraint).Type, context);
                }
            }
        }

        private string Default(Parameter parameter)
            => parameter.Attributes.HasFlag(ParameterAttributes.Optional)
                ? $" = {Constant(parameter.GetDefaultValue())}"
                : "";

        private string Constant(ConstantHandle handle)
        {
            if (handle.IsNil)
            {
                return "default";
            }

            Constant constant = metadata.GetConstant(handle);
            object? value = metadata.GetBlobReader(constant.Value).ReadConstant(constant.TypeCode);
            return Convert.ToString(value, CultureInfo.InvariantCulture) is { Length: > 0 } text ? text : "null";
        }

        private ImmutableArray<string> GenericNames(GenericParameterHandleCollection parameters)
            => [.. parameters.Select(p => metadata.GetString(metadata.GetGenericParameter(p).Name))];

        private string Kind(TypeDefinition type, Context context)
        {
            string parent = type.BaseType.IsNil ? "" : _names.NameOf(type.BaseType, context);
            return type.Attributes.HasFlag(TypeAttributes.Interface) ? "interface"
                : parent == "System.Enum" ? "enum"
                : parent == "System.ValueType" ? "struct"
                : (type.Attributes & (TypeAttributes.Abstract | TypeAttributes.Sealed)) switch
                {
                    TypeAttributes.NotPublic => "class",
                    TypeAttributes.Abstract => "abstract class",
                    TypeAttributes.Sealed => "sealed class",
                    _ => "static class",
                };
        }

        private bool IsVisible(TypeDefinitionHandle handle)
        {
            TypeDefinition type = metadata.GetTypeDefinition(handle);
            return (type.Attributes & TypeAttributes.VisibilityMask) switch
            {
                TypeAttributes.Public => true,
                TypeAttributes.NestedPublic or TypeAttributes.NestedFamily or TypeAttributes.NestedFamORAssem =>
                    IsVisible(type.GetDeclaringType()),
                _ => false,
            };
        }

        private static bool IsVisible(MethodAttributes attributes)
            => (attributes & MethodAttributes.MemberAccessMask)
                is MethodAttributes.Public or MethodAttributes.Family or MethodAttributes.FamORAssem;

        private static bool IsVisible(FieldAttributes attributes)
            => (attributes & FieldAttributes.FieldAccessMask)
                is FieldAttributes.Public or FieldAttributes.Family or FieldAttributes.FamORAssem;
    }

    private sealed record Context(ImmutableArray<string> Type, ImmutableArray<string> Method);

    /// <summary>Writes types as text, by full name and without their assembly.</summary>
    private sealed class Names(MetadataReader metadata) : ISignatureTypeProvider<string, Context>
    {
        public string NameOf(EntityHandle handle, Context context) => handle.Kind switch
        {
            HandleKind.TypeDefinition => GetTypeFromDefinition(metadata, (TypeDefinitionHandle)handle, 0),
            HandleKind.TypeReference => GetTypeFromReference(metadata, (TypeReferenceHandle)handle, 0),
            _ => metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(this, context),
        };

        public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
        {
            TypeDefinition type = reader.GetTypeDefinition(handle);
            return type.GetDeclaringType() is { IsNil: false } outer
                ? $"{GetTypeFromDefinition(reader, outer, 0)}.{reader.GetString(type.Name)}"
                : Join(reader.GetString(type.Namespace), reader.GetString(type.Name));
        }

        public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
        {
            TypeReference type = reader.GetTypeReference(handle);
            string outer = type.ResolutionScope.Kind == HandleKind.TypeReference
                ? GetTypeFromReference(reader, (TypeReferenceHandle)type.ResolutionScope, 0)
                : reader.GetString(type.Namespace);
            return Join(outer, reader.GetString(type.Name));
        }

        public string GetTypeFromSpecification(
            MetadataReader reader, Context genericContext, TypeSpecificationHandle handle, byte rawTypeKind)
            => reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

        public string GetArrayType(string elementType, ArrayShape shape)
            => $"{elementType}[{new string(',', shape.Rank - 1)}]";

        public string GetByReferenceType(string elementType) => $"ref {elementType}";

        public string GetFunctionPointerType(MethodSignature<string> signature) => "function pointer";

        public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments)
            => $"{genericType}<{string.Join(", ", typeArguments)}>";

        public string GetGenericMethodParameter(Context genericContext, int index) => genericContext.Method[index];

        public string GetGenericTypeParameter(Context genericContext, int index) => genericContext.Type[index];

        public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired)
            => isRequired ? $"{unmodifiedType} [{modifier}]" : unmodifiedType;

        public string GetPinnedType(string elementType) => elementType;

        public string GetPointerType(string elementType) => $"{elementType}*";

        public string GetPrimitiveType(PrimitiveTypeCode typeCode) => $"System.{typeCode}";

        public string GetSZArrayType(string elementType) => $"{elementType}[]";

        private static string Join(string space, string name) => space.Length == 0 ? name : $"{space}.{name}";
    }
}
