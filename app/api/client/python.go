//go:build ignore

package main

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
)

// python writes the one module of the Python client. The generators that are kept make packages of
// many files with dependencies; this writes types and methods into the hand-written
// carillon.py.tmpl.
func python(root, work, spec string) error {
	doc, err := openapi3.NewLoader().LoadFromFile(spec)
	if err != nil {
		return err
	}
	tmpl, err := template.ParseFiles(filepath.Join(root, "app/api/client/carillon.py.tmpl"))
	if err != nil {
		return err
	}
	m := &module{doc: doc, written: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		if name != "Problem" { // it is an exception, written by hand
			m.define(name, doc.Components.Schemas[name].Value)
		}
	}
	resources := m.resources()
	dir := filepath.Join(work, "static/python")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var out bytes.Buffer
	err = tmpl.Execute(&out, struct {
		Types, Resources string
		Attributes       []attribute
	}{m.types.String(), resources, m.attributes})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "carillon.py"), blank.ReplaceAll(out.Bytes(), []byte("\n\n\n")), 0o666)
}

// blank matches more blank lines than PEP 8 wants.
var blank = regexp.MustCompile(`\n{4,}`)

type attribute struct{ Name, Class string }

// module is what is written so far.
type module struct {
	doc        *openapi3.T
	types      strings.Builder
	written    map[string]bool
	attributes []attribute
}

// operation is one method of a class.
type operation struct {
	method, path string
	*openapi3.Operation
	parameters openapi3.Parameters // of its path too
}

// resources writes one class for each resource of /v1 that takes an API key, and Phone.
func (m *module) resources() string {
	classes := map[string][]operation{}
	for _, path := range slices.Sorted(maps.Keys(m.doc.Paths.Map())) {
		item := m.doc.Paths.Value(path)
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			op := item.GetOperation(method)
			if op == nil || !strings.HasPrefix(path, "/v1/") || op.Security == nil || len(*op.Security) == 0 {
				continue
			}
			class := strings.Split(path, "/")[2]
			for scheme := range (*op.Security)[0] {
				if scheme == "apiKey" || class == "phone" {
					all := append(slices.Clone(item.Parameters), op.Parameters...)
					classes[class] = append(classes[class], operation{method, path, op, all})
				}
			}
		}
	}
	var b strings.Builder
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		name := camel(class)
		if class == "phone" {
			b.WriteString(phoneClass)
		} else {
			m.attributes = append(m.attributes, attribute{class, name})
			fmt.Fprintf(&b, "\n\nclass %s(_Resource):\n    %s\n", name, `"""`+m.about(name)+`"""`)
		}
		for _, op := range classes[class] {
			m.method(&b, class, op)
		}
	}
	return b.String()
}

const phoneClass = `

class Phone:
    """What an app on a phone does, with its device credential. To pair, give the code as the credential."""

    def __init__(self, url: str, credential: str, *, retries: int = 5, timeout: float = 30.0) -> None:
        missing = "the device credential is missing; register the device, or pair it"
        self._sender = _Sender(url, credential, missing, retries, timeout)
`

func (m *module) about(class string) string {
	for _, tag := range m.doc.Tags {
		if tag.Name == class {
			return tag.Description
		}
	}
	return "The requests of /v1/" + strings.ToLower(class) + "."
}

// methodName is the operation's name without the resource: placeRing of rings is place, and
// showRing is get.
func methodName(class string, op operation) string {
	one := strings.TrimSuffix(class, "s")
	var words []string
	for _, w := range strings.Split(snake(op.OperationID), "_") {
		if w != one && w != class {
			words = append(words, w)
		}
	}
	if class == "phone" {
		words = slices.DeleteFunc(words, func(w string) bool { return w == "ring" })
	}
	switch {
	case len(words) == 0:
		return class
	case words[0] == "show" || words[0] == "read":
		words = words[1:]
	}
	if name := strings.Join(words, "_"); name != "" {
		return name
	}
	if class == "phone" {
		return "ring"
	}
	return "get"
}

// method writes the method of one operation.
func (m *module) method(b *strings.Builder, class string, op operation) {
	name := methodName(class, op)
	var positional, keyword, query, headers []string
	path := op.path
	for _, p := range op.parameters {
		arg := safe(snake(p.Value.Name))
		switch p.Value.In {
		case "path":
			positional = append(positional, arg+": str")
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", "{_quote("+arg+")}")
		case "query":
			keyword = append(keyword, arg+": Optional["+m.kind(camel(op.OperationID)+camel(p.Value.Name), p.Value.Schema, false)+"] = None")
			query = append(query, fmt.Sprintf("%q: %s", p.Value.Name, arg))
		case "header":
			if p.Value.Name == "Last-Event-ID" {
				continue
			}
			keyword = append(keyword, arg+": Optional[str] = None")
			value := arg
			if p.Value.Name == "Idempotency-Key" {
				value += " or str(uuid.uuid4())" // so that the retries of one call have one key
			}
			headers = append(headers, fmt.Sprintf("%q: %s", p.Value.Name, value))
		}
	}
	quoted := `"` + path + `"`
	if strings.Contains(path, "{") {
		quoted = "f" + quoted
	}
	sends := fmt.Sprintf("%q, %s", op.method, quoted)
	if len(query) > 0 {
		sends += ", query={" + strings.Join(query, ", ") + "}"
	}
	if len(headers) > 0 {
		sends += ", headers={" + strings.Join(headers, ", ") + "}"
	}
	before := ""
	if op.RequestBody != nil {
		var args []string
		args, before, sends = m.body(op, sends)
		for _, a := range args {
			if strings.Contains(a, " = ") {
				keyword = append(keyword, a)
			} else {
				positional = append(positional, a)
			}
		}
	}
	answer, call := m.answer(op, quoted, sends)
	arguments := append([]string{"self"}, positional...)
	if len(keyword) > 0 {
		arguments = append(append(arguments, "*"), keyword...)
	}
	if answer == "events" {
		m.events(b, class, name, op, quoted)
		return
	}
	header(b, name, arguments, answer, op.Summary, op.Description)
	fmt.Fprintf(b, "%s        %s\n", before, call)
	if item, ok := strings.CutPrefix(answer, "Page["); ok {
		m.all(b, strings.TrimSuffix(item, "]"), name, positional, keyword)
	}
}

// body gives the arguments of an operation's body, what is done before it is sent, and how it is
// sent.
func (m *module) body(op operation, sends string) (args []string, before, call string) {
	content := op.RequestBody.Value.Content
	kind := slices.Sorted(maps.Keys(content))[0]
	schema := content[kind].Schema
	switch kind {
	case "application/json":
		name := m.kind(camel(op.OperationID)+"Body", schema, false)
		arg := safe(snake(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "Body"), "Request"), "Change")))
		if strings.HasSuffix(name, "Body") || strings.HasSuffix(name, "Change") {
			arg = "body"
		}
		return []string{arg + ": " + name}, "", sends + ", body=json.dumps(" + arg + `).encode(), content_type="application/json"`
	case "multipart/form-data":
		args = []string{"file: bytes", `file_name: str = "file"`}
		var fields []string
		for _, f := range slices.Sorted(maps.Keys(schema.Value.Properties)) {
			if f != "file" {
				args = append(args, f+": Optional["+m.kind(camel(f), schema.Value.Properties[f], false)+"] = None")
				fields = append(fields, fmt.Sprintf("%q: %s", f, f))
			}
		}
		before = "        body, content_type = _form({" + strings.Join(fields, ", ") + "}, file, file_name)\n"
		return args, before, sends + ", body=body, content_type=content_type"
	}
	return []string{"text: str"}, "", fmt.Sprintf("%s, body=text.encode(), content_type=%q", sends, kind)
}

// answer gives the annotation of what a method returns, and its statement.
func (m *module) answer(op operation, path, sends string) (kind, statement string) {
	for _, status := range []string{"200", "201", "202"} {
		r := op.Responses.Value(status)
		if r == nil || len(r.Value.Content) == 0 {
			continue
		}
		media := slices.Sorted(maps.Keys(r.Value.Content))[0]
		switch {
		case media == "application/json":
			schema := r.Value.Content[media].Schema
			if data := schema.Value.Properties["data"]; schema.Ref == "" && data != nil && schema.Value.Properties["next"] != nil {
				kind = "Page[" + m.kind(camel(op.OperationID)+"Item", data.Value.Items, false) + "]"
			} else {
				kind = m.kind(camel(op.OperationID)+"Answer", schema, false)
			}
			return kind, "return self._sender.read_json(" + sends + ")"
		case media == "text/event-stream":
			return "events", ""
		case strings.HasPrefix(media, "audio/"):
			return "bytes", "return self._sender.read_bytes(" + sends + ")"
		default:
			return "str", "return self._sender.read_bytes(" + sends + ").decode()"
		}
	}
	return "None", "self._sender.send(" + sends + ").close()"
}

// all writes the iterator over the entries of every page, beside a method that reads one.
func (m *module) all(b *strings.Builder, item, list string, positional, keyword []string) {
	arguments := append(append([]string{"self"}, positional...), "*")
	var passed []string
	for _, p := range positional {
		name, _, _ := strings.Cut(p, ":")
		passed = append(passed, name)
	}
	for _, k := range keyword {
		if name, _, _ := strings.Cut(k, ":"); name != "after" {
			arguments = append(arguments, k)
			passed = append(passed, name+"="+name)
		}
	}
	name := strings.Replace("all_"+strings.TrimPrefix(list, "list"), "all__", "all_", 1)
	header(b, strings.TrimSuffix(name, "_"), arguments, "Iterator["+item+"]", "The entries of every page", "")
	fmt.Fprintf(b, `        after: Optional[str] = None
        while True:
            page = self.%s(%s)
            yield from page["data"]
            after = page["next"]
            if after is None:
                return
`, list, strings.Join(append(passed, "after=after"), ", "))
}

// events writes a method that reads server-sent events. Those of a ring are followed to its end.
func (m *module) events(b *strings.Builder, class, name string, op operation, path string) {
	if class == "events" {
		feed(b, name, op, path)
		return
	}
	if class != "rings" {
		header(b, name, []string{"self", "id: str"}, "Iterator[Tuple[str, Dict[str, Any]]]", op.Summary, op.Description)
		fmt.Fprintf(b, "        for _, kind, data in self._sender.events(%s, None):\n"+
			"            if data:\n                yield kind, json.loads(data)\n", path)
		return
	}
	header(b, name, []string{"self", "id: str", "*", "after: Optional[str] = None"}, "Iterator[RingFact]", "The facts of a ring, each once",
		"From the first one, or the one behind after, until the ring has ended. It connects again when the server ends the\n"+
			"stream, restarts or is silent.")
	fmt.Fprintf(b, `        last, over, empty = after, False, 0
        while True:
            before, cut = last, None
            try:
                for ident, _, data in self._sender.events(%s, last):
                    last = ident or last
                    if not data:
                        continue
                    fact = cast(RingFact, {**json.loads(data), "id": ident})
                    over = fact["state"] in ("ended", "declined", "missed", "cancelled", "failed")
                    yield fact
                if over:
                    return
            except ConnectionFailed as error:
                cut = error
            if last != before:
                empty = 0
            if cut is not None and empty > self._sender.retries:
                raise cut
            if empty > 0:
                time.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(empty, 8)))
            empty += 1
            # The stream may have ended before its last facts. If the ring has ended now, one more
            # stream has them all.
            over = self.get(id)["ended_at"] is not None
`, path)
}

// feed writes the method that follows all rings.
func feed(b *strings.Builder, name string, op operation, path string) {
	arguments, query := []string{"self", "*"}, []string{}
	for _, p := range op.parameters {
		if p.Value.In == "query" {
			arguments = append(arguments, safe(snake(p.Value.Name))+": Optional[str] = None")
			query = append(query, fmt.Sprintf("%q: %s", p.Value.Name, safe(snake(p.Value.Name))))
		}
	}
	header(b, name, append(arguments, "after: Optional[str] = None"), "Iterator[RingFact]", "The facts of all rings, each once",
		"From now on, or behind the id after, of the rings that are asked for. It connects again when the server ends the\n"+
			"stream, restarts or is silent, and it does not end by itself. Where too many streams are open when it connects\n"+
			"again, it waits: the server may still count the stream that was lost.")
	fmt.Fprintf(b, `        last, begun, failed = after, False, 0
        query = {%s}
        while True:
            before, cut, full = last, None, False
            try:
                for ident, _, data in self._sender.events(%s, last, query):
                    last, begun = ident or last, True
                    if data:
                        yield cast(RingFact, {**json.loads(data), "id": ident})
                begun = True
            except ConnectionFailed as error:
                cut = error
            except Problem as error:
                # The server may still count the stream that was lost.
                full = begun and error.status in (429, 503)
                if not full:
                    raise
            if cut is None or last != before:
                failed = 0
            if cut is not None and failed > self._sender.retries:
                raise cut
            time.sleep(_LONGEST_PAUSE if full else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failed, 8)))
            failed += 1
`, strings.Join(query, ", "), path)
}

// header writes the first lines of a method.
func header(b *strings.Builder, name string, arguments []string, answer, summary, description string) {
	text := summary + "."
	if description != "" {
		text += "\n\n" + description
	}
	fmt.Fprintf(b, "\n    def %s(%s) -> %s:\n%s", name, strings.Join(arguments, ", "), answer, docstring("        ", text))
}

func docstring(indent, text string) string {
	text = strings.TrimSpace(strings.ReplaceAll(text, `\`, `\\`))
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = indent + line
		}
	}
	joined := indent + `"""` + strings.TrimPrefix(strings.Join(lines, "\n"), indent)
	if len(lines) > 1 {
		joined += "\n" + indent
	}
	return joined + "\"\"\"\n"
}

var keywords = map[string]bool{"from": true, "in": true, "class": true, "import": true, "global": true, "is": true, "not": true,
	"pass": true, "lambda": true, "as": true, "def": true, "del": true, "for": true, "if": true, "or": true, "and": true, "with": true}

func safe(name string) string {
	if keywords[name] {
		return name + "_"
	}
	return name
}

// camel writes ring_event, rings or placeRing as RingEvent, Rings or PlaceRing.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '_' || r == '-' || r == ' ' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// snake writes placeRing or If-Match as place_ring or if_match.
func snake(name string) string {
	var b strings.Builder
	before := '_'
	for _, r := range strings.ReplaceAll(name, "-", "_") {
		if unicode.IsUpper(r) && before != '_' && !unicode.IsUpper(before) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
		before = r
	}
	return b.String()
}
