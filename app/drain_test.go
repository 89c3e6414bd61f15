package app

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/gateway/phonetest"
)

// talking is a production server with a call on it, whose phone also listens for events.
type talking struct {
	*server
	device furnished
	ring   string
	leg    *phonetest.Leg
	call   *phonetest.Call
	events <-chan string // names of events; closed when the stream ends
}

func talk(t *testing.T, drain string) talking {
	t.Helper()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = apple.Close() })
	s, m := produce(t, []string{"--data", t.TempDir()}, apple, "--drain", drain)
	device := s.furnish(apple, m)
	r := s.place(`{"to":{"person":"front-desk"}}`)
	events := s.events("/v1/phone/rings/"+r.ID+"/events", device.Credential)
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: r.ID, Credential: device.Credential, Client: http.DefaultClient}
	call, err := iphone.Call(t.Context(), leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(call.HangUp)
	s.until(r.ID, func(r toldRing) bool { return r.Call != nil && r.Call.ConnectedAt != nil })
	return talking{s, device, r.ID, leg, call, events}
}

// events gives the names of a stream's events.
func (s *server) events(path, bearer string) <-chan string {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.ready.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+bearer)
	a, err := http.DefaultClient.Do(q)
	if err != nil || a.StatusCode != http.StatusOK {
		s.t.Fatalf("%v %v", a, err)
	}
	names := make(chan string, 16)
	go func() {
		defer close(names)
		defer a.Body.Close()
		for lines := bufio.NewScanner(a.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				names <- name
			}
		}
	}()
	return names
}

// stopping waits until the server says that it stops.
func (s *server) stopping() {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if status, _ := s.get(s.ready.URL + "/readyz"); status == http.StatusServiceUnavailable {
			return
		}
	}
	s.t.Fatal("readyz does not fail")
}

// A server that must stop takes no ring and no call, lets a call go on, and stops as soon as
// it has ended.
func TestDrainWaitsForCalls(t *testing.T) {
	t.Parallel()
	s := talk(t, "1h")
	waiting := s.place(`{"to":{"person":"front-desk"}}`) // rings, and is not answered yet
	s.signal()
	s.stopping()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ready.URL+"/v1/rings",
		strings.NewReader(`{"to":{"person":"front-desk"}}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+s.ready.APIKey)
	q.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("a new ring: %s, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	late := &phonetest.Leg{URL: s.ready.URL, Ring: waiting.ID, Credential: s.device.Credential, Client: http.DefaultClient}
	if _, err := iphone.Call(t.Context(), late.Answer); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a first answer: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	from := s.call.Stats().Sounding
	if err := s.call.Until(ctx, func(now phonetest.Stats) bool { return now.Sounding > from+50 }); err != nil {
		t.Errorf("the call does not go on: %v", err)
	}
	if err := s.leg.HangUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name := <-s.events; name != "ended" {
		t.Errorf("the phone got %q", name)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A call that lasts longer than the drain is ended, and its phone gets that event before the server
// stops.
func TestDrainEndsCalls(t *testing.T) {
	t.Parallel()
	s := talk(t, "100ms")
	s.signal()
	if name := <-s.events; name != "ended" {
		t.Errorf("the phone got %q", name)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
