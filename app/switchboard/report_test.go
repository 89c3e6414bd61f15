package switchboard_test

import (
	"errors"
	"testing"
	"time"

	"carillon/app/switchboard"
	"carillon/tenants"
)

// TestFactsOfAPhoneStayInItsOrder: a message that was long on its way makes what the phone saw
// later no earlier, and a phone whose clock went back is taken at its word.
func TestFactsOfAPhoneStayInItsOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ ahead, earlier time.Duration }{
		"in order":          {20 * time.Millisecond, 0},
		"a clock went back": {-time.Hour, 480 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tenants.RealEstate)
			w.clock.Stop()
			d := w.device("")
			r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
			w.state(r.ID, tenants.Pushed)
			w.clock.Pass(time.Second)
			phone := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for _, rep := range []switchboard.Report{
				{Kind: tenants.FactWoke, At: phone, SentAt: phone},
				{Kind: tenants.FactShown, At: phone.Add(c.ahead), SentAt: phone.Add(c.ahead + 480*time.Millisecond)},
			} {
				_, err := w.board.Report(t.Context(), d, r.ID, rep)
				must(t, err)
			}
			at := map[tenants.FactKind]time.Time{}
			for _, f := range w.state(r.ID, tenants.Ringing).Attempts[0].Facts {
				at[f.Kind] = f.At
			}
			if earlier := at[tenants.FactWoke].Sub(at[tenants.FactShown]); earlier != c.earlier {
				t.Errorf("shown is %s earlier than woke, want %s", earlier, c.earlier)
			}
		})
	}
}

// TestWhatAPhoneCannotReport: the refusal names the field, and nothing is recorded.
func TestWhatAPhoneCannotReport(t *testing.T) {
	t.Parallel()
	w, _ := scripted(t, nil)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.settle()
	code := func(n int) *int { return &n }
	for _, c := range []struct {
		rep   switchboard.Report
		wrong string // the field; empty = it is recorded
		says  string // the fact's detail
	}{
		{switchboard.Report{Kind: tenants.FactAccepted}, "kind", ""},
		{switchboard.Report{Kind: "slept"}, "kind", ""},
		{switchboard.Report{Kind: tenants.FactWoke, Code: code(0)}, "code", ""},
		{switchboard.Report{Kind: tenants.FactSilenced, Code: code(-1)}, "code", ""},
		{switchboard.Report{Kind: tenants.FactSilenced, Code: code(64)}, "code", ""},
		{switchboard.Report{Kind: tenants.FactWoke}, "", ""},
		{switchboard.Report{Kind: tenants.FactSilenced, Code: code(63)}, "", "code_63"},
		{switchboard.Report{Kind: tenants.FactFailedToShow, Code: code(0)}, "", "unknown"},
	} {
		recorded, err := w.board.Report(t.Context(), d, r.ID, c.rep)
		var e *tenants.Error
		if wrong := errors.As(err, &e); wrong != (c.wrong != "") || recorded == wrong {
			t.Fatalf("%+v: recorded %t, %v", c.rep, recorded, err)
		}
		if c.wrong != "" {
			if e.Kind != tenants.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != c.wrong || e.Fields[0].Message == "" {
				t.Errorf("%+v: %#v", c.rep, e)
			}
			continue
		}
		got, err := w.scope.Rings().Get(t.Context(), r.ID)
		must(t, err)
		facts := got.Attempts[0].Facts
		if last := facts[len(facts)-1]; last.Kind != c.rep.Kind || last.Detail != c.says {
			t.Errorf("%+v: recorded as %+v", c.rep, last)
		}
		if again, err := w.board.Report(t.Context(), d, r.ID, c.rep); err != nil || again {
			t.Errorf("a repeat of %s: recorded %t, %v", c.rep.Kind, again, err)
		}
	}
}
