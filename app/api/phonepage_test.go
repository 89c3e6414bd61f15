package api

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

var update = flag.Bool("update", false, "write phone.md again from openapi.yaml")

// TestPhonePage checks that phone.md says the same as openapi.yaml. After a change of the
// description, run: go test ./app/api -run TestPhonePage -update
func TestPhonePage(t *testing.T) {
	t.Parallel()
	want := phonePage(readContract(t).doc)
	if *update {
		must(t, os.WriteFile("phone.md", []byte(want), 0o644))
	}
	got, err := os.ReadFile("phone.md")
	must(t, err)
	if string(got) != want {
		t.Error("phone.md is stale; run: go test ./app/api -run TestPhonePage -update")
	}
}

const phoneIntro = `# The API for phone apps

<!-- Generated from openapi.yaml by "go test ./app/api -run TestPhonePage -update". Do not edit. -->

These are the calls that your app makes. [openapi.yaml](openapi.yaml) has every detail. Errors are
` + "`application/problem+json`" + ` (RFC 9457): show ` + "`detail`" + ` to people, and let programs read ` + "`type`" + `.

Fields marked with * are required.
`

// phonePage renders every call under /v1/phone: method, path, authentication, request fields, and
// answers.
func phonePage(doc *openapi3.T) string {
	var b strings.Builder
	b.WriteString(phoneIntro)
	paths := doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if !strings.HasPrefix(path, "/v1/phone/") {
			continue
		}
		calls := paths[path].Operations()
		for _, method := range slices.Sorted(maps.Keys(calls)) {
			writeCall(&b, method, path, calls[method])
		}
	}
	return b.String()
}

func writeCall(b *strings.Builder, method, path string, call *openapi3.Operation) {
	fmt.Fprintf(b, "\n## %s\n\n`%s %s`\n\n%s\n", call.Summary, method, path, strings.TrimSpace(call.Description))
	if call.Security != nil {
		for _, s := range *call.Security {
			for name := range s {
				fmt.Fprintf(b, "\nAuthorization: %s\n", bearerOf[name])
			}
		}
	}
	for _, p := range call.Parameters {
		fmt.Fprintf(b, "\n%s `%s`%s: %s\n", p.Value.In, p.Value.Name, star(p.Value.Required), oneLine(p.Value.Description))
	}
	if call.RequestBody != nil {
		content := call.RequestBody.Value.Content
		for _, kind := range slices.Sorted(maps.Keys(content)) {
			fmt.Fprintf(b, "\nRequest body: `%s`\n", kind)
			writeFields(b, content[kind].Schema.Value)
		}
	}
	b.WriteString("\n| Answer | Meaning |\n|---|---|\n")
	answers := call.Responses.Map()
	for _, status := range slices.SortedFunc(maps.Keys(answers), cmp.Compare) {
		name := status
		if name == "default" {
			name = "other"
		}
		fmt.Fprintf(b, "| %s | %s |\n", name, oneLine(*answers[status].Value.Description))
	}
}

// bearerOf says what each security scheme puts into the Authorization header.
var bearerOf = map[string]string{
	"deviceCredential": "`Bearer` and the device credential",
	"pairingCode":      "`Bearer` and the pairing code",
}

func writeFields(b *strings.Builder, s *openapi3.Schema) {
	if len(s.Properties) == 0 {
		return
	}
	b.WriteString("\n| Field | Type | Meaning |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := s.Properties[name].Value
		fmt.Fprintf(b, "| `%s`%s | %s | %s |\n", name, star(slices.Contains(s.Required, name)), typeOf(f), oneLine(f.Description))
	}
}

// typeOf is a field's type in words, with its closed list of values if it has one.
func typeOf(s *openapi3.Schema) string {
	var words []string
	for _, v := range s.Enum {
		words = append(words, fmt.Sprintf("`%v`", v))
	}
	if len(words) > 0 {
		return strings.Join(words, ", ")
	}
	if s.Type != nil {
		words = s.Type.Slice()
	}
	return strings.Join(words, " or ")
}

func star(required bool) string {
	if required {
		return "*"
	}
	return ""
}

// oneLine fits a description into a cell of a table.
func oneLine(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}
