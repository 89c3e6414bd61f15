package console

import (
	"encoding/csv"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/app/switchboard"
	"carillon/tenants"
)

// TestFiguresLeadToTheirRings: each number of the page, of its file and of the list that it leads
// to is the same.
func TestFiguresLeadToTheirRings(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta") // an answered ring and a refused one
	for n := 1; n > 0; {
		var err error
		n, err = h.Store.Jobs().Roll(t.Context(), 1000)
		pagetest.Must(t, err)
	}
	w := b.Quick(b.Owner)
	body := w.Get("/analytics?range=day&split=key").Want(200).Has("Rings over time", "Time per step", "No key: the console").Body
	for _, c := range []struct{ state, want string }{{"", ">2</a>"}, {"ended", ">1</a>"}, {"failed", ">1</a>"}} {
		found := 0
		for _, link := range between(body, `<a href="/rings?`, "</td>") {
			href, text, _ := strings.Cut(link, `"`)
			href = html.UnescapeString(href)
			if strings.Contains(href, "state="+c.state) != (c.state != "") || c.state == "" && strings.Contains(href, "state=") ||
				!strings.Contains(href, "cut=") || !strings.HasSuffix(strings.TrimSpace(text), c.want) {
				continue
			}
			found++
			rows := strings.Count(w.Get("/rings?"+href).Want(200).Body, `href="/rings/`+string(b.ring[:8]))
			if rows == 0 && c.state != "failed" {
				t.Errorf("%s: the list lacks the ring", href)
			}
		}
		if found == 0 {
			t.Errorf("state %q: no number leads to its rings", c.state)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(w.Get("/analytics.csv?range=day&split=key&panel=split").Want(200).Body)).ReadAll()
	pagetest.Must(t, err)
	if len(rows) < 2 || strings.Join(rows[1][2:], " ") != "2 1 0 0 0 1 0" {
		t.Errorf("the file: %q", rows)
	}
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	at := h.Clock.Now().In(tn.Zone())
	w.Get(fmt.Sprintf("/rings?hour=%d&weekday=%d", at.Hour(), at.Weekday())).Want(200).Has(string(b.ring))
	w.Get("/rings?cut=app_version:none").Want(200).Has("No matches")
	w.Get("/rings?since=yesterday").Want(400)
	w.Get("/analytics?range=dates&from=2026-02-30&to=x").Want(400)
	w.Get("/analytics?cut=nothing:x&hop=x&range=x&split=x").Want(200)
}

// TestTimesAreCountedOnce: what is kept of a chart of times and what is read again make the same
// chart each time, also in the column that has some of both. A fact that comes late is in every
// panel after ten minutes.
func TestTimesAreCountedOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.Clock.Pass(h.Clock.Now().UTC().Truncate(24 * time.Hour).Add(29 * time.Hour).Sub(h.Clock.Now())) // tomorrow at five
	b := h.full("beta", "Beta")
	h.Clock.Pass(5 * time.Hour)
	b.answers()
	w := b.Quick(b.Owner)
	const times, rings = "/analytics.csv?range=month&panel=times&hop=answered", "/analytics.csv?range=month&panel=time"
	look := func(path string) (body string, reads int) {
		_, statements := h.Work(func() { body = w.Get(path).Want(200).Body })
		for _, s := range statements {
			if strings.HasPrefix(s, "SELECT at, bucket, n FROM step_times") {
				reads++
			}
		}
		return body, reads
	}
	first, reads := look(times)
	if n := timed(t, first); n != 2 || reads != 2 {
		t.Fatalf("%d calls were timed in %d reads: %q", n, reads, first)
	}
	for i, x := range []struct {
		later time.Duration
		reads int
	}{{0, 1}, {0, 1}, {keptFor, 2}, {0, 1}, {time.Hour, 2}, {2 * time.Hour, 2}, {0, 1}} {
		h.Clock.Pass(x.later)
		if again, reads := look(times); again != first || reads != x.reads {
			t.Errorf("look %d: %q became %q in %d reads", i, first, again, reads)
		}
	}
	before, _ := look(rings)
	h.Clock.Pass(-7 * time.Hour)
	b.answers()
	h.Clock.Pass(7*time.Hour + keptFor)
	after, _ := look(rings)
	if late, _ := look(times); timed(t, late) != 3 || after == before {
		t.Errorf("after the late call: %q, %q", late, after)
	}
}

// answers places a ring that is answered, and counts it.
func (t *tenant) answers() {
	t.h.Helper()
	r := t.placed()
	d, err := t.Scope().Devices().Get(t.h.Context(), t.device)
	pagetest.Must(t.h, err)
	for _, kind := range []tenants.FactKind{tenants.FactWoke, tenants.FactShown} {
		_, err := t.h.board.Report(t.h.Context(), d, r.ID, switchboard.Report{Kind: kind})
		pagetest.Must(t.h, err)
	}
	t.converse(r.ID)
	for n := 1; n > 0; {
		n, err = t.h.Store.Jobs().Roll(t.h.Context(), 1000)
		pagetest.Must(t.h, err)
	}
}

// timed is how many calls a file of times has.
func timed(t *testing.T, file string) (n int) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	pagetest.Must(t, err)
	at := slices.Index(rows[0], "phones")
	for _, row := range rows[1:] {
		one, err := strconv.Atoi(row[at])
		pagetest.Must(t, err)
		n += one
	}
	return n
}

// TestPeriods: days are of the zone, also where the clocks change, and meet the same days before.
func TestPeriods(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	pagetest.Must(t, err)
	p := period{zone: berlin, step: "hour", from: time.Date(2026, 3, 29, 0, 0, 0, 0, berlin)}
	p.to = time.Date(2026, 3, 30, 0, 0, 0, 0, berlin)
	if n := len(p.columns(p.from, p.to)); n != 23 {
		t.Errorf("the day on which clocks go forward has %d hours", n)
	}
	p.from, p.to = time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), time.Date(2026, 10, 26, 0, 0, 0, 0, berlin)
	if n := len(p.columns(p.from, p.to)); n != 25 {
		t.Errorf("the day on which clocks go back has %d hours", n)
	}
	p.step, p.from = "day", time.Date(2026, 10, 20, 0, 0, 0, 0, berlin)
	for i, at := range p.columns(p.from, p.to) {
		if at.In(berlin).Hour() != 0 || at.In(berlin).Day() != 20+i {
			t.Errorf("day %d begins at %s", i, at.In(berlin))
		}
	}
	starts := p.columns(p.from, p.to)
	for _, c := range []struct {
		at   time.Time
		want int
	}{{p.from.Add(-time.Second), -1}, {p.from, 0}, {starts[1].Add(-time.Second), 0}, {starts[1], 1}, {p.to, 5}} {
		if got := columnOf(starts, c.at); got != c.want {
			t.Errorf("%s is in column %d, want %d", c.at, got, c.want)
		}
	}
	india := time.FixedZone("", 5*3600+1800)
	if at := wholeHour(time.Date(2026, 3, 1, 0, 0, 0, 0, india)); at.In(india).Hour() != 0 || at.In(india).Minute() != 30 {
		t.Errorf("a day half an hour beside UTC begins at %s", at.In(india))
	}
}
