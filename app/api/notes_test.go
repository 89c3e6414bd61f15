package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// pickUp lets the ring be answered, as the switchboard does.
func (t *tenant) pickUp(ring string) {
	t.h.Helper()
	_, _, err := t.scope().Rings().Change(t.h.Context(), tenants.RingID(ring), nil, time.Now().Add(time.Minute),
		func(r *tenants.Ring) ([]tenants.Fact, error) {
			r.Call = &tenants.Call{Device: t.device, AnsweredAt: time.Now()}
			return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactAnswered, At: time.Now(), Received: time.Now()}), nil
		})
	must(t.h, err)
}

func TestNotes(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	path := "/v1/rings/" + a.ring("").ID + "/notes"
	post := func(body string) answer { return h.do(ask{method: "POST", path: path, key: a.key, body: body}) }
	const two = `{"lines":[{"who":"person","at":"2026-03-01T12:00:01+01:00","text":"yes\u0000"},` +
		`{"who":"agent","at":"2026-03-01T11:00:00Z","text":"Is it you?"}],"summary":null}`

	if code, _ := post(two).want(409).code(); code != "no_call" {
		t.Errorf("before the answer: %s", code)
	}
	a.pickUp(strings.Split(path, "/")[3])
	var added notesAdded
	for i, want := range []int{2, 0} {
		if post(two).want(200).into(&added); added.Added != want || added.Lines != 2 {
			t.Errorf("time %d: %+v", i, added)
		}
	}
	post(`{"summary":"They said yes."}`).want(200)
	var v notesView
	h.do(ask{method: "GET", path: path, key: a.key}).want(200).into(&v)
	if fmt.Sprint(v.Lines) != "[{agent 2026-03-01T11:00:00.000Z Is it you?} {person 2026-03-01T11:00:01.000Z yes}]" ||
		v.Summary == nil || *v.Summary != "They said yes." || v.Changed == nil {
		t.Errorf("notes: %+v", v)
	}
	before := a.dump()
	line := `{"who":"agent","at":"2026-03-01T12:00:00Z","text":%q}`
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"1 MiB":           {`{"summary":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large"},
		"257 KiB":         {`{"summary":"x"}` + strings.Repeat(" ", 257<<10), 413, "too_large"},
		"nothing":         {`{}`, 400, "invalid"},
		"another speaker": {`{"lines":[{"who":"bot","at":"2026-03-01T12:00:00Z","text":"x"}]}`, 400, "invalid"},
		"no time":         {`{"lines":[{"who":"agent","text":"x"}]}`, 400, "invalid"},
		"a bad time":      {`{"lines":[{"who":"agent","at":"noon","text":"x"}]}`, 400, "invalid"},
		"a long line":     {`{"lines":[` + fmt.Sprintf(line, strings.Repeat("x", 4097)) + `]}`, 400, "invalid"},
		"an unknown field": {`{"lines":[{"who":"agent","at":"2026-03-01T12:00:00Z","text":"x","lang":"de"}]}`, 400,
			"invalid"},
	} {
		got := h.do(ask{method: "POST", path: path, key: a.key, body: c.body})
		if code, _ := got.want(c.status).code(); code != c.code {
			t.Errorf("%s: %s", name, code)
		}
	}
	if a.dump() != before {
		t.Error("refused notes changed something")
	}
	// More than other bodies may have, and within the bounds.
	var large []string
	for i := range 45 {
		large = append(large, fmt.Sprintf(line, fmt.Sprint(i, strings.Repeat("x", 4000))))
	}
	if post(`{"lines":[` + strings.Join(large, ",") + `]}`).want(200).into(&added); added.Added != 45 {
		t.Errorf("large notes: %+v", added)
	}
	h.do(ask{method: "GET", path: "/v1/rings/" + a.ring("").ID + "/notes", key: a.key}).want(200).into(&v)
	if len(v.Lines) != 0 || v.Summary != nil || v.Changed != nil {
		t.Errorf("a ring without notes: %+v", v)
	}
}
