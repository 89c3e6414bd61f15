package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carillon/app/push/apnstest"
	"carillon/gateway/phonetest"
)

// swiftFixture is one request of the Swift package, and what the package reads of the answer.
type swiftFixture struct {
	Request struct {
		Method, Path, Text string
		Headers            map[string]string
		Body               json.RawMessage
	}
	Answer struct {
		Status  int
		Problem bool
		Text    string
		Headers map[string]string
		Body    map[string]any
		Event   *struct {
			Name string
			Data map[string]any
		}
	}
}

// swiftPhone replays the fixtures of static/swift against a server.
type swiftPhone struct {
	*server
	values map[string]string // {name} in a fixture → the value of this test
}

// fixture reads a file and fills in what is known.
func (p *swiftPhone) fixture(name string) (f swiftFixture) {
	p.t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "static", "swift", "Fixtures", name+".json"))
	if err != nil {
		p.t.Fatal(err)
	}
	text := string(file)
	for key, value := range p.values {
		quoted, err := json.Marshal(value)
		if err != nil {
			p.t.Fatal(err)
		}
		text = strings.ReplaceAll(text, key, string(quoted[1:len(quoted)-1]))
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	return f
}

// send sends the request exactly as the fixture has it.
func (p *swiftPhone) send(f swiftFixture) *http.Response {
	p.t.Helper()
	body := []byte(f.Request.Text)
	if len(f.Request.Body) > 0 {
		body = f.Request.Body
	}
	q, err := http.NewRequestWithContext(p.t.Context(), f.Request.Method, p.ready.URL+f.Request.Path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range f.Request.Headers {
		q.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// replay sends a fixture's request and compares the answer. It keeps the values that the fixture
// names and that were not known before.
func (p *swiftPhone) replay(name string) {
	p.t.Helper()
	f := p.fixture(name)
	a := p.send(f)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if a.StatusCode != f.Answer.Status {
		p.t.Fatalf("%s: %d %s", name, a.StatusCode, text)
	}
	if f.Answer.Problem != strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		p.t.Errorf("%s is answered as %s", name, a.Header.Get("Content-Type"))
	}
	for header, want := range f.Answer.Headers {
		if got := a.Header.Get(header); got != want {
			p.t.Errorf("%s: %s is %q, the package expects %q", name, header, got, want)
		}
	}
	if key := f.Answer.Text; key != "" {
		p.values[key] = string(text)
	}
	if f.Answer.Body != nil {
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			p.t.Fatalf("%s: %v in %s", name, err, text)
		}
		p.compare(name, f.Answer.Body, got)
	}
}

func (p *swiftPhone) compare(name string, want, got map[string]any) {
	p.t.Helper()
	for field, value := range want {
		has, ok := got[field]
		placeholder, isText := value.(string)
		switch list, isList := value.([]any); {
		case !ok:
			p.t.Errorf("%s: the answer has no %s: %v", name, field, got)
		case isText && strings.HasPrefix(placeholder, "{"):
			if p.values[placeholder], ok = has.(string); !ok {
				p.t.Errorf("%s: %s is %v", name, field, has)
			}
		case isList && len(list) == 0:
			if _, ok := has.([]any); !ok {
				p.t.Errorf("%s: %s is %v, not a list", name, field, has)
			}
		case has != value:
			p.t.Errorf("%s: %s is %v, the package expects %v", name, field, has, value)
		}
	}
}

// TestSwiftPackageSpeaksThisAPI replays what the Swift package sends, in the order of a phone's
// life: it is paired, woken by a push, answers twice, hangs up, and reports facts late and again.
func TestSwiftPackageSpeaksThisAPI(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	s, m := produce(t, databases(t)["sqlite"], apple)
	token := strings.Repeat("5f", 32)
	s.furnishAs(apple, m, "ABCDE12345", "KEYKEY1234", strings.Repeat("a1", 32))
	var pairing struct{ Code, URL string }
	if status := s.call("POST", "/v1/pairings", m.APIKey, `{"person":"ada"}`, &pairing); status != 201 {
		t.Fatalf("pairing gave %d", status)
	}
	if !strings.HasSuffix(pairing.URL, "/pair#"+pairing.Code) {
		t.Errorf("the package cannot read the code of %s", pairing.URL)
	}
	p := &swiftPhone{server: s, values: map[string]string{
		"{code}": pairing.Code, "{token}": token, "{stranger}": "0198c0de-0000-7000-8000-000000000002",
	}}
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(name string) {
		t.Helper()
		delete(p.values, "{answer}")
		call, err := iphone.Call(t.Context(), func(_ context.Context, offer string) (string, error) {
			p.values["{offer}"] = offer
			p.replay(name)
			return p.values["{answer}"], nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(call.HangUp)
		<-call.Connected()
	}

	p.replay("01-pair")
	p.replay("02-token")
	r := s.place(`{"to":{"person":"ada"},"caller":"Elm Dental","reference":"appt-20418","ttl_s":60}`)
	p.values["{ring}"] = r.ID
	s.until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
	if d := apple.Delivered(); len(d) == 0 || d[0].Token != token || !bytes.Contains(d[0].Payload, []byte(r.ID)) {
		t.Errorf("Apple got %+v", d)
	}
	for _, name := range []string{"03-ring", "04-woke", "05-shown"} {
		p.replay(name)
	}
	events := p.send(p.fixture("06-events"))
	defer events.Body.Close()
	answer("07-answer")
	answer("08-answer-again")
	p.replay("09-hang-up")
	s.until(r.ID, func(r toldRing) bool { return r.State == "ended" && r.Call != nil && r.Call.EndedBy != "" })
	p.heardTheEnd(events)
	for _, name := range []string{"10-hang-up-again", "11-repeated", "12-late", "13-silenced", "14-failed-to-show", "15-busy", "16-over",
		"17-too-late", "18-unknown-ring", "19-code-used"} {
		p.replay(name)
	}
	if v := apple.Violations(); len(v) > 0 {
		t.Errorf("%+v", v)
	}
	files, err := filepath.Glob(filepath.Join("..", "static", "swift", "Fixtures", "*.json"))
	if err != nil || len(files) != 19 {
		t.Errorf("%d fixtures, %v: replay each", len(files), err)
	}
}

// heardTheEnd reads the channel that says when to stop ringing.
func (p *swiftPhone) heardTheEnd(a *http.Response) {
	p.t.Helper()
	want := p.fixture("06-events").Answer
	if a.StatusCode != want.Status || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		p.t.Fatalf("the stream is %d %s", a.StatusCode, a.Header.Get("Content-Type"))
	}
	fields := map[string]string{}
	for lines := bufio.NewScanner(a.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ": "); ok && name != "" {
			fields[name] = value
		}
	}
	var data map[string]any
	if err := json.Unmarshal([]byte(fields["data"]), &data); err != nil || fields["event"] != want.Event.Name {
		p.t.Fatalf("the stream ended with %v, %v", maps.Clone(fields), err)
	}
	p.compare("06-events", want.Event.Data, data)
}
