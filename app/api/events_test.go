package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// told is the data of an event.
type told struct{ Ring, Device, Kind, State string }

func toldIn(t *testing.T, e map[string]string) (d told) {
	t.Helper()
	if err := json.Unmarshal([]byte(e["data"]), &d); err != nil || d.Ring == "" || d.Kind != e["event"] || e["id"] == "" {
		t.Fatalf("%v: %v", e, err)
	}
	return d
}

// nextTold is the next event of a stream of all rings, behind ids that come alone.
func nextTold(t *testing.T, from <-chan map[string]string) map[string]string {
	t.Helper()
	for {
		if e := next(t, from); e["data"] != "" {
			return e
		}
	}
}

// TestQuietStreamsKeepTheirPlace: a stream begins with its place, and a client that heard nothing
// else goes on behind it. Later places come rarely.
func TestQuietStreamsKeepTheirPlace(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	first := next(t, h.stream(ask{method: "GET", path: "/v1/events", key: a.key}))
	if first["id"] == "" || len(first) != 1 {
		t.Fatalf("the stream begins with %v", first)
	}
	missed := a.ring("")
	again := h.stream(ask{method: "GET", path: "/v1/events", key: a.key, header: []string{"Last-Event-ID", first["id"]}})
	if e := next(t, again); e["id"] != first["id"] || len(e) != 1 {
		t.Errorf("it goes on with %v behind %v", e, first)
	}
	if d := toldIn(t, nextTold(t, again)); d.Ring != missed.ID || d.Kind != "placed" {
		t.Errorf("it goes on with %+v", d)
	}
	now, s := time.Now(), &places{}
	told := feedTold{now: func() time.Time { return now }}
	for i, after := range []time.Duration{0, 0, feedTellPlace - 1, 1, 1} {
		now = now.Add(after)
		if err := told.place(s, store.FeedPlace{}); err != nil || len(s.ids) != 1+i/3 {
			t.Errorf("look %d: told %v, %v", i, s.ids, err)
		}
	}
}

type places struct{ ids []string }

func (p *places) Place(id string) error {
	p.ids = append(p.ids, id)
	return nil
}

// TestEventsOfAllRings: one stream has the facts of every ring of the tenant and of no other, goes
// on when a ring has ended, and continues behind any event.
func TestEventsOfAllRings(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, stranger := h.tenant("lakeside", "Lakeside"), h.tenant("stranger", "Stranger")
	device, phone := a.newDevice("person-b")
	story := h.stream(ask{method: "GET", path: "/v1/events", key: a.newKey(false, tenants.RingsRead)})
	filtered := h.stream(ask{method: "GET", path: "/v1/events?person=person-b&device=" + string(device), key: a.key})
	foreign := h.stream(ask{method: "GET", path: "/v1/events", key: stranger.key})
	first := a.ring("")
	theirs := stranger.ring("")
	second := a.ring(`{"to":{"person":"person-b"}}`)
	h.do(ask{method: "POST", path: "/v1/rings/" + first.ID + "/cancel", key: a.key}).want(202)
	h.do(ask{method: "POST", path: "/v1/rings/" + second.ID + "/cancel", key: a.key}).want(202)
	third := a.ring(`{"to":{"person":"person-b"}}`)
	h.do(ask{method: "POST", path: "/v1/phone/rings/" + third.ID + "/facts", key: phone, body: fact("declined", h.edgeTime())}).want(200)
	h.do(ask{method: "POST", path: "/v1/rings/" + theirs.ID + "/cancel", key: stranger.key}).want(202)

	kinds := map[string][]string{}
	var events []map[string]string
	for !slices.Contains(kinds[third.ID], "declined") {
		e := nextTold(t, story)
		d := toldIn(t, e)
		events, kinds[d.Ring] = append(events, e), append(kinds[d.Ring], d.Kind)
	}
	if len(kinds) != 3 || !slices.Contains(kinds[first.ID], "cancelled") || kinds[second.ID][0] != "placed" {
		t.Errorf("told %v of %s, %s and %s", kinds, first.ID, second.ID, third.ID)
	}
	for d := (told{}); d.Kind != "declined"; {
		d = toldIn(t, nextTold(t, filtered))
		if d.Ring != second.ID && d.Ring != third.ID || d.Device != string(device) || d.Kind == "declined" && d.State != "declined" {
			t.Errorf("a stream of one device tells %+v", d)
		}
	}
	for kind := ""; kind != "cancelled"; {
		d := toldIn(t, nextTold(t, foreign))
		if kind = d.Kind; d.Ring != theirs.ID {
			t.Errorf("a stranger was told %+v", d)
		}
	}
	again := h.stream(ask{method: "GET", path: "/v1/events", key: a.key, header: []string{"Last-Event-ID", events[1]["id"]}})
	for _, want := range events[2:] {
		// The state is that of now.
		if got := nextTold(t, again); got["id"] != want["id"] || got["event"] != want["event"] ||
			toldIn(t, got).Ring != toldIn(t, want).Ring {
			t.Errorf("behind %s came %v, want %v", events[1]["id"], got, want)
		}
	}
}

// TestEventsAreBounded: a key has a few streams of all rings, another key has its own, and what is
// no request for one is refused before a stream begins.
func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	r := a.ring("")
	most := feedBounds.Each["API key"]
	for range most {
		h.stream(ask{method: "GET", path: "/v1/events", key: a.key})
	}
	got := h.do(ask{method: "GET", path: "/v1/events", key: a.key}).want(429)
	if code, _ := got.code(); code != "too_many_streams" || got.header.Get("Retry-After") == "" {
		t.Errorf("%s %v", got.body, got.header)
	}
	h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: a.key}) // these are counted apart
	other := a.newKey(false, tenants.RingsRead)
	for _, bad := range []struct{ query, last, code string }{
		{"?device=phone", "", "invalid"}, {"?agent=1", "", "invalid"}, {"?person=" + strings.Repeat("x", 101), "", "invalid"},
		{"", "7", "last_event_id"}, {"", "0-9999999", "last_event_id"}, {"", "0-1x", "last_event_id"},
	} {
		asked := ask{method: "GET", path: "/v1/events" + bad.query, key: other}
		if bad.last != "" {
			asked.header = []string{"Last-Event-ID", bad.last}
		}
		refused := h.do(asked).want(400)
		if code, _ := refused.code(); code != bad.code {
			t.Errorf("%+v: %s", bad, refused.body)
		}
	}
	for range most { // the refused ones hold nothing
		h.stream(ask{method: "GET", path: "/v1/events", key: other})
	}
}

// TestEventsEndWithTheirKey: a stream of all rings ends when its key is revoked.
func TestEventsEndWithTheirKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	reader := a.newKey(false, tenants.RingsRead)
	stream := h.stream(ask{method: "GET", path: "/v1/events", key: reader})
	r := a.ring("")
	for toldIn(t, nextTold(t, stream)).Kind != "accepted" {
	}
	revoke(h, a, reader)
	h.do(ask{method: http.MethodPost, path: "/v1/rings/" + r.ID + "/cancel", key: a.key}).want(202)
	for e := range stream {
		t.Errorf("event after the end: %v", e)
	}
}
