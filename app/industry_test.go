package app

import (
	"bufio"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// veterinary writes an industry of an operator's own, made from a built-in one as README says.
func veterinary(t *testing.T) (folder string) {
	t.Helper()
	code, text := say(t, "industry", "show", "salon")
	if code != 0 {
		t.Fatal(text)
	}
	for _, change := range [][2]string{
		{`"slug": "salon"`, `"slug": "veterinary"`}, {`"name": "Salon"`, `"name": "Veterinary"`}, {"copper-shears", "willow-vets"},
		{"Copper Shears Salon", "Willow Vets"}, {"com.coppershears.chair", "com.willowvets.paws"},
		{"Booking assistant", "Surgery assistant"},
		{`"value": "label"`, `"value": "opaque"`}, {"Connect your appointment book", "Connect the surgery’s diary"},
		{"Fill a cancelled appointment in minutes.", "Call owners when their pet wakes up."},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("the file has no %s:\n%s", change[0], text)
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	from := strings.Index(text, `"quiet_hours"`)
	quiet := regexp.MustCompile(`(?s)"value": \{.*?\}`).FindStringIndex(text[from:])
	text = text[:from+quiet[0]] + `"value": "none"` + text[from+quiet[1]:]
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "veterinary.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestSeventhIndustry: an industry is one file and no code. Its tenant signs up, begins with its
// agents, rules and checklist, and its pushes obey its payload policy.
func TestSeventhIndustry(t *testing.T) {
	t.Parallel()
	folder := veterinary(t)
	if code, list := say(t, "industry", "list", "--industries", folder); code != 0 || !strings.Contains(list, "veterinary") {
		t.Errorf("%d: %s", code, list)
	}
	s := start(t, "--data", t.TempDir(), "--industries", folder)
	g := (&market{server: s}).guest()
	has := func(path string, want ...string) {
		t.Helper()
		page := g.opens(path)
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s lacks %q", path, w)
			}
		}
	}
	has("/industries/veterinary", "Call owners when their pet wakes up.", "A notification contains only the ring’s ID",
		"Works with your systems")
	has("/industries", "Veterinary")
	has("/sitemap.xml", "/industries/veterinary")
	sent := g.sends("POST", "/trial", url.Values{"company": {"Elm Vets"}, "name": {"Ana Elm"}, "email": {"ana@elmvets.example"},
		"password": {"bells in the morning"}, "time_zone": {"UTC"}, "industry": {"veterinary"}, "code": {""}}, 200)
	g.leads(g.submits(regexp.MustCompile(`/trial/[A-Za-z0-9_-]{20,}`).FindString(sent), nil), "/overview")
	has("/overview", "Connect the surgery’s diary", "With the rules and agents for: Veterinary.")
	has("/agents", "Surgery assistant", "Elm Vets")
	has("/settings/rules", "IDs only, no names", "Industry default")

	pushes := s.pushed()
	ring := func() string {
		t.Helper()
		device := regexp.MustCompile(`name="device" value="([0-9a-f-]{36})" checked`).FindStringSubmatch(g.opens("/rings/test"))
		if device == nil {
			t.Fatal("the test ring proposes no phone")
		}
		g.submits("/rings/test", url.Values{"device": {device[1]}})
		return <-pushes
	}
	if got := ring(); !strings.HasPrefix(got, "elm-vets ") || strings.Contains(got, "Elm Vets") {
		t.Errorf("an opaque industry pushed %s", got)
	}
	g.leads(g.submits("/settings/rules", url.Values{"rule": {"payload"}, "payload": {"label"}}), "/settings/rules")
	if got := ring(); !strings.Contains(got, "Elm Vets") {
		t.Errorf("with the changed rule it pushed %s", got)
	}
}

// pushed gives what Apple's simulator delivers to the phones that pages play.
func (s *server) pushed() <-chan string {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.ready.URL+phoneStream, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil || a.StatusCode != http.StatusOK {
		s.t.Fatalf("%v %v", a, err)
	}
	pushes, lines := make(chan string, 16), bufio.NewScanner(a.Body)
	for lines.Scan() && lines.Text() != "event: ready" {
		continue
	}
	go func() {
		defer close(pushes)
		defer a.Body.Close()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && data != "" {
				pushes <- data
			}
		}
	}()
	return pushes
}

// TestIndustryFaultsStopTheStart: every fault of every file is named with file and path.
func TestIndustryFaultsStopTheStart(t *testing.T) {
	t.Parallel()
	folder := veterinary(t)
	file := filepath.Join(folder, "veterinary.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.NewReplacer(`"order": 50`, `"order": "last"`, `"default_role"`, `"defaultRole"`).Replace(string(text))
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said := say(t, "serve", "--data", t.TempDir(), "--industries", folder)
	for _, want := range []string{`veterinary.json: order: is "last"; give a whole number`, "veterinary.json: default_role: is missing",
		"veterinary.json: defaultRole: there is no such field"} {
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("exit code %d without %q:\n%s", code, want, said)
		}
	}
}
