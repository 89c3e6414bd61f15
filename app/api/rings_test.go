package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// stream opens an event stream and returns its events; it ends with the test.
func (h *fixture) stream(a ask) <-chan map[string]string {
	h.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(a.request(h, h.url))
	must(h, err)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(resp.Body)
		h.Fatalf("%s: %d %s %s", a.path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	out := make(chan map[string]string, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		event, lines := map[string]string{}, bufio.NewScanner(resp.Body)
		for lines.Scan() {
			name, value, ok := strings.Cut(lines.Text(), ": ")
			switch {
			case ok:
				event[name] = value
			case len(event) > 0:
				out <- event
				event = map[string]string{}
			}
		}
	}()
	h.Cleanup(func() { resp.Body.Close(); <-done })
	return out
}

func next(t testing.TB, from <-chan map[string]string) map[string]string {
	t.Helper()
	select {
	case e, ok := <-from:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event in time")
	}
	return nil
}

func atEnd(t testing.TB, from <-chan map[string]string) {
	t.Helper()
	select {
	case e, ok := <-from:
		if ok {
			t.Fatalf("one event too many: %v", e)
		}
	case <-time.After(time.Minute):
		t.Fatal("the stream did not end")
	}
}

func fact(kind string, at time.Time) string {
	return fmt.Sprintf(`{"kind":%q,"at":%q,"sent_at":%q}`, kind, at.Format(time.RFC3339Nano),
		at.Add(20*time.Millisecond).Format(time.RFC3339Nano))
}

// TestRing follows one ring from request to end, as the program and the phone see it.
func TestRing(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	placed := h.do(ask{method: "POST", path: "/v1/rings", key: a.key,
		body: fmt.Sprintf(`{"to":{"device":%q},"agent":%q,"caller":"Anna \"<b>\" \u00e9","reference":"lead-1","ttl_s":45}`,
			strings.ToUpper(string(a.device)), a.agent)}).want(201)
	var r ringView
	placed.into(&r)
	if r.State != "placed" || r.To.Device != string(a.device) || r.Agent == nil || *r.Agent != string(a.agent) ||
		*r.Caller != `Anna "<b>" é` ||
		*r.Reference != "lead-1" || r.Test || r.Ended != nil || r.Reason != nil || r.Call != nil || r.kinds() != "placed" ||
		len(r.Attempts[0].Pushes) != 1 {
		t.Errorf("placed: %s", placed.body)
	}
	if placed.header.Get("Location") != "/v1/rings/"+r.ID {
		t.Errorf("Location %q", placed.header.Get("Location"))
	}
	created, _ := time.Parse(time.RFC3339, r.Created)
	expires, _ := time.Parse(time.RFC3339, r.Expires)
	if expires.Sub(created) != 45*time.Second {
		t.Errorf("it rings for %v", expires.Sub(created))
	}

	story := h.stream(ask{method: "GET", path: "/v1/rings/" + strings.ToUpper(r.ID) + "/events", key: a.key})
	bell := h.stream(ask{method: "GET", path: "/v1/phone/rings/" + r.ID + "/events", key: a.phone})
	var last string
	for _, want := range []string{"placed placed", "sent placed", "accepted pushed"} {
		e := next(t, story)
		if got := e["event"] + " " + stateIn(t, e["data"]); got != want {
			t.Fatalf("event %v is %q, want %q", e, got, want)
		}
		last = e["id"]
	}

	seen := h.do(ask{method: "GET", path: "/v1/phone/rings/" + strings.ToUpper(r.ID), key: a.phone}).want(200)
	var p phoneRing
	seen.into(&p)
	if p.ID != r.ID || !p.Rings || *p.Reference != "lead-1" || len(p.ICEServers) != 1 {
		t.Errorf("the phone sees %s", seen.body)
	}

	at := time.Now()
	for i, kind := range []string{"woke", "shown", "shown"} {
		got := h.do(ask{method: "POST", path: "/v1/phone/rings/" + r.ID + "/facts", key: a.phone, body: fact(kind, at)}).want(200)
		if want := fmt.Sprintf(`{"recorded":%t}`, i < 2); got.body != want {
			t.Errorf("fact %d: %s, want %s", i, got.body, want)
		}
	}
	for _, want := range []string{"woke pushed", "shown ringing"} {
		if e := next(t, story); e["event"]+" "+stateIn(t, e["data"]) != want {
			t.Errorf("event %v, want %s", e, want)
		}
	}
	h.do(ask{method: "POST", path: "/v1/phone/rings/" + r.ID + "/facts", key: a.phone, body: fact("declined", at)}).want(200)
	if e := next(t, story); e["event"] != "declined" || stateIn(t, e["data"]) != "declined" {
		t.Errorf("event %v", e)
	}
	atEnd(t, story)
	if e := next(t, bell); e["event"] != "ended" || !strings.Contains(e["data"], `"declined"`) {
		t.Errorf("the phone hears %v", e)
	}
	atEnd(t, bell)

	ended := h.do(ask{method: "GET", path: "/v1/rings/" + r.ID, key: a.key}).want(200)
	ended.into(&r)
	if r.State != "declined" || *r.Reason != "declined" || *r.Detail == "" || r.Ended == nil ||
		r.kinds() != "placed sent accepted woke shown declined" {
		t.Errorf("ended: %s", ended.body)
	}
	if got := r.Attempts[0].Pushes[0]; got.Status == nil || *got.Status != 200 || got.SentAt == nil {
		t.Errorf("push: %s", ended.body)
	}
	late := h.do(ask{method: "POST", path: "/v1/phone/rings/" + r.ID + "/facts", key: a.phone,
		body: `{"kind":"silenced","at":"2026-11-24T08:00:00Z","sent_at":"2026-11-24T08:00:00.5+01:00","code":3}`}).want(200)
	if late.body != `{"recorded":true}` {
		t.Errorf("a late fact: %s", late.body)
	}

	again := h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: a.key, header: []string{"Last-Event-ID", last}})
	if e := next(t, again); e["event"] != "woke" || stateIn(t, e["data"]) != "pushed" {
		t.Errorf("resumed with %v", e)
	}
	h.do(ask{method: "POST", path: "/v1/rings/" + r.ID + "/cancel", key: a.key}).want(202).into(&r)
	if r.State != "declined" {
		t.Errorf("cancelling an ended ring made it %s", r.State)
	}
}

func stateIn(t testing.TB, data string) string {
	t.Helper()
	var e ringEvent
	d := json.NewDecoder(strings.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	if e.Attempt == "" || e.Device == "" || e.At == "" {
		t.Errorf("event data %s", data)
	}
	return e.State
}

// TestPerson rings two devices, cancels, and looks at what the phones are told.
func TestPerson(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	_, second := a.newDevice("person-Lakeside")
	r := a.ring(`{"to":{"person":"person-Lakeside"}}`)
	if len(r.Attempts) != 2 || r.To.Person != "person-Lakeside" || r.Agent != nil {
		t.Errorf("%+v", r)
	}
	bell := h.stream(ask{method: "GET", path: "/v1/phone/rings/" + r.ID + "/events", key: second})
	var got ringView
	h.do(ask{method: "POST", path: "/v1/rings/" + r.ID + "/cancel", key: a.key}).want(202).into(&got)
	if got.State != "cancelled" || *got.Reason != "cancelled" {
		t.Errorf("%+v", got)
	}
	e := next(t, bell)
	if e["event"] != "cancelled" {
		t.Errorf("the phone hears %v", e)
	}
	atEnd(t, bell)
	// One that comes back behind the last event hears no more, and is not kept waiting.
	atEnd(t, h.stream(ask{method: "GET", path: "/v1/phone/rings/" + r.ID + "/events", key: second,
		header: []string{"Last-Event-ID", e["id"]}}))

	var p phoneRing
	h.do(ask{method: "GET", path: "/v1/phone/rings/" + r.ID, key: second}).want(200).into(&p)
	if p.Rings || p.State != "cancelled" {
		t.Errorf("%+v", p)
	}
}

func TestPhoneEventOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		facts []tenants.FactKind
		want  string // what each fact is to the phone
	}{
		{[]tenants.FactKind{"placed", "accepted", "shown", "cancelled"}, "- - - cancelled"},
		{[]tenants.FactKind{"placed", "elsewhere", "shown"}, "- answered_elsewhere -"},
		{[]tenants.FactKind{"placed", "answered", "connected", "hung_up"}, "- - - ended"},
		{[]tenants.FactKind{"placed", "expired", "woke"}, "- ended -"},
		{[]tenants.FactKind{"placed", "declined", "silenced"}, "- ended -"},
		{[]tenants.FactKind{"placed", "answered", "broken"}, "- - ended"},
		{[]tenants.FactKind{"placed", "answered", "silenced"}, "- - -"},
	} {
		r := tenants.Ring{State: tenants.Placed, Attempts: []tenants.Attempt{{ID: "a", State: tenants.Placed}}}
		for i, k := range tc.facts {
			r.Fold(tenants.Fact{Seq: int64(i), Attempt: "a", Kind: k})
		}
		var got []string
		for _, f := range r.Attempts[0].Facts {
			name := phoneEventOf(&r.Attempts[0], f)
			if name == "" {
				name = "-"
			}
			got = append(got, name)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%v: %v, want %s", tc.facts, got, tc.want)
		}
	}
}
