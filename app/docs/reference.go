package docs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"carillon/views"
)

// depth is how many levels of fields a table shows. What is deeper is an object of its own.
const depth = 4

const refObject = "#/components/schemas/"

// reference draws openapi.yaml: an introduction, a page for each tag, and one of objects.
func reference(api []byte) ([]*views.DocPage, []section, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api)
	if err != nil {
		return nil, nil, err
	}
	r := describer{doc: doc, named: map[string]bool{}}
	intro, found, err := render(guide{slug: "api", title: "API", group: "Reference",
		summary: "Every operation of /v1, with a form that sends it.", text: doc.Info.Description + r.contents()}, "")
	if err != nil {
		return nil, nil, err
	}
	pages := []*views.DocPage{intro}
	for _, tag := range doc.Tags {
		p := &views.DocPage{Slug: tagSlug(tag.Name), Group: "Reference", Title: "API: " + tag.Name,
			Summary: strings.TrimSuffix(tag.Description, ".") + ": each operation, its fields and its answers."}
		for _, o := range r.operations(tag.Name) {
			p.Operations = append(p.Operations, o)
			p.Headings = append(p.Headings, views.Link{Text: o.Summary, Href: "#" + o.ID})
			found = append(found, section{page: p.Title, title: o.Summary, href: views.DocPath(p.Slug) + "#" + o.ID,
				text: o.Method + " " + o.Path + " " + o.ID + " " + strip(o.Text) + " " + names(o.Params) + " " + names(o.Body.Fields)})
		}
		if len(p.Operations) > 0 {
			pages = append(pages, p)
		}
	}
	objects := &views.DocPage{Slug: "api/objects", Group: "Reference", Title: "API: objects",
		Summary: "The fields of what the API answers, with an example of each."}
	for _, name := range r.objects() {
		o := r.object(name)
		objects.Objects = append(objects.Objects, o)
		objects.Headings = append(objects.Headings, views.Link{Text: name, Href: "#" + name})
		found = append(found, section{page: objects.Title, title: name, href: views.DocPath(objects.Slug) + "#" + name,
			text: strip(o.Text) + " " + names(o.Fields)})
	}
	return append(pages, objects), found, nil
}

func tagSlug(tag string) string { return "api/" + strings.ReplaceAll(strings.ToLower(tag), " ", "-") }

// describer reads one description. named collects the objects that operations name.
type describer struct {
	doc   *openapi3.T
	named map[string]bool
}

// methods are in the order in which operations of one path are shown.
var methods = []string{"POST", "GET", "PUT", "PATCH", "DELETE"}

// place is an operation with where it is.
type place struct {
	method, path string
	item         *openapi3.PathItem
	op           *openapi3.Operation
}

// places lists the operations of a tag, those of one path together.
func (r *describer) places(tag string) (list []place) {
	for path, item := range r.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, tag) {
				list = append(list, place{method, path, item, op})
			}
		}
	}
	slices.SortFunc(list, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(slices.Index(methods, a.method), slices.Index(methods, b.method)))
	})
	return list
}

// contents lists every operation, as Markdown.
func (r *describer) contents() string {
	var b strings.Builder
	b.WriteString("\n## All operations\n")
	for _, tag := range r.doc.Tags {
		list := r.places(tag.Name)
		if len(list) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| operation | does |\n|---|---|\n", tag.Name, tag.Description)
		for _, p := range list {
			fmt.Fprintf(&b, "| [`%s %s`](%s#%s) | %s |\n", p.method, p.path, views.DocPath(tagSlug(tag.Name)), p.op.OperationID,
				p.op.Summary)
		}
	}
	return b.String()
}

func (r *describer) operations(tag string) (list []views.DocOperation) {
	for _, p := range r.places(tag) {
		list = append(list, r.operation(p))
	}
	return list
}

var scopePattern = regexp.MustCompile("`([a-z]+:(?:read|write))`")

func (r *describer) operation(p place) views.DocOperation {
	o := views.DocOperation{ID: p.op.OperationID, Method: p.method, Path: p.path, Summary: p.op.Summary, Text: linked(p.op.Description),
		Auth: r.auth(p.op), Try: true}
	if m := scopePattern.FindStringSubmatch(p.op.Description); m != nil {
		o.Scope = m[1]
	}
	for _, list := range []openapi3.Parameters{p.item.Parameters, p.op.Parameters} {
		for _, ref := range list {
			f := r.field(ref.Value.Name, ref.Value.Schema, ref.Value.Required)
			f.In, f.Text = ref.Value.In, cmp.Or(linked(ref.Value.Description), f.Text)
			if ref.Value.Example != nil {
				f.Example = fmt.Sprint(ref.Value.Example)
			}
			o.Params = append(o.Params, f)
		}
	}
	if p.op.RequestBody != nil {
		o.Body = r.body(p.op.RequestBody.Value)
	}
	for _, status := range slices.Sorted(maps.Keys(p.op.Responses.Map())) {
		a := r.answer(status, p.op.Responses.Value(status).Value)
		if strings.HasPrefix(o.Body.Type, "multipart/") || strings.HasPrefix(status, "101") {
			o.Try = false // a file and a WebSocket need more than a form
		}
		o.Answers = append(o.Answers, a)
	}
	return o
}

// auth says how a request is signed.
func (r *describer) auth(op *openapi3.Operation) string {
	if op.Security == nil || len(*op.Security) == 0 {
		return "nothing: everybody may ask"
	}
	var kinds []string
	for _, need := range *op.Security {
		for name := range need {
			kinds = append(kinds, map[string]string{"apiKey": "an API key", "deviceCredential": "a device credential",
				"joinToken": "a join token", "callToken": "the account and token of one call (HTTP basic)",
				"pairingCode": "a pairing code"}[name])
		}
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " or ")
}

func (r *describer) body(b *openapi3.RequestBody) (out views.DocBody) {
	out.Text = linked(b.Description)
	for _, media := range slices.Sorted(maps.Keys(b.Content)) {
		m := b.Content[media]
		out.Type = media
		if m.Schema != nil {
			out.Fields = r.fields("", m.Schema.Value, 0)
			out.Text = cmp.Or(out.Text, linked(m.Schema.Value.Description))
		}
		if m.Example != nil {
			out.Examples = append(out.Examples, example("Example", m.Example))
		}
		for _, name := range slices.Sorted(maps.Keys(m.Examples)) {
			x := m.Examples[name].Value
			out.Examples = append(out.Examples, example(cmp.Or(x.Summary, name), x.Value))
		}
		if media == "application/json" && len(out.Examples) == 0 && m.Schema != nil {
			out.Examples = append(out.Examples, example("Example", sample(m.Schema, 0)))
		}
	}
	return out
}

func (r *describer) answer(status string, v *openapi3.Response) views.DocAnswer {
	a := views.DocAnswer{Status: status}
	if status == "default" {
		a.Status = "other"
	}
	if v.Description != nil {
		a.Text = linked(*v.Description)
	}
	for _, name := range slices.Sorted(maps.Keys(v.Headers)) {
		h := v.Headers[name].Value
		a.Headers = append(a.Headers, views.DocField{Name: name, Text: linked(h.Description)})
	}
	for _, media := range slices.Sorted(maps.Keys(v.Content)) {
		m := v.Content[media]
		a.Type = media
		if m.Schema == nil || strings.HasPrefix(status, "4") || strings.HasPrefix(status, "5") || status == "default" {
			continue
		}
		a.Object = r.name(m.Schema)
		if a.Object == "" {
			a.Fields = given(r.fields("", m.Schema.Value, 0))
		}
		switch {
		case m.Example != nil:
			a.Example = example("Example", m.Example)
		case media == "application/json":
			a.Example = example("Example", sample(m.Schema, 0))
		}
	}
	return a
}

// objects lists the objects that operations and other objects name.
func (r *describer) objects() []string {
	for done := 0; done < len(r.named); { // the fields of an object may name more
		done = len(r.named)
		for _, name := range slices.Sorted(maps.Keys(r.named)) {
			r.fields("", r.doc.Components.Schemas[name].Value, 0)
		}
	}
	return slices.Sorted(maps.Keys(r.named))
}

func (r *describer) object(name string) views.DocObject {
	ref := r.doc.Components.Schemas[name]
	o := views.DocObject{Name: name, Text: linked(ref.Value.Description), Fields: given(r.fields("", ref.Value, 0))}
	if x := ref.Value.Example; x != nil {
		o.Example = example(name, x)
	} else {
		o.Example = example(name, sample(ref, 0))
	}
	return o
}

// given are the fields of an answer: what a request must have is said of requests only.
func given(list []views.DocField) []views.DocField {
	for i := range list {
		list[i].Required = false
	}
	return list
}

// name is the object that a schema is, if it is one with fields, and notes it.
func (r *describer) name(ref *openapi3.SchemaRef) string {
	name, ok := strings.CutPrefix(ref.Ref, refObject)
	if !ok || len(properties(ref.Value)) == 0 {
		return ""
	}
	r.named[name] = true
	return name
}

// fields lists the fields of a schema and, below them, those of fields that are objects without a
// name.
func (r *describer) fields(prefix string, s *openapi3.Schema, level int) (list []views.DocField) {
	if s == nil || level > depth {
		return nil
	}
	props := properties(s)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		f := r.field(prefix+name, props[name], slices.Contains(s.Required, name))
		list = append(list, f)
		if f.Object != "" {
			continue
		}
		inner, mark := props[name].Value, "."
		if inner.Items != nil && r.name(inner.Items) == "" {
			inner, mark = inner.Items.Value, "[]."
		}
		list = append(list, r.fields(prefix+name+mark, inner, level+1)...)
	}
	slices.SortStableFunc(list, func(a, b views.DocField) int { // what is required comes first, with what is below it
		return cmp.Compare(rank(list, a, prefix), rank(list, b, prefix))
	})
	return list
}

// rank is 0 for a required field of this level and all below it.
func rank(list []views.DocField, f views.DocField, prefix string) int {
	own, _, _ := strings.Cut(strings.TrimPrefix(f.Name, prefix), ".")
	own = prefix + strings.TrimSuffix(own, "[]")
	for _, x := range list {
		if x.Name == own && x.Required {
			return 0
		}
	}
	return 1
}

// properties are the fields of a schema, with those of its parts.
func properties(s *openapi3.Schema) map[string]*openapi3.SchemaRef {
	all := map[string]*openapi3.SchemaRef{}
	for _, part := range slices.Concat(s.AllOf, s.OneOf, s.AnyOf) {
		for name, p := range properties(part.Value) {
			all[name] = p
		}
	}
	for name, p := range s.Properties {
		all[name] = p
	}
	return all
}

func (r *describer) field(name string, ref *openapi3.SchemaRef, required bool) views.DocField {
	f := views.DocField{Name: name, Required: required}
	if ref == nil {
		return f
	}
	f.Type, f.Object = r.kind(ref)
	f.Text = linked(ref.Value.Description + bounds(ref.Value))
	if ref.Value.Example != nil {
		f.Example = fmt.Sprint(ref.Value.Example)
	}
	return f
}

// kind is a type in words, and the object that it names.
func (r *describer) kind(ref *openapi3.SchemaRef) (words, object string) {
	s := ref.Value
	if object = r.name(ref); object != "" {
		return object, object
	}
	types := []string{}
	if s.Type != nil {
		types = s.Type.Slice()
	}
	for _, part := range slices.Concat(s.OneOf, s.AnyOf, s.AllOf) {
		inner, named := r.kind(part)
		if inner != "" && !slices.Contains(types, inner) {
			types = append(types, inner)
		}
		object = cmp.Or(object, named)
	}
	for i, t := range types {
		switch {
		case t == "array" && s.Items != nil:
			inner, named := r.kind(s.Items)
			types[i], object = "list of "+inner, named
		case t == "string" && s.Format != "":
			types[i] = map[string]string{"date-time": "time", "uuid": "UUID", "binary": "file", "uri": "URL"}[s.Format]
			types[i] = cmp.Or(types[i], s.Format)
		case t == "null":
			types[i] = "null"
		}
	}
	return strings.Join(types, " or "), object
}

// bounds says what a value must keep to.
func bounds(s *openapi3.Schema) string {
	var b strings.Builder
	if len(s.Enum) > 0 {
		var list []string
		for _, v := range s.Enum {
			list = append(list, "`"+fmt.Sprint(v)+"`")
		}
		b.WriteString(" One of " + strings.Join(list, ", ") + ".")
	}
	switch {
	case s.Min != nil && s.Max != nil:
		b.WriteString(" " + number(*s.Min) + " to " + number(*s.Max) + ".")
	case s.Min != nil:
		b.WriteString(" At least " + number(*s.Min) + ".")
	case s.Max != nil:
		b.WriteString(" At most " + number(*s.Max) + ".")
	}
	if s.MaxLength != nil {
		b.WriteString(" At most " + strconv.FormatUint(*s.MaxLength, 10) + " characters.")
	}
	if s.MaxItems != nil {
		b.WriteString(" At most " + strconv.FormatUint(*s.MaxItems, 10) + " entries.")
	}
	if s.Default != nil {
		b.WriteString(" Default: `" + fmt.Sprint(s.Default) + "`.")
	}
	return b.String()
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// sample makes a value that fits a schema, from its examples where it has some.
func sample(ref *openapi3.SchemaRef, level int) any {
	s := ref.Value
	switch {
	case s.Example != nil:
		return s.Example
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Default != nil:
		return s.Default
	case s.Type != nil && s.Type.Includes("null") && level > 1:
		return nil
	}
	if props := properties(s); len(props) > 0 {
		object := map[string]any{}
		for name, p := range props {
			if level < 6 {
				object[name] = sample(p, level+1)
			}
		}
		return object
	}
	switch {
	case s.Type == nil:
		return nil
	case s.Type.Includes("array") && s.Items != nil:
		return []any{sample(s.Items, level+1)}
	case s.Type.Includes("integer"), s.Type.Includes("number"):
		if s.Min != nil {
			return *s.Min
		}
		return 0
	case s.Type.Includes("boolean"):
		return false
	case s.Type.Includes("object"):
		return map[string]any{}
	case s.Format == "date-time":
		return "2026-11-24T08:00:00.250Z"
	case s.Format == "uuid", strings.Contains(s.Pattern, "{8}-"):
		return "01936f2a-7c1e-7b3a-9d55-2f1a8c6b4e90"
	}
	return "…"
}

// example is a value as code. Only JSON has colours: an offer, or the text of a file, has none.
func example(name string, v any) views.DocExample {
	x := views.DocExample{Name: name, Text: pretty(v)}
	if json.Valid([]byte(x.Text)) {
		x.Marked = coloured("json", x.Text)
	}
	return x
}

// pretty is a value as indented JSON; text stays text.
func pretty(v any) string {
	if s, ok := v.(string); ok {
		return strings.TrimSpace(s)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(out)
}

var codePattern = regexp.MustCompile("<code>([a-z][a-z0-9_]*)</code>")

// linked renders a description. The code of an error leads to its section.
func linked(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return codePattern.ReplaceAllStringFunc(inline(text), func(word string) string {
		code := codePattern.FindStringSubmatch(word)[1]
		if _, ok := problemOf(code); !ok {
			return word
		}
		return `<a href="` + views.DocPath("errors") + "#" + code + `">` + word + "</a>"
	})
}

var tagPattern = regexp.MustCompile("<[^>]*>")

// strip is the text of HTML that linked made.
func strip(text string) string { return html.UnescapeString(tagPattern.ReplaceAllString(text, "")) }

func names(list []views.DocField) string {
	var out []string
	for _, f := range list {
		out = append(out, f.Name, strip(f.Text))
	}
	return strings.Join(out, " ")
}
