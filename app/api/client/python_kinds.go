//go:build ignore

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// define writes the type of a named schema.
func (m *module) define(name string, s *openapi3.Schema) {
	if m.written[name] {
		return
	}
	m.written[name] = true
	if len(s.Properties) == 0 {
		fmt.Fprintf(&m.types, "%s = %s\n", name, m.kind(name, &openapi3.SchemaRef{Value: s}, true))
		return
	}
	var fields []string
	plain := true
	for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
		kind := m.kind(name+camel(field), s.Properties[field], false)
		if !slices.Contains(s.Required, field) {
			kind = "NotRequired[" + kind + "]"
		}
		fields = append(fields, field+": "+kind)
		plain = plain && !keywords[field]
	}
	if plain {
		about := docstring("    ", s.Description)
		fmt.Fprintf(&m.types, "\n\nclass %s(TypedDict):\n%s    %s\n\n\n", name, about, strings.Join(fields, "\n    "))
		return
	}
	// A field with the name of a keyword, such as from, needs the other form.
	fmt.Fprintf(&m.types, "%s = TypedDict(\n    %q,\n    {\n", name, name)
	for _, f := range fields {
		field, kind, _ := strings.Cut(f, ": ")
		fmt.Fprintf(&m.types, "        %q: %q,\n", field, kind)
	}
	m.types.WriteString("    },\n)\n")
}

// kind is the annotation of a schema. name is for an object inside it; now means that Python
// evaluates it when the module is loaded, so that it can only name what exists.
func (m *module) kind(name string, ref *openapi3.SchemaRef, now bool) string {
	s := ref.Value
	if ref.Ref != "" {
		if named := ref.Ref[strings.LastIndex(ref.Ref, "/")+1:]; named != "Problem" {
			if now {
				return fmt.Sprintf("%q", named)
			}
			return named
		}
		return "Dict[str, Any]"
	}
	kind := m.bare(name, s, now)
	if s.Type.IncludesNull() && !strings.HasPrefix(kind, "Optional[") {
		return "Optional[" + kind + "]"
	}
	return kind
}

func (m *module) bare(name string, s *openapi3.Schema, now bool) string {
	switch {
	case s.Const != nil:
		return fmt.Sprintf("Literal[%q]", s.Const)
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			if v != nil {
				values = append(values, fmt.Sprintf("%q", v))
			}
		}
		return "Literal[" + strings.Join(values, ", ") + "]"
	case len(s.OneOf) > 0 || len(s.AnyOf) > 0:
		return m.union(name, append(slices.Clone(s.OneOf), s.AnyOf...), now)
	case s.Type.Includes("array"):
		return "List[" + m.kind(name, s.Items, now) + "]"
	case s.Type.Includes("object") && len(s.Properties) > 0:
		m.define(name, s)
		return name
	case s.Type.Includes("object") && s.AdditionalProperties.Schema != nil:
		return "Dict[str, " + m.kind(name+"Value", s.AdditionalProperties.Schema, now) + "]"
	case s.Type.Includes("object"):
		return "Dict[str, Any]"
	case s.Type.Includes("string"):
		return "str"
	case s.Type.Includes("integer"):
		return "int"
	case s.Type.Includes("number"):
		return "float"
	case s.Type.Includes("boolean"):
		return "bool"
	}
	return "Any"
}

func (m *module) union(name string, of openapi3.SchemaRefs, now bool) string {
	var kinds []string
	null := false
	for _, r := range of {
		if r.Ref == "" && r.Value.Type.Is("null") {
			null = true
			continue
		}
		kinds = append(kinds, m.kind(name, r, now))
	}
	kind := strings.Join(kinds, ", ")
	if len(kinds) > 1 {
		kind = "Union[" + kind + "]"
	}
	if null {
		return "Optional[" + kind + "]"
	}
	return kind
}
