package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTheReadmeWorks runs what the README says to paste while `carillon dev` is running, as it
// stands there: the address is this server's instead of the usual one, and the key is the one that
// it printed.
func TestTheReadmeWorks(t *testing.T) {
	t.Parallel()
	text := textOf(t, "..", "README.md")
	_, section, _ := strings.Cut(text, "\n## Ring a phone\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 3 || !strings.HasPrefix(blocks[0][1], "export CARILLON_API_KEY=") {
		t.Fatalf("the section has other blocks: %q", blocks)
	}
	s := start(t)
	var placed struct{ ID, Caller string }
	for range 2 { // pasted twice, it rings once
		said := s.shell(blocks[1][1])
		first := placed.ID
		if err := json.Unmarshal([]byte(said), &placed); err != nil || placed.ID == "" ||
			placed.Caller != "Viewing assistant" || first != "" && first != placed.ID {
			t.Fatalf("curl says %s", said)
		}
	}
	// It ends without a call: 6.
	said := s.shell(strings.TrimSpace(blocks[2][1]) + " || test $? = 6")
	if !strings.Contains(said, "\ndeclined: ") || !strings.Contains(said, "shown") {
		t.Errorf("the ring that is followed says:\n%s", said)
	}
}

// TestTheReadmesCommandsAreUnderstood parses every command line of ours that the README and the
// guides name.
func TestTheReadmesCommandsAreUnderstood(t *testing.T) {
	t.Parallel()
	text := textOf(t, "..", "README.md")
	guides, err := filepath.Glob(filepath.Join("docs", "pages", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range guides {
		text += textOf(t, name)
	}
	named := regexp.MustCompile("`carillon ([a-z][^`]*)`|\n(?:go run \\.|carillon) ([a-z][^\n]*)").FindAllStringSubmatch(text, -1)
	if len(named) < 12 {
		t.Fatalf("only %d commands", len(named))
	}
	word := regexp.MustCompile(`"[^"]*"|\S+`)
	for _, n := range named {
		args := word.FindAllString(n[1]+n[2], -1)
		for i := range args {
			args[i] = strings.Trim(args[i], `"`)
		}
		if len(args) > 1 && args[len(args)-1] == "--help" {
			wants(t, 0, "Usage", args...)
			continue
		}
		parser, err := grammar(t.Context(), terminal{io.Discard, io.Discard, time.Now})
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(args)
		if err != nil && strings.Contains(err.Error(), "--key") { // from the environment there
			_, err = parser.Parse(append(args, "--key", "k"))
		}
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	text = strings.NewReplacer("`CARILLON_URL`", "", "`CARILLON_API_KEY`", "").Replace(text) // of programs that call a server
	for _, v := range regexp.MustCompile("`(CARILLON_[A-Z_]+)").FindAllStringSubmatch(text, -1) {
		if _, said := say(t, "serve", "--help"); !strings.Contains(said, "$"+v[1]) {
			t.Errorf("the README names %s, which serve does not know", v[1])
		}
	}
}

// TestTheGuidesWork runs each block of a guide that is marked with run, in order, with the device
// and key of dev mode: a request that is refused fails. Each address in a guide's code is in the
// contract. A problem's type leads to its section, and a person who is signed in reads their own
// values.
func TestTheGuidesWork(t *testing.T) {
	t.Parallel()
	s := start(t)
	names, err := filepath.Glob(filepath.Join("docs", "pages", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran, contract := 0, textOf(t, "api", "openapi.yaml")
	for _, name := range names {
		for _, at := range regexp.MustCompile(`"(/v1/(?:[^"\\]|\\\([^"]*\))*)"`).FindAllStringSubmatch(textOf(t, name), -1) {
			known := regexp.MustCompile(`\\\(.*?\)+`).ReplaceAllString(at[1], "{id}")
			if !strings.Contains(contract, "\n  "+known+":\n") {
				t.Errorf("%s: the contract has no %s", name, known)
			}
		}
		ids := map[string]string{"{{device}}": string(s.ready.DeviceID), "{{base}}": s.ready.URL}
		for _, block := range regexp.MustCompile("(?s)```sh run[^\n]*\n(.*?)```").FindAllStringSubmatch(textOf(t, name), -1) {
			line := block[1]
			for word, id := range ids {
				line = strings.ReplaceAll(line, word, id)
			}
			if strings.Contains(line, "/events") {
				s.call("POST", "/v1/rings/"+ids["RING_ID"]+"/cancel", s.ready.APIKey, "", nil) // an ended ring ends its stream
			}
			said := s.shell("set -e\n" + strings.Replace(line, "curl ", "curl --fail-with-body ", 1))
			if strings.Contains(line, "/events") && !strings.Contains(said, "event: cancelled") {
				t.Errorf("%s: the events say %s", name, said)
			}
			var made struct{ ID, State, Kind string }
			if json.Unmarshal([]byte(said), &made) == nil && made.State != "" {
				ids["RING_ID"] = made.ID
			} else if made.Kind != "" {
				ids["AGENT_ID"] = made.ID
			}
			ran++
		}
	}
	if text := s.page(s.signedIn(), "/docs/quickstart"); strings.Contains(text, "DEVICE_ID") || !strings.Contains(text, s.ready.URL) {
		t.Error("a person who is signed in reads other values than their own")
	}
	if ran < 8 {
		t.Errorf("only %d blocks ran", ran)
	}
	var problem struct{ Type string }
	s.call("GET", "/v1/rings/nothing", s.ready.APIKey, "", &problem)
	page, code, _ := strings.Cut(problem.Type, "#")
	text := s.page(http.DefaultClient, strings.TrimPrefix(page, s.ready.URL))
	if code == "" || !strings.Contains(text, `id="`+code+`"`) {
		t.Errorf("%s leads to no section", problem.Type)
	}
}

// shell runs a line as a person would paste it.
func (s *server) shell(line string) string {
	s.t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		s.t.Skip("no curl is installed; .ci/run installs it")
	}
	line = strings.ReplaceAll(line, "http://127.0.0.1:8080", s.ready.URL)
	line = regexp.MustCompile(`(?m)^(go run \.|carillon) `).ReplaceAllLiteralString(line, os.Args[0]+" ")
	line = strings.Replace(line, "curl ", "curl -sS --max-time 60 ", 1)
	c := exec.CommandContext(s.t.Context(), "sh", "-c", line)
	c.Env = append(os.Environ(), "CARILLON_API_KEY="+s.ready.APIKey, "CARILLON_PUBLIC_URL="+s.ready.URL, "NO_PROXY=127.0.0.1")
	said, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s\n%v\n%s", line, err, said)
	}
	return string(said)
}

// signedIn is a browser's cookies after the sign-in that dev mode prints.
func (s *server) signedIn() *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	v := &http.Client{Jar: jar}
	form := url.Values{"email": {s.ready.Login.Email}, "password": {s.ready.Login.Password}}
	q, err := http.NewRequestWithContext(s.t.Context(), "POST", s.ready.URL+"/signin", strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	a, err := v.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	if a.Request.URL.Path != "/overview" {
		s.t.Fatalf("the sign-in leads to %s", a.Request.URL.Path)
	}
	return v
}

func (s *server) page(v *http.Client, path string) string {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), "GET", s.ready.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := v.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != 200 {
		s.t.Fatalf("%s: %s %v", path, a.Status, err)
	}
	return string(text)
}

func textOf(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
