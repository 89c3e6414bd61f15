package app

import (
	"encoding/csv"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/views"
)

// TestFiguresAgree: what a page, the API and a file say about the same thing is the same number. It
// is half past nine in the evening in New York, and tomorrow by UTC.
func TestFiguresAgree(t *testing.T) {
	t.Parallel()
	began, base := time.Now(), time.Date(2026, 11, 25, 2, 30, 0, 0, time.UTC)
	s := startAt(t, func() time.Time { return base.Add(time.Since(began)) })
	f := figuresOf{(&market{server: s}).guest(), time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)}
	f.submits("/signin", url.Values{"email": {s.ready.Login.Email}, "password": {s.ready.Login.Password}})
	f.submits("/settings", url.Values{"name": {"Harbor & Pine Realty"}, "time_zone": {"America/New_York"}, "ttl_s": {"30"}})
	overview := f.counted()

	f.inAnalytics(f.ringsOfToday(overview))
	f.stepsOfTheFunnel(base)
	f.dayByDay()
	f.devices(overview)
	f.usage()
}

// counted opens the overview once the roller, which runs each second, has counted the history.
func (f figuresOf) counted() string {
	f.t.Helper()
	rings := f.listed("/v1/rings?from="+f.midnight.Format(time.RFC3339), nil)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		if page := f.opens("/overview"); f.stat(page, "Rings today") >= rings || time.Now().After(deadline) {
			return page
		}
	}
}

func (f figuresOf) ringsOfToday(overview string) (today int) {
	today = f.stat(overview, "Rings today")
	if today < 5 {
		f.t.Fatalf("only %d rings today, which shows nothing", today)
	}
	rows, api := f.file("/rings.csv?period=today"), f.funnel(f.midnight)
	f.same(today, map[string]int{"the API's funnel": api["placed"], "the file": len(rows),
		"the API's list": f.listed("/v1/rings?from="+f.midnight.Format(time.RFC3339), nil),
		"the chart":      f.day(f.opens("/overview?period=month"), "2026-11-24", 0)})
	picked, placed := f.numbers(overview, `([\d,]+) of ([\d,]+) picked up`)
	calls := 0
	for _, row := range rows {
		if row["call_seconds"] != "" {
			calls++
		}
	}
	f.same(placed, map[string]int{"the figure beside it": today})
	f.same(picked, map[string]int{"the API": api["answered"], "the file": calls,
		"the chart": f.day(f.opens("/overview?period=month"), "2026-11-24", 1)})
	return today
}

// inAnalytics: each panel, its file and the API's funnel count the rings of today alike, also key
// by key, and each number of the page leads to as many rings.
func (f figuresOf) inAnalytics(today int) {
	const span = "range=dates&from=2026-11-24&to=2026-11-24"
	got := map[string]int{}
	for _, by := range []string{"hour", "app_version", "os_version", "environment", "agent", "key"} {
		for _, row := range f.file("/analytics.csv?panel=split&split=" + by + "&" + span) {
			got["the file by "+by] += f.number(row["rings"])
		}
		for _, hops := range f.groups(f.midnight, by) {
			got["the API by "+by] += hops["placed"]
		}
	}
	for _, panel := range []string{"time", "heat"} {
		for _, row := range f.file("/analytics.csv?panel=" + panel + "&" + span) {
			got["the file of "+panel] += f.number(row["rings"])
		}
	}
	keys := f.groups(f.midnight, "key")
	for _, row := range f.file("/analytics.csv?panel=split&split=key&" + span) {
		f.same(f.number(row["rings"]), map[string]int{"the API of key " + row["key"]: keys[row["key"]]["placed"]})
	}
	page := f.opens("/analytics?split=key&" + span)
	chart, _, _ := strings.Cut(page, `id="split-title"`)
	got["the page"] = 0
	for _, m := range regexp.MustCompile(`</time></th>\s*<td class="num">\s*(?:<a [^>]*>)?([\d,]+)`).FindAllStringSubmatch(chart, -1) {
		got["the page"] += f.number(m[1])
	}
	f.same(today, got)
	led := 0
	for _, m := range regexp.MustCompile(`<a href="(/rings\?[^"]+)">([\d,]+)</a>`).FindAllStringSubmatch(page, -1) {
		total, _ := f.numbers(f.opens(html.UnescapeString(m[1])), `list-total">[^<]*?([\d,]+) rings?<`)
		f.same(f.number(m[2]), map[string]int{"the list of " + m[1]: total})
		led++
	}
	if led < 5 {
		f.t.Errorf("only %d numbers of analytics lead to rings", led)
	}
}

func (f figuresOf) stepsOfTheFunnel(now time.Time) {
	for page, back := range map[string]time.Duration{"/overview": 24 * time.Hour, "/overview?period=week": 7 * 24 * time.Hour,
		"/overview?period=month": 30 * 24 * time.Hour} {
		api, shown := f.funnel(now.Add(-back)), f.opens(page)
		for step, hop := range map[string]string{"Placed": "placed", "Accepted": "accepted", "Woke": "woke", "Shown": "shown",
			"Answered": "answered", "Voice": "voice"} {
			n, _ := f.numbers(shown, `funnel-name">`+step+`</span>\s*<span class="funnel-count">([\d,]+)<`)
			f.same(n, map[string]int{page + ", " + step + ", by the API": api[hop]})
		}
	}
}

func (f figuresOf) dayByDay() {
	month := f.opens("/overview?period=month")
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		f.t.Fatal(err)
	}
	days := map[string]int{}
	for _, row := range f.file("/rings.csv") {
		at, err := time.Parse(time.RFC3339, row["placed_at"])
		if err != nil {
			f.t.Fatal(err)
		}
		days[at.In(zone).Format(time.DateOnly)]++
	}
	for back := range 14 {
		day := f.midnight.In(zone).AddDate(0, 0, -back).Format(time.DateOnly)
		f.same(days[day], map[string]int{day + " in the chart": f.day(month, day, 0)})
	}
}

func (f figuresOf) devices(overview string) {
	active := func(d map[string]any) bool { return d["state"] == "active" }
	used, _ := f.numbers(f.opens("/billing"), `<dt>Devices</dt>\s*<dd>\s*([\d,]+), no limit`)
	f.same(f.stat(overview, "Devices"), map[string]int{"the API": f.listed("/v1/devices?", active),
		"the file": len(f.file("/devices.csv?health=ready")), "billing": used})
}

// usage opens a trial in New York, rings three times with an API key and once to try it, and
// compares what counted.
func (f figuresOf) usage() {
	t := f.t
	g := figuresOf{f.market.guest(), f.midnight}
	sent := g.sends("POST", "/trial", url.Values{"company": {"Late Bells"}, "name": {"Ana"}, "email": {"ana@late.example"},
		"password": {"bells in the morning"}, "time_zone": {"America/New_York"}, "industry": {string(tenants.RealEstate)}}, 200)
	g.submits(regexp.MustCompile(`/trial/[A-Za-z0-9_-]{20,}`).FindString(sent), nil)
	key := regexp.MustCompile(`crl_live_[A-Za-z0-9]+`).FindString(g.sends("POST", "/keys/add", url.Values{"name": {"k"}, "kind": {"live"},
		"scope": {"rings:write", "rings:read", "analytics:read"}}, 200))
	device := regexp.MustCompile(`name="device" value="([0-9a-f-]{36})" checked`).FindStringSubmatch(g.opens("/rings/test"))[1]
	for range 3 {
		if status := g.call("POST", "/v1/rings", key, fmt.Sprintf(`{"to":{"device":%q}}`, device), nil); status != 201 {
			t.Fatalf("a ring is answered %d", status)
		}
	}
	g.submits(views.PathTestRing, url.Values{"device": {device}})
	page, used := "", 0
	tick, late := time.NewTicker(50*time.Millisecond), time.Now().Add(time.Minute)
	defer tick.Stop()
	for used != 3 && time.Now().Before(late) { // the roller counts each second, and a page is a second old at most
		page = g.opens("/billing")
		used, _ = g.numbers(page, `<dt>Rings this month</dt>\s*<dd>\s*([\d,]+) of [\d,]+`)
		<-tick.C
	}
	counted := func(r map[string]any) bool { return r["test"] == false }
	g.ready.APIKey = key
	files := 0
	for _, row := range g.file("/billing/usage.csv") {
		if row["day"] != "2026-11-24" || row["time_zone"] != "America/New_York" {
			t.Errorf("the file has the day %v", row)
		}
		files += f.number(row["rings"])
	}
	f.same(used, map[string]int{"what was placed": 3, "the API's list": g.listed("/v1/rings?", counted), "the file": files,
		"the day on the page": g.day(page, "2026-11-24", 0)})
}

// figuresOf reads figures where they are shown.
type figuresOf struct {
	*guest
	midnight time.Time // when the day began
}

func (f figuresOf) same(want int, got map[string]int) {
	f.t.Helper()
	for where, n := range got {
		if n != want {
			f.t.Errorf("%s says %d, not %d", where, n, want)
		}
	}
}

// numbers reads one or two numbers of a page.
func (f figuresOf) numbers(page, pattern string) (a, b int) {
	f.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		f.t.Fatalf("no %s", pattern)
	}
	return f.number(m[1]), f.number(m[len(m)-1])
}

func (f figuresOf) number(s string) int {
	f.t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// stat is a large figure of the overview.
func (f figuresOf) stat(page, label string) int {
	f.t.Helper()
	n, _ := f.numbers(page, `stat-label">\s*(?:<a[^>]*>)?`+label+`(?:</a>)?\s*</div>\s*<div class="stat-value">([\d,]+)<`)
	return n
}

// day adds up columns of a day in the table of a chart.
func (f figuresOf) day(page, day string, columns ...int) (sum int) {
	f.t.Helper()
	const cell = `\s*<td class="num">\s*(?:<a [^>]*>)?[\d,]+(?:</a>)?\s*</td>`
	m := regexp.MustCompile(`<time datetime="` + day + `(?:T00:00[^"]*)?">[^<]*</time></th>((?:` + cell + `)+)`).FindStringSubmatch(page)
	if m == nil {
		f.t.Fatalf("the page has no day %s", day)
	}
	cells := regexp.MustCompile(`[\d,]+(?:</a>)?\s*</td>`).FindAllString(m[1], -1)
	for _, c := range columns {
		sum += f.number(regexp.MustCompile(`^[\d,]+`).FindString(cells[c]))
	}
	return sum
}

// funnel is the rings of each hop since from, as the API counts them.
func (f figuresOf) funnel(from time.Time) map[string]int { f.t.Helper(); return f.groups(from, "")[""] }

// groups are the rings of each hop since from by group.
func (f figuresOf) groups(from time.Time, by string) map[string]map[string]int {
	f.t.Helper()
	var got struct {
		Groups []struct {
			Group string
			Hops  []struct {
				Hop   string
				Rings int
			}
		}
	}
	path := "/v1/analytics/funnel?by=" + by + "&from=" + url.QueryEscape(from.Format(time.RFC3339))
	if status := f.call("GET", path, f.ready.APIKey, "", &got); status != 200 || len(got.Groups) == 0 {
		f.t.Fatalf("the funnel is answered %d: %+v", status, got)
	}
	out := map[string]map[string]int{}
	for _, g := range got.Groups {
		out[g.Group] = map[string]int{}
		for _, h := range g.Hops {
			out[g.Group][h.Hop] = h.Rings
		}
	}
	return out
}

// listed counts what a list of the API holds; counts is nil for all.
func (f figuresOf) listed(path string, counts func(map[string]any) bool) (n int) {
	f.t.Helper()
	after := ""
	for {
		var got struct {
			Data []map[string]any
			Next string
		}
		if status := f.call("GET", path+"&limit=100&after="+url.QueryEscape(after), f.ready.APIKey, "", &got); status != 200 {
			f.t.Fatalf("%s is answered %d", path, status)
		}
		for _, d := range got.Data {
			if counts == nil || counts(d) {
				n++
			}
		}
		if after = got.Next; after == "" {
			return n
		}
	}
}

// file is the rows of a CSV file by the names in its head.
func (f figuresOf) file(path string) (out []map[string]string) {
	f.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(f.opens(path))).ReadAll()
	if err != nil || len(rows) == 0 {
		f.t.Fatalf("%s: %d rows, %v", path, len(rows), err)
	}
	for _, r := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[strings.TrimPrefix(name, "\ufeff")] = r[i]
		}
		out = append(out, row)
	}
	return out
}
