package docs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/getkin/kin-openapi/openapi3"
)

// block is a block of code in a guide.
type block struct{ guide, language, info, text string }

func (e block) String() string { return fmt.Sprintf("%s, %s:\n%s", e.guide, e.language, e.text) }

// blocks are those of every guide.
func blocks(t *testing.T) (all []block) {
	t.Helper()
	list, err := guides(pages)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range list {
		for _, b := range regexp.MustCompile("(?ms)^```(\\w+)([^\n]*)\n(.*?)^```").FindAllStringSubmatch(g.text, -1) {
			all = append(all, block{g.slug, b[1], b[2], b[3]})
		}
	}
	return all
}

// TestEveryExampleIsChecked: each block of code is run, compared with a file that is run, or read
// by one of the tests here. A language that is new needs a test.
func TestEveryExampleIsChecked(t *testing.T) {
	t.Parallel()
	held := map[string]string{
		"sh": "TestShellExamples, and TestTheGuidesWork for those with run", "json": "TestExamplesInJSON", "go": "from",
		"python": "TestPythonExamples", "ts": "from", "tsx": "TestAppExamples", "swift": "TestAppExamples", "dart": "TestAppExamples",
		"objc": "TestAppExamples", "ini": "settings of a service, which are names of variables", "text": "another program's",
		"sql": "PostgreSQL's",
	}
	all := blocks(t)
	for _, e := range all {
		by, known := held[e.language]
		if !known || by == "from" && !strings.Contains(e.info, "from=") {
			t.Errorf("nothing reads this example: %s", e)
		}
	}
	if len(all) < 80 {
		t.Errorf("only %d examples", len(all))
	}
}

// TestShellExamples: a shell reads each block, and each request of curl to this server is an
// operation of the API, with a body that its schema takes.
func TestShellExamples(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(read(t, "../api/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	requests := 0
	for _, e := range blocks(t) {
		if e.language != "sh" {
			continue
		}
		bash := exec.CommandContext(t.Context(), "bash", "-n")
		bash.Stdin = strings.NewReader(e.text)
		if said, err := bash.CombinedOutput(); err != nil {
			t.Errorf("%s\n%s", e, said)
		}
		for _, line := range strings.Split(strings.ReplaceAll(e.text, "\\\n", ""), "\n") {
			at := regexp.MustCompile(`^curl .*\{\{base\}\}(/[^\s"'?]+)`).FindStringSubmatch(line)
			if at != nil {
				requests++
				asksFor(t, doc, e, line, at[1])
			}
		}
	}
	if requests < 14 {
		t.Errorf("only %d requests", requests)
	}
}

// asksFor checks one line of curl.
func asksFor(t *testing.T, doc *openapi3.T, e block, line, path string) {
	t.Helper()
	method, body := http.MethodGet, regexp.MustCompile(`(?:-d|--data) '([^']*)'`).FindStringSubmatch(line)
	if strings.Contains(line, " -d ") || strings.Contains(line, " --data") {
		method = http.MethodPost
	}
	if said := regexp.MustCompile(`-X ([A-Z]+)`).FindStringSubmatch(line); said != nil {
		method = said[1]
	}
	for known, item := range doc.Paths.Map() {
		form := "^" + regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(strings.ReplaceAll(known, ".", `\.`), `[^/]+`) + "$"
		op := item.GetOperation(method)
		if op == nil || !regexp.MustCompile(form).MatchString(path) {
			continue
		}
		if body == nil || op.RequestBody == nil {
			return
		}
		media := op.RequestBody.Value.Content["application/json"]
		var value any
		if err := json.Unmarshal([]byte(body[1]), &value); err != nil || media == nil {
			t.Errorf("the body is no JSON, or the operation takes none: %s", e)
			return
		}
		if err := media.Schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil && media.Schema.Ref != "" &&
			!strings.Contains(body[1], "{{") && !strings.Contains(body[1], "_ID") {
			t.Errorf("%v: %s", err, e)
		}
		return
	}
	t.Errorf("the API has no %s %s: %s", method, path, e)
}

// TestPythonExamples: the functions of the guides that check signatures take what this server
// signs, and nothing else.
func TestPythonExamples(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 is installed; .ci/run installs it")
	}
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0N"
	at := strconv.FormatInt(time.Now().Unix(), 10)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	signed := hmac.New(sha256.New, key) // as Standard Webhooks says
	signed.Write([]byte("e1." + at + `.{"type":"ring.ended"}`))
	hook := fmt.Sprintf(`
headers = {"webhook-id": %q, "webhook-timestamp": %q, "webhook-signature": "v1,AAAA " + %q}
assert is_carillon(%q, headers, b'{"type":"ring.ended"}')
assert not is_carillon(%q, headers, b'{"type":"ring.ended"} ')
assert not is_carillon(%q, {**headers, "webhook-timestamp": "1"}, b'{"type":"ring.ended"}')
`, "e1", at, "v1,"+base64.StdEncoding.EncodeToString(signed.Sum(nil)), secret, secret, secret)
	socket := `
at = str(int(time.time()))
signed = hmac.new(b"token", (at + ".wss://bot.example/").encode(), hashlib.sha256).hexdigest()
assert is_carillon("t=" + at + ",v1=" + signed, "wss://bot.example/", "token")
assert not is_carillon("t=" + at + ",v1=" + signed, "wss://bot.example/", "other")
assert not is_carillon("t=1,v1=" + hmac.new(b"token", b"1.wss://bot.example/", hashlib.sha256).hexdigest(), "wss://bot.example/", "token")
`
	ran := 0
	for _, e := range blocks(t) {
		if e.language != "python" || strings.Contains(e.info, "from=") {
			continue
		}
		program := e.text + map[string]string{"webhooks": hook, "websocket-bots": socket}[e.guide]
		python := exec.CommandContext(t.Context(), "python3", "-W", "error", "-")
		python.Stdin = strings.NewReader(program)
		if said, err := python.CombinedOutput(); err != nil || !strings.Contains(program, "assert ") {
			t.Errorf("%s\n%s\n%v", e, said, err)
		}
		ran++
	}
	if ran != 2 {
		t.Errorf("%d examples ran", ran)
	}
}

// TestAppExamples reads the code for phones, whose compilers are not here: its brackets close, its
// words are of the language, each address is an operation of the API for phones, and each kind of a
// fact is one that a phone may report.
func TestAppExamples(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(read(t, "../api/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for path := range doc.Paths.Map() {
		paths = append(paths, regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, "ID"))
	}
	reported := doc.Paths.Value("/v1/phone/rings/{id}/facts").Post.RequestBody.Value.Content["application/json"].Schema.Value
	kinds := reported.Properties["kind"].Value.Pattern
	seen, said := 0, 0
	for _, e := range blocks(t) {
		if !slices.Contains([]string{"swift", "dart", "objc", "tsx"}, e.language) {
			continue
		}
		if fault := unread(e); fault != "" {
			t.Errorf("%s: %s", fault, e)
		}
		inserted := regexp.MustCompile(`\\\([^)]*\)+|\$\{[^}]*\}|\$\w+`)
		for _, at := range regexp.MustCompile("[\"'`](/v1/[^\"'`?]*)|\\$\\{?server\\}?(/v1/[^\"'`?]*)").FindAllStringSubmatch(e.text, -1) {
			seen++
			if path := inserted.ReplaceAllString(at[1]+at[2], "ID"); !slices.Contains(paths, path) {
				t.Errorf("the API has no %s: %s", path, e)
			}
		}
		for _, at := range regexp.MustCompile(`fact\([\w.]+, ["'](\w+)["']`).FindAllStringSubmatch(e.text, -1) {
			said++
			if !regexp.MustCompile(kinds).MatchString(at[1]) {
				t.Errorf("a phone reports no %s: %s", at[1], e)
			}
		}
	}
	if seen < 12 || said < 8 {
		t.Errorf("%d addresses and %d facts", seen, said)
	}
}

// unread says why code cannot be read; empty = it can.
func unread(e block) string {
	name := map[string]string{"objc": "objective-c"}[e.language]
	if name == "" {
		name = e.language
	}
	lexer := lexers.Get(name)
	if lexer == nil {
		return "no words of this language are known"
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, e.text)
	if err != nil {
		return err.Error()
	}
	var open []rune
	closes := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, token := range tokens.Tokens() {
		if token.Type == chroma.Error {
			return fmt.Sprintf("%q is no word of the language", token.Value)
		}
		text := token.Type.InSubCategory(chroma.LiteralString) && token.Type != chroma.LiteralStringInterpol
		if text || token.Type.InCategory(chroma.Comment) {
			continue
		}
		for _, r := range token.Value {
			if strings.ContainsRune("([{", r) {
				open = append(open, r)
			} else if want := closes[r]; want != 0 {
				if len(open) == 0 || open[len(open)-1] != want {
					return fmt.Sprintf("%q closes nothing", r)
				}
				open = open[:len(open)-1]
			}
		}
	}
	if len(open) > 0 {
		return fmt.Sprintf("%q stays open", open)
	}
	return ""
}
