package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// server is a whole Carillon in dev mode, inside this test.
type server struct {
	t     *testing.T
	ready ready
	stop  func() (code int)

	signal  func() // what a SIGTERM does, of a production server
	metrics string // address of the metrics, of a production server
}

// start runs `carillon dev` on free ports and waits for its one JSON line.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	return startAt(t, time.Now, append([]string{"--no-history"}, args...)...)
}

// startAt is start by another clock, and with the history if args do not leave it out.
func startAt(t *testing.T, now func() time.Time, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, append([]string{"dev", "--addr", "127.0.0.1:0", "--json"}, args...), terminal{in, &errs, now})
		in.Close()
		ended <- code
	}()
	s := &server{t: t}
	s.stop = func() int {
		cancel()
		select {
		case code := <-ended:
			ended <- code
			return code
		case <-time.After(2 * time.Minute):
			t.Fatal("the server does not stop")
			return -1
		}
	}
	t.Cleanup(func() {
		if code := s.stop(); code != 0 {
			t.Errorf("exit code %d: %s", code, errs.String())
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v %s", err, errs.String())
	}
	go io.Copy(io.Discard, out)
	if err := json.Unmarshal(line, &s.ready); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return s
}

// call sends JSON and reads JSON; bearer is an API key or a device credential.
func (s *server) call(method, path, bearer, body string, into any) int {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), method, s.ready.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+bearer)
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			s.t.Fatalf("%s %s: %d %s", method, path, a.StatusCode, text)
		}
	}
	return a.StatusCode
}

// toldRing is a ring as the API tells it.
type toldRing struct {
	ID        string
	State     string
	EndReason string `json:"end_reason"`
	EndDetail string `json:"end_detail"`
	Attempts  []struct {
		Device string
		State  string
		Facts  []struct{ Kind, Detail string }
	}
	Call *struct {
		EndedBy     string  `json:"ended_by"`
		ConnectedAt *string `json:"connected_at"`
	}
}

// facts are the kinds of the ring's facts, without those about agents, which come at any moment of
// a call, and without the silence of one side, which a machine that stands still makes.
func (r toldRing) facts() string {
	var kinds []string
	for _, a := range r.Attempts {
		for _, f := range a.Facts {
			if !strings.HasPrefix(f.Kind, "agent_") && f.Kind != string(tenants.FactOneWay) {
				kinds = append(kinds, f.Kind)
			}
		}
	}
	return strings.Join(kinds, " ")
}

// says reports whether the ring has a fact of this kind with this in its detail.
func (r toldRing) says(kind, part string) bool {
	for _, a := range r.Attempts {
		for _, f := range a.Facts {
			if f.Kind == kind && strings.Contains(f.Detail, part) {
				return true
			}
		}
	}
	return false
}

func (s *server) place(body string) toldRing {
	s.t.Helper()
	var r toldRing
	if status := s.call("POST", "/v1/rings", s.ready.APIKey, body, &r); status != 201 {
		s.t.Fatalf("placing gave %d", status)
	}
	return r
}

// until follows the ring's events until it is as ok wants it.
func (s *server) until(id string, ok func(toldRing) bool) toldRing {
	s.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		var r toldRing
		s.call("GET", "/v1/rings/"+id, s.ready.APIKey, "", &r)
		if ok(r) {
			return r
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the ring stays %s (%s): %s", r.State, r.EndReason, r.facts())
		}
		s.await(id, r)
	}
}

// await waits for an event of a ring behind those that r has.
func (s *server) await(id string, r toldRing) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, "GET", s.ready.URL+"/v1/rings/"+id+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+s.ready.APIKey)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return
	}
	defer a.Body.Close()
	seen := 0
	for _, a := range r.Attempts {
		seen += len(a.Facts)
	}
	lines := bufio.NewScanner(a.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			if seen--; seen < 0 {
				return
			}
		}
	}
}

// TestTheStory is the product, in order: an agent rings, the phone wakes, shows and answers, hears
// the bells and hangs up, and the tally knows.
func TestTheStory(t *testing.T) {
	t.Parallel()
	s := start(t)
	key, phone := s.ready.APIKey, s.ready.DeviceCredential

	r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"caller":"Harbor & Pine","reference":"lead-17","ttl_s":60}`, s.ready.DeviceID))
	s.until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
	for _, kind := range []string{"woke", "shown", "shown"} {
		body := fmt.Sprintf(`{"kind":"%s","at":"2001-01-01T00:00:00Z","sent_at":"2001-01-01T00:00:00.05Z"}`, kind)
		if status := s.call("POST", "/v1/phone/rings/"+strings.ToUpper(r.ID)+"/facts", phone, body, nil); status != 200 {
			t.Fatalf("%s gave %d", kind, status)
		}
	}
	var seen struct {
		Rings     bool
		Caller    string
		Reference string
	}
	s.call("GET", "/v1/phone/rings/"+r.ID, phone, "", &seen)
	if !seen.Rings || seen.Caller != "Harbor & Pine" || seen.Reference != "lead-17" {
		t.Errorf("the phone sees %+v", seen)
	}

	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: r.ID, Credential: phone, Client: http.DefaultClient}
	call, err := iphone.Call(t.Context(), leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Sounding > 50 }); err != nil {
		t.Fatalf("the bells are not heard: %v %+v", err, call.Stats())
	}
	if err := leg.HangUp(ctx); err != nil {
		t.Fatal(err)
	}
	call.HangUp()
	ended := s.until(r.ID, func(r toldRing) bool { return r.State == "ended" && r.Call != nil && r.Call.EndedBy != "" })
	if got := ended.facts(); got != "placed sent accepted woke shown answered connected hung_up" {
		t.Errorf("facts: %s", got)
	}
	if ended.EndReason != "hung_up" || ended.EndDetail == "" || ended.Call.ConnectedAt == nil {
		t.Errorf("ended as %+v", ended)
	}
	s.tallied(key)
}

// tallied waits for the roller, which runs each second.
func (s *server) tallied(key string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		var f struct {
			Groups []struct {
				Hops []struct {
					Hop   string
					Count int64
					P50   *float64 `json:"p50_ms"`
				}
			}
		}
		s.call("GET", "/v1/analytics/funnel", key, "", &f)
		counted := map[string]int64{}
		for _, g := range f.Groups {
			for _, h := range g.Hops {
				counted[h.Hop] = h.Count
			}
		}
		if counted["placed"] == 1 && counted["shown"] == 1 && counted["voice"] == 1 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the funnel says %+v", f)
		}
		tick := time.NewTimer(100 * time.Millisecond)
		<-tick.C
	}
}

// TestAProgramTalksToAPhone is a ring whose agent is a program on the Twilio protocol: dev mode's
// own, and then one that is not there.
func TestAProgramTalksToAPhone(t *testing.T) {
	t.Parallel()
	s := start(t)
	var list struct{ Data []struct{ ID, Kind string } }
	s.call("GET", "/v1/agents", s.ready.APIKey, "", &list)
	program := ""
	for _, a := range list.Data {
		if a.Kind == "stream" {
			program = a.ID
		}
	}
	if program == "" {
		t.Fatalf("no program among the agents: %+v", list)
	}
	iphone, err := phonetest.New(phonetest.Config{Codecs: []string{"opus", "PCMU"}})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(agent string) (*phonetest.Call, *phonetest.Leg, string) {
		r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"agent":"%s","ttl_s":60}`, s.ready.DeviceID, agent))
		s.until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
		leg := &phonetest.Leg{URL: s.ready.URL, Ring: r.ID, Credential: s.ready.DeviceCredential, Client: http.DefaultClient}
		call, err := iphone.Call(t.Context(), leg.Answer)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(call.HangUp)
		return call, leg, r.ID
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	call, leg, ring := answer(program)
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.PacketsIn > 100 }); err != nil {
		t.Fatalf("the program is not heard: %v %+v", err, call.Stats())
	}
	if err := leg.HangUp(ctx); err != nil {
		t.Fatal(err)
	}
	s.until(ring, func(r toldRing) bool { return r.State == "ended" && r.Call != nil && r.Call.EndedBy == "phone_hung_up" })

	// The program's server is gone: the call ends, and the ring says why.
	path := "/v1/agents/" + program
	if status := s.call("PATCH", path, s.ready.APIKey, `{"stream":{"url":"ws://127.0.0.1:1/"}}`, nil); status != 200 {
		t.Fatalf("changing the address gave %d", status)
	}
	_, _, ring = answer(program)
	got := s.until(ring, func(r toldRing) bool { return r.State == "failed" && r.Call != nil && r.Call.EndedBy != "" })
	if got.Call.EndedBy != "agent_failed" || !got.says("broken", "nothing listens at this address") {
		t.Errorf("ended by %s, %+v", got.Call.EndedBy, got.Attempts[0].Facts)
	}
}

// TestEveryHabitEndsAsItShould rings the phones that answer for themselves.
func TestEveryHabitEndsAsItShould(t *testing.T) {
	t.Parallel()
	s := start(t)
	var list struct {
		Data []struct{ ID, Name string }
	}
	s.call("GET", "/v1/devices", s.ready.APIKey, "", &list)
	want := map[string]string{"Jonas's iPhone": "declined declined", "Ines's iPhone": "missed never_woke",
		"Open-house phone": "missed silenced"}
	rung := 0
	for _, d := range list.Data {
		end, known := want[d.Name]
		if !known {
			continue
		}
		rung++
		ttl := 60 // a busy machine is slow; only the phone that says nothing is waited out
		if strings.HasPrefix(end, "missed never") {
			ttl = 10
		}
		r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":%d}`, d.ID, ttl))
		r = s.until(r.ID, func(r toldRing) bool { return r.EndReason != "" })
		if got := r.State + " " + r.EndReason; got != end {
			t.Errorf("%s: %s, want %s", d.Name, got, end)
		}
	}
	if rung != len(want) {
		t.Errorf("rang %d phones of %+v", rung, list.Data)
	}
}

// TestDevKeepsItsDataWhenToldWhere starts twice on the same folder.
func TestDevKeepsItsDataWhenToldWhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, "--data", dir)
	r := first.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, first.ready.DeviceID))
	first.until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
	first.stop()
	second := start(t, "--data", dir)
	if second.ready.APIKey != first.ready.APIKey || second.ready.DeviceID != first.ready.DeviceID {
		t.Error("the second start made other secrets")
	}
	var kept toldRing
	if status := second.call("GET", "/v1/rings/"+r.ID, second.ready.APIKey, "", &kept); status != 200 {
		t.Errorf("the ring is gone: %d", status)
	}
	again := second.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, second.ready.DeviceID))
	second.until(again.ID, func(r toldRing) bool { return r.State == "pushed" }) // the new Apple knows the stored credential
}

// TestTenantCreate makes a tenant on a fresh database, as an operator would.
func TestTenantCreate(t *testing.T) {
	t.Parallel()
	for name, db := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(args ...string) (string, int) {
				var out, errs bytes.Buffer
				code := Run(t.Context(), append(args, db...), &out, &errs)
				return out.String() + errs.String(), code
			}
			create := []string{"tenant", "create", "--name", "Elm Dental", "--slug", "elm", "--industry", "healthcare",
				"--email", "Ada@Example.com", "--json"}
			if text, code := run(create...); code == 0 || !strings.Contains(text, "carillon migrate up") {
				t.Errorf("without a schema: %d %s", code, text)
			}
			if text, code := run("migrate", "up"); code != 0 {
				t.Fatal(text)
			}
			if text, code := run("migrate", "status"); code != 0 || !strings.Contains(text, "applied") ||
				strings.Contains(text, "missing") {
				t.Errorf("status: %s", text)
			}
			text, code := run(create...)
			var m createdTenant
			if err := json.Unmarshal([]byte(text), &m); code != 0 || err != nil || m.APIKey == "" ||
				!strings.Contains(m.Invitation, "/invitations/crl_invite_") {
				t.Errorf("%d %s %v", code, text, err)
			}
			const repeated = "carillon: --slug: another tenant already has \"elm\"; choose another one\n"
			if text, code := run(create...); code != 1 || text != repeated {
				t.Errorf("the slug again: %d %q", code, text)
			}
			text, code = run("tenant", "create", "--name", "x", "--slug", "elm", "--industry", "fishing", "--email",
				"nobody", "--time-zone", "Mars/Base", "--public-url", "ring")
			for _, fault := range []string{
				`--industry: "fishing" cannot be used; give one of real-estate, healthcare`,
				`--email: "nobody" cannot be used; give`, `--slug: another tenant already has "elm"`,
				`--time-zone: "Mars/Base" cannot be used; give an IANA`,
				`CARILLON_PUBLIC_URL: "ring" is not a plain address`, "carillon tenant create --help",
			} {
				if code != 2 || !strings.Contains(text, fault) {
					t.Errorf("%d, without %q:\n%s", code, fault, text)
				}
			}
			none := filepath.Join(t.TempDir(), "none")
			wants(t, 2, "--email: ", append(create[:len(create)-3:len(create)-3], "--email", "nobody", "--data", none)...)
			if _, err := os.Stat(none); err == nil {
				t.Error("a refusal made a data folder")
			}
			if text, code := run("tenant", "create"); code != 2 || strings.Count(text, "is missing; give") != 4 {
				t.Errorf("without a flag: %d %s", code, text)
			}
			if text, code := run("tenant", "plan", "--slug", "elm", "--plan", "nothing"); code != 1 ||
				!strings.Contains(text, "carillon plans show") {
				t.Errorf("%d %s", code, text)
			}
		})
	}
}

// TestHealth asks a running server, and one that is not there.
func TestHealth(t *testing.T) {
	t.Parallel()
	s := start(t)
	var out, errs bytes.Buffer
	tick := time.NewTicker(100 * time.Millisecond) // it gives a server two seconds, and a busy machine may take longer
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		errs.Reset()
		if code := Run(t.Context(), []string{"health", "--addr", strings.TrimPrefix(s.ready.URL, "http://")}, &out, &errs); code == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d %s", code, errs.String())
		}
	}
	if code := Run(t.Context(), []string{"health", "--addr", freeAddr(t)}, &out, &errs); code == 0 {
		t.Error("a server that is not there is ready")
	}
	listenersAreApart(t, s)
}

// TestDevBeginsWithAHistory: the first page that a newcomer sees has something on every chart.
func TestDevBeginsWithAHistory(t *testing.T) {
	t.Parallel()
	s := start(t, "--history")
	var list struct{ Data []struct{ State, ID string } }
	s.call("GET", "/v1/rings?limit=200", s.ready.APIKey, "", &list)
	states := map[string]int{}
	for _, r := range list.Data {
		states[r.State]++
	}
	if len(list.Data) < 100 || states["ended"] == 0 || states["declined"] == 0 || states["missed"] == 0 {
		t.Errorf("%d rings: %v", len(list.Data), states)
	}
}
