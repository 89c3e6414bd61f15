package bench_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/app/bench"
	"carillon/tenants/store/postgrestest"
)

// TestRings measures for a moment, in which a busy machine too gets something done: nothing is
// lost, and both tables say so.
func TestRings(t *testing.T) {
	t.Parallel()
	r, err := bench.Rings(t.Context(), bench.RingsConfig{Concurrency: []int{4}, Turns: 1, Turn: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	row := r.Rows[0]
	if row.Count == 0 || row.Lost != 0 || row.Bare == 0 || row.P99 < row.P50 || row.AppleP50 < row.P50/2 || r.Paced.Count == 0 ||
		row.Store == 0 || row.StoreBytes == 0 || r.Bytes == 0 || row.OfStock == 0 {
		t.Errorf("%+v", r)
	}
	printed(t, r.Print, "bare store + bare apns2")
	printed(t, r.PrintJSON, `"bare_per_second"`)
}

// TestSweep: nobody answers, and the server is killed among the rings. How late they end is a
// matter of the machine; that each was pushed and ends is not.
func TestSweep(t *testing.T) {
	t.Parallel()
	r, err := bench.Sweep(t.Context(), bench.SweepConfig{PerSecond: 50, For: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Rows {
		if x.Rings == 0 || x.Unpushed != 0 || x.Unended != 0 || x.LateMost <= 0 {
			t.Errorf("%+v", x)
		}
	}
	printed(t, r.Print, "killed in the middle")
	printed(t, r.PrintJSON, `"late_p99_ms"`)
}

func TestCalls(t *testing.T) {
	t.Parallel()
	r, err := bench.Calls(t.Context(), bench.CallsConfig{Calls: []int{1}, Streams: []int{1}, Bridges: []int{2},
		Turns: 1, Window: 3 * time.Second, Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 3 || r.Rows[0].Kind != "echo" || r.Rows[1].Kind != "stream" || r.Rows[2].Kind != "bridge" {
		t.Fatalf("%+v", r.Rows)
	}
	for _, row := range r.Rows {
		if row.SetUpP50 == 0 || row.AddedP50 == 0 || row.BareSetUpP95 == 0 || row.BareAddedP50 == 0 ||
			row.SetUpRatio == 0 || row.Rounds != 1 {
			t.Errorf("%+v", row)
		}
	}
	printed(t, r.Print, "set-up p50")
	printed(t, r.PrintJSON, `"cpu_percent_per_call"`)
}

// TestSoak holds calls of each kind for a moment. How flat the server stays takes minutes to see;
// that each call ends as planned and leaves nothing is seen at once. It runs by itself: beside the
// storms of TestFaults a call is not heard for seconds.
func TestSoak(t *testing.T) {
	r, err := bench.Soak(t.Context(), bench.SoakConfig{Calls: 6, For: time.Second, PerSecond: 7, ChurnFor: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if r.Calls != 23 || len(r.Failed) != 0 || r.Ended["ended, phone_hung_up"] != r.Calls || r.Rows[0].Goroutines == 0 ||
		r.Rows[0].HeapMB == 0 {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Checks {
		if !c.Held && !strings.Contains(c.What, "flat") {
			t.Errorf("%+v", c)
		}
	}
	printed(t, r.Print, "open files")
	printed(t, r.PrintJSON, `"goroutines"`)
}

// TestSoakIsJudged: each thing that can be wrong is a check that is missed.
func TestSoakIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		missed []string
		spoil  func(*bench.SoakReport)
	}{
		"as planned": {nil, func(*bench.SoakReport) {}},
		"a call has no reason": {[]string{"every call ends with its reason"},
			func(r *bench.SoakReport) { r.Ended = map[string]int{"ended, phone_hung_up": 99, "ended, no reason": 1} }},
		"a call fell silent": {[]string{"every call is set up, heard to its end and hung up by its phone"},
			func(r *bench.SoakReport) { r.Failed["fell silent"] = 1 }},
		"memory grows while calls stay": {[]string{"memory, MB flat: stay"}, func(r *bench.SoakReport) {
			for i := range r.Rows {
				if r.Rows[i].Part == "stay" {
					r.Rows[i].MemoryMB += float64(20 * i)
				}
			}
		}},
		"each call leaves a goroutine": {[]string{"goroutines as before the first call"}, func(r *bench.SoakReport) {
			r.Rows[len(r.Rows)-1].Goroutines += 100
		}},
		"each of few calls leaves a file": {[]string{"open files as before the first call"}, func(r *bench.SoakReport) {
			r.Rows[0].Calls = 80 // of 100
			r.Rows[len(r.Rows)-1].Files += 11
		}},
		"calls that come and go leave files": {[]string{"open files as before the first call", "open files flat: churn"},
			func(r *bench.SoakReport) {
				for i := range r.Rows {
					r.Rows[i].Files += 20 * i
				}
				for i := range r.Rows { // but not those that stay
					if r.Rows[i].Part == "stay" {
						r.Rows[i].Files = 30
					}
				}
			}},
	} {
		r := bench.SoakReport{Calls: 100, Ended: map[string]int{"ended, phone_hung_up": 100}, Failed: map[string]int{}}
		for _, part := range []string{"before", "stay", "stay", "stay", "stay", "after", "churn", "churn", "churn", "churn", "after"} {
			r.Rows = append(r.Rows, bench.SoakRow{Part: part, Goroutines: 100, Files: 30, MemoryMB: 150, HeapMB: 60})
		}
		c.spoil(&r)
		r.Judge()
		var missed []string
		for _, x := range r.Checks {
			if !x.Held {
				missed = append(missed, x.What)
			}
		}
		slices.Sort(missed)
		if !slices.Equal(missed, c.missed) || r.Held() != (len(c.missed) == 0) {
			t.Errorf("%s: missed %q, want %q", name, missed, c.missed)
		}
	}
}

// TestPages runs by itself: beside the storms of TestFaults, a page would take longer than the ten
// seconds that a server gives it.
func TestPages(t *testing.T) {
	r, err := bench.Pages(t.Context(), bench.PagesConfig{Rings: 300, Times: 2, Alone: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) < 15 || r.FirstLoad == 0 || r.FirstLoad > 200_000 || r.Beside.Count == 0 || r.Alone.Count == 0 {
		t.Errorf("%+v", r)
	}
	for _, x := range r.Rows {
		if x.Bytes == 0 || x.Bytes > 20_000 {
			t.Errorf("%s weighs %d bytes", x.Page, x.Bytes)
		}
	}
	if _, err := bench.Pages(t.Context(), bench.PagesConfig{Only: "/no-such-page"}); err == nil {
		t.Error("no page to measure was no error")
	}
	printed(t, r.Print, "first load")
	printed(t, r.PrintJSON, `"first_load_bytes"`)
}

// TestFaults runs faults with few rings: what became of each ring is right however slow the machine
// is.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, only := range []string{
		"cold burst of 200, 30 ms away (Sender", "falls silent under 100/s (Sender", "abrupt (server",
		"503 for 3 s under 100/s (server", "50 teams", "ten phones",
		"wrong key (Sender", "wrong key (server", "20/s a tenant", "wrong environment",
		"stream flood", "sign-in flood", "media flood", "400 streams", "sustained at concurrency 100 (Sender",
	} {
		t.Run(only, func(t *testing.T) {
			t.Parallel()
			r, err := bench.Faults(t.Context(), bench.FaultsConfig{Only: only, Shrink: 20})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Rows) != 1 {
				t.Fatalf("%d rows", len(r.Rows))
			}
			row := r.Rows[0]
			if row.Count == 0 || row.Lost != 0 || row.Repeated != 0 {
				t.Errorf("%+v", row)
			}
			if (strings.HasPrefix(only, "wrong") || only == "50 teams") && !row.OK { // no timer decides these
				t.Errorf("%+v", row)
			}
			printed(t, r.Print, row.Fault)
			printed(t, r.PrintJSON, `"slowest_ms"`)
		})
	}
	if _, err := bench.Faults(t.Context(), bench.FaultsConfig{Only: "no such fault"}); err == nil {
		t.Error("an unknown fault was no error")
	}
}

// TestNodes measures for a moment, and kills a node among rings and calls. How late a push comes is
// a matter of the machine; that each comes once is not.
func TestNodes(t *testing.T) {
	t.Parallel()
	r, err := bench.Nodes(t.Context(), bench.NodesConfig{Nodes: []int{2}, Turns: 1, Turn: 2 * time.Second, At: 4, Rates: []int{100},
		Faults: true, Only: "kill -9", Shrink: 10})
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 2 || len(r.Faults) != 1 || r.Bytes <= 0 {
		t.Fatalf("%+v", r)
	}
	for _, x := range r.Rows {
		if x.Count == 0 || x.Lost != 0 || x.P99 < x.P50 {
			t.Errorf("%+v", x)
		}
	}
	if x := r.Rows[1]; x.Commits <= 0 || x.Log <= 0 || len(x.Paced) != 1 {
		t.Fatalf("%+v", x)
	}
	if x := r.Rows[1].Paced[0]; x.Rate != 100 || x.PerSecond <= 0 || x.PerSecond > 101 || x.CPU <= x.NATSCPU || x.Ratio <= 0 {
		t.Errorf("%+v", x)
	}
	if x := r.Faults[0]; x.Count == 0 || x.Lost != 0 || x.Repeated != 0 || strings.Contains(x.Figure, "stopped here") {
		t.Errorf("%+v", x)
	}
	printed(t, r.Print, "per ring")
	printed(t, r.PrintJSON, `"cpu_to_sqlite"`)
}

func printed(t *testing.T, print func(io.Writer) error, want string) {
	t.Helper()
	var b bytes.Buffer
	if err := print(&b); err != nil || !strings.Contains(b.String(), want) {
		t.Errorf("printed %q, %v", b.String(), err)
	}
}
