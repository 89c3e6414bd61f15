package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers/legacy"
)

const someID = "01900000-0000-7000-8000-000000000001"

// askedLines call every operation of the API that is for programs. FILE is a file.
var askedLines = []string{
	"ring --to " + someID + " --json", "rings list --all", "rings show ID", "rings cancel ID", "rings events ID", "rings join ID",
	"rings recording ID --to -", "transfer ID --person anna", "notes show ID",
	"notes add ID --summary x --line 'person: At nine.'",
	"devices list", "devices show ID", "devices add --token ab --bundle com.example.x", "devices change ID --name x --tags 'front, night'",
	"devices remove ID",
	"pairings add --person anna", "credentials list", "credentials show ID", "credentials add FILE --bundle com.example.x",
	"credentials change ID --no-hedging --payload-profile callkeep", "credentials test ID",
	"credentials rollback ID", "credentials remove ID",
	"agents list", "agents show ID", `agents add --name x --kind stream --settings {"url":"wss://x.example"}`,
	"agents change ID --name y",
	"connections list", "connections show ID", "connections add --name x --to https://x.example --events ring.ended --headers A=b",
	"connections change ID --state paused", "connections attempts ID --failed", "connections replay ID --event " + someID,
	"connections rotate ID", "connections test ID --event ring.ended", "connections remove ID",
	"groups list", "groups show ID", "groups add --name x --member anna --member ben=ID", "groups change ID --step 20",
	"groups now ID", "groups remove ID", "schedules list", "schedules show ID",
	`schedules add --name x --hours {"monday":[{"from":"08:00","to":"16:00"}]}`, "schedules change ID --zone UTC", "schedules remove ID",
	"consents list", "consents show ID", "consents add --person anna --evidence x", "consents withdraw ID",
	"agents announce ID FILE", "agents remove ID", "analytics funnel --by key", "analytics outcomes", "analytics callkit", "openapi",
}

// notAsked are the operations without a verb of their own, and why.
var notAsked = map[string]string{
	"pairPhone": "a phone", "renewToken": "a phone", "showPhoneRing": "a phone", "reportFact": "a phone", "followPhoneRing": "a phone",
	"answerRing": "a phone", "trickle": "a phone", "hangUp": "a phone",
	"answerAgent": "the sound of an agent", "trickleAgent": "the sound of an agent", "hangUpAgent": "the sound of an agent",
	"describeAgent": "the sound of an agent", "joinStream": "carillon agent --connect", "completeCall": "bots made for Twilio",
	"takeText": "the provider of texts", "followEvents": "carillon tail, which does not end; see TestTailFollowsTheAccount",
	"speakMCP": "carillon mcp; see TestMCPBridge",
}

// farAPI answers every operation, and remembers which were called.
type farAPI struct {
	*httptest.Server
	mu     sync.Mutex // guards asked and bodies
	asked  map[string]bool
	bodies map[string]string
}

const farRing = `{"id":"` + someID + `","state":"ended","to":{"person":"anna"},"end_detail":"They talked.",` +
	`"created_at":"2026-11-24T08:00:00Z","expires_at":"2026-11-24T08:00:30Z","ended_at":"2026-11-24T08:01:00Z",` +
	`"attempts":[{"device":"` + someID + `","state":"ended","pushes":[],` +
	`"facts":[{"kind":"placed","at":"2026-11-24T08:00:00Z","detail":null}]}],"call":null}`

func newFarAPI(t *testing.T) (*farAPI, []string) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join("api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			all = append(all, op.OperationID)
		}
	}
	f := &farAPI{asked: map[string]bool{}, bodies: map[string]string{}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		plain := q.Clone(q.Context())
		plain.URL.Host, plain.URL.Scheme, plain.Host = "", "", ""
		route, _, err := router.FindRoute(plain)
		if err != nil {
			t.Errorf("%s %s is no operation of the API", q.Method, q.URL.Path)
			return
		}
		body, _ := io.ReadAll(q.Body)
		f.mu.Lock()
		f.asked[route.Operation.OperationID] = true
		f.bodies[route.Operation.OperationID] = string(body)
		f.mu.Unlock()
		f.answer(w, route.Operation.OperationID)
	}))
	t.Cleanup(f.Close)
	return f, all
}

func (f *farAPI) answer(w http.ResponseWriter, op string) {
	text := "{}"
	switch {
	case op == "listRings":
		text = `{"data":[` + farRing + `],"next":null}`
	case strings.HasPrefix(op, "list"):
		text = `{"data":[],"next":null}`
	case op == "followRing":
		w.Header().Set("Content-Type", "text/event-stream")
		text = "id: 1\nevent: hung_up\ndata: {\"attempt\":\"" + someID + "\",\"device\":\"" + someID +
			"\",\"kind\":\"hung_up\",\"at\":\"2026-11-24T08:01:00Z\",\"detail\":null,\"state\":\"ended\"}\n\n"
	case op == "placeRing" || op == "showRing":
		text = farRing
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	_, _ = io.WriteString(w, text)
}

// TestEveryOperationHasAVerb runs a command line for each operation of the API, with and without
// --json.
func TestEveryOperationHasAVerb(t *testing.T) {
	t.Parallel()
	f, all := newFarAPI(t)
	file := filepath.Join(t.TempDir(), "AuthKey_ABCDE12345.p8")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range askedLines {
		for _, form := range []string{"", " --json"} {
			args := wordsOf(strings.NewReplacer("ID", someID, "FILE", file).Replace(line))
			if line != "openapi" {
				args = append(append(args, "--key", "k"), strings.Fields(strings.ReplaceAll(form, "--json --json", "--json"))...)
			}
			var out, errs strings.Builder
			if code := run(t.Context(), append(args, "--url", f.URL), terminal{&out, &errs, time.Now}); code != 0 || errs.String() != "" {
				t.Errorf("%s: exit code %d, %s", line, code, errs.String())
			}
			for row := range strings.Lines(out.String()) {
				if form != "" && row != "" && !json.Valid([]byte(row)) && !strings.Contains(line, "recording") {
					t.Errorf("%s: no JSON: %s", line, row)
				}
				n := utf8.RuneCountInString(strings.TrimRight(row, "\n"))
				if form == "" && n > printWidth && !strings.Contains(line, "json") {
					t.Errorf("%s: a line of %d columns: %s", line, n, row)
				}
			}
		}
	}
	for _, op := range all {
		switch {
		case f.asked[op] && notAsked[op] != "":
			t.Errorf("%s has a verb; take it out of notAsked", op)
		case !f.asked[op] && notAsked[op] == "":
			t.Errorf("no verb calls %s: add one, or say in notAsked why there is none", op)
		}
	}
	for op, want := range map[string]string{
		"addAgent":         `{"kind":"stream","name":"x","stream":{"url":"wss://x.example"}}`,
		"changeCredential": `{"hedging":false,"payload_profile":"callkeep"}`,
		"transferRing":     `{"to":{"person":"anna"}}`,
		"changeDevice":     `{"name":"x","tags":["front","night"]}`,
	} {
		if f.bodies[op] != want {
			t.Errorf("%s got %s, want %s", op, f.bodies[op], want)
		}
	}
}

// TestExitCodesOfLostAnswers: an answer that is lost is the server's failure, and an interruption
// one of the verbs that do not last until then.
func TestExitCodesOfLostAnswers(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancelCause(t.Context())
	defer interrupt(nil)
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case strings.HasSuffix(q.URL.Path, "/odd"):
			_, _ = io.WriteString(w, "<html>")
		case strings.HasSuffix(q.URL.Path, "/held"), q.URL.RawQuery != "":
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			interrupt(errors.New("a signal"))
			<-q.Context().Done()
		default:
			w.Header().Set("Content-Length", "99")
			_, _ = io.WriteString(w, "{")
		}
	}))
	defer far.Close()
	to := filepath.Join(t.TempDir(), "call.ogg")
	for _, c := range []struct {
		line string
		code int
	}{
		{"rings show odd", exitServer}, {"rings show short", exitServer}, {"rings recording short --to -", exitServer},
		{"rings recording short --to " + to, exitServer}, {"openapi", exitServer},
		{"rings show held", exitInterrupted}, {"rings list", exitInterrupted}, {"tail", 0}, {"mcp", 0},
	} {
		args := append(strings.Fields(c.line), "--url", far.URL)
		if c.line != "openapi" {
			args = append(args, "--key", "k")
		}
		var errs strings.Builder
		code := run(ctx, args, terminal{io.Discard, &errs, time.Now})
		if code != c.code || (code == exitServer) != strings.Contains(errs.String(), "the answer") {
			t.Errorf("%s: exit code %d, want %d: %s", c.line, code, c.code, errs.String())
		}
	}
}

// wordsOf splits a line at blanks outside of ' '.
func wordsOf(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// TestPrintedAnswers: what people read of an answer.
func TestPrintedAnswers(t *testing.T) {
	t.Parallel()
	local := func(s string) string {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at.Local().Format("2006-01-02 15:04:05")
	}
	var out strings.Builder
	c := terminal{&out, io.Discard, time.Now}
	a := &asking{}
	answer := `{"id":"` + someID + `","state":"ended","caller":null,"ended_at":"2026-11-24T08:01:00Z","end_detail":"` +
		strings.Repeat("long words ", 9) + `\u001b[31m","attempts":[{"device":"` + someID +
		`","facts":[{"kind":"placed","n":1},{"kind":"woke","n":20}]}],"codes":[1,2]}`
	if err := a.print(c, json.RawMessage(answer)); err != nil {
		t.Fatal(err)
	}
	long := strings.TrimSpace(strings.Repeat("long words ", 6))
	want := "id          " + someID + "\nstate       ended\nended_at    " + local("2026-11-24T08:01:00Z") + "\nend_detail  " + long + "\n" +
		"            " + strings.Repeat("long words ", 3) + "[31m\ncodes       1, 2\nattempts:\n  device  " + someID +
		"\n  facts:\n    KIND    N\n    placed  1\n    woke    20\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	list := `{"data":[{"id":"` + someID + `","name":"` + strings.Repeat("ä", 60) + `","model":"x"},` +
		`{"id":"` + someID + `","name":null,"model":"y"}],"next":"n"}`
	if err := printList(c, []byte(list), []string{"id", "name|model", "model"}); err != nil {
		t.Fatal(err)
	}
	want = "ID                                    NAME" + strings.Repeat(" ", 31) + "  MODEL\n" +
		someID + "  " + strings.Repeat("ä", 34) + "…  x\n" + someID + "  y" + strings.Repeat(" ", 34) + "  y\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	c.err = &out
	if err := printList(c, []byte(`{"data":[],"next":"n"}`), []string{"id"}); err != nil {
		t.Fatal(err)
	}
	if want = "Nothing on this page.\nThe list goes on: --all, or --after n\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

// TestCompletion asks for words as the scripts do, and lets bash run its own.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"rin":                      "ring rings",
		"rings ca":                 "cancel",
		"rings list --st":          "--state",
		"rings list --state an":    "answered",
		"rings list --json --sta":  "--state",
		"completion ":              "bash zsh fish",
		"rings list --state x --a": "--after --agent --all",
		"rings list --state=an":    "--state=answered",
		"rings list --state = an":  "answered",
		"rings list --state =":     "placed pushed ringing answered ended declined missed cancelled failed",
		"rings list --what=an":     "",
		"__":                       "",
		"rings show --key ":        "",
	} {
		words := strings.Fields(line)
		if strings.HasSuffix(line, " ") {
			words = append(words, "")
		}
		var out strings.Builder
		if code := run(t.Context(), append([]string{"__complete"}, words...), terminal{&out, io.Discard, time.Now}); code != 0 {
			t.Errorf("%q: exit code %d", line, code)
		}
		if got := strings.Join(strings.Fields(out.String()), " "); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return // the words above are what each shell gets
	}
	_, script := say(t, "completion", "bash")
	dir := t.TempDir()
	stub := "#!" + bash + "\nprintf '%s\\n' \"$*\" >&3\nprintf 'rings\\nring\\n'\n"
	if err := os.WriteFile(filepath.Join(dir, "carillon"), []byte(stub), 0o700); err != nil {
		t.Fatal(err)
	}
	text := script + "\nexec 3>&1\nCOMP_WORDS=(" + filepath.Join(dir, "carillon") + " rings li)\nCOMP_CWORD=2\n_carillon\n" +
		"COMP_WORDS=(" + filepath.Join(dir, "carillon") + " rin)\nCOMP_CWORD=1\n_carillon\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
	said, err := exec.CommandContext(t.Context(), bash, "-c", text).CombinedOutput()
	if want := "__complete rings li\n__complete rin\nrings\nring\n"; err != nil || string(said) != want {
		t.Errorf("bash: %v, %q, want %q", err, said, want)
	}
}
