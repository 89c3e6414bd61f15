package console

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// analyticsPages serve rings over time. The page and its files read the same analytics.
type analyticsPages struct{ *Console }

// splitHour compares by the hour of the day, which is no split of the store.
const splitHour = "hour"

// analytics is what the page and its files show.
type analytics struct {
	q     *page.Query
	v     *page.Visitor
	span  period
	cut   tenants.Cut // which rings; the zero Cut is all
	split string      // what is compared
	hop   tenants.Hop
	days  bool // times are by days of UTC

	hours, hoursThen   []tenants.HourCounts
	values, valuesThen []tenants.ValueCounts
	times              columnTimes
	names              map[tenants.Split]map[string]string // of agents and keys
}

// of reads what the address asks for.
func (k analyticsPages) of(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (a analytics, err error) {
	a.q, a.v = page.QueryOf(c), v
	a.span = periodOf(a.q, v, k.Now())
	splits := append(mapped(tenants.Splits, func(s tenants.Split) string { return string(s) }), splitHour)
	a.cut = cutOf(a.q)
	a.split = cmp.Or(a.q.OneOf("split", splits...), string(tenants.SplitAppVersion))
	a.hop = tenants.Hops[3]
	for _, h := range tenants.Hops[1:] {
		if a.q.OneOf("hop", h.Name) != "" {
			a.hop = h
		}
	}
	if err := a.q.Err(); err != nil {
		return a, err
	}
	return a, a.read(ctx, k.hours, k.times)
}

func (a *analytics) read(ctx context.Context, hours *hoursKept, times *timesKept) (err error) {
	s := a.v.Scope.Analytics()
	if err := a.readHours(ctx, hours); err != nil {
		return err
	}
	if a.split != splitHour {
		if a.values, err = s.Values(ctx, tenants.Split(a.split), a.span.from, a.span.to); err != nil {
			return err
		}
		if a.valuesThen, err = s.Values(ctx, tenants.Split(a.split), a.span.earlier, a.span.until); err != nil {
			return err
		}
	}
	a.days = a.span.step != "hour" && a.span.to.Sub(a.span.from) > 40*24*time.Hour
	if a.timed() {
		if a.times, err = times.of(ctx, a); err != nil {
			return err
		}
	}
	a.names, err = cutNames(ctx, a.v.Scope)
	return err
}

// readHours reads the hours of the span and of the one before it.
func (a *analytics) readHours(ctx context.Context, hours *hoursKept) (err error) {
	if a.hours, err = hours.of(ctx, a.v, a.cut, a.span.from, a.span.to); err != nil {
		return err
	}
	a.hoursThen, err = hours.of(ctx, a.v, a.cut, a.span.earlier, a.span.until)
	return err
}

// timed reports whether the chosen step is timed for the chosen rings.
func (a *analytics) timed() bool {
	return a.cut.By == "" || a.cut.By.Timed() && (a.hop.Fact == tenants.FactWoke || a.hop.Fact == tenants.FactAnswered)
}

// cutNames are how agents and keys are called, by id. Those that were removed are not there.
func cutNames(ctx context.Context, s *store.Scope) (map[tenants.Split]map[string]string, error) {
	out := map[tenants.Split]map[string]string{tenants.SplitAgent: {}, tenants.SplitKey: {}}
	agents, _, err := s.Agents().List(ctx, store.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	for _, a := range agents {
		out[tenants.SplitAgent][string(a.ID)] = a.Name
	}
	keys, err := everyKey(ctx, s)
	for _, x := range keys {
		out[tenants.SplitKey][string(x.ID)] = x.Name
	}
	return out, err
}

// total adds hours up.
func total(hours []tenants.HourCounts) (sum tenants.Counts) {
	for _, h := range hours {
		sum = sum.Add(h.Counts)
	}
	return sum
}

func (k analyticsPages) analytics(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	a, err := k.of(ctx, c, v)
	if err != nil {
		return err
	}
	p := views.AnalyticsPage{Words: a.span.words, Before: a.span.before, HasRings: total(a.hours).Rings > 0,
		From: a.span.from.In(v.Zone).Format(time.DateOnly), To: a.span.to.Add(-time.Second).In(v.Zone).Format(time.DateOnly),
		Figures: a.figures(), Chart: a.chart(), Split: a.table(), Heat: a.heat(), Times: a.waits()}
	for _, s := range spans {
		p.Ranges = append(p.Ranges, views.Tab{Text: s.text, Href: a.without("step", "range", s.name), Current: s.name == a.span.name})
		if s.name == a.span.name && len(s.steps) > 1 {
			for _, step := range s.steps {
				p.Steps = append(p.Steps, views.Tab{Text: "By " + step, Href: a.href("step", step), Current: step == a.span.step})
			}
		}
	}
	for _, name := range []string{"cut", "split", "hop"} {
		if s := a.q.Raw(name); s != "" {
			p.Keep = append(p.Keep, views.Link{Text: name, Href: page.Shown(s, 100)})
		}
	}
	if a.cut.By != "" {
		p.Cut, p.CutClear = splitWords[string(a.cut.By)].one(a.valueName(a.cut.By, a.cut.Value)), a.href("cut", "")
	}
	for _, s := range splitOrder {
		p.Splits = append(p.Splits, views.Tab{Text: splitWords[s].head, Href: a.href("split", s), Current: s == a.split})
	}
	for _, h := range tenants.Hops[1:] {
		p.Hops = append(p.Hops, views.Tab{Text: wordsOfFact[h.Fact].wait, Href: a.href("hop", h.Name), Current: h == a.hop})
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Analytics", views.NavAnalytics)); err != nil {
		return err
	}
	return web.Page(c, views.Analytics(p), fiber.StatusOK)
}

// href is the page with one word of its address changed.
func (a *analytics) href(name, value string) string {
	return a.q.With(views.PathAnalytics, name, value)
}

// without is href, and one word taken out.
func (a *analytics) without(gone, name, value string) string {
	u, err := url.Parse(a.href(name, value))
	if err != nil {
		return views.PathAnalytics
	}
	words := u.Query()
	words.Del(gone)
	if name == "range" {
		words.Del("from")
		words.Del("to")
	}
	if u.RawQuery = words.Encode(); u.RawQuery == "" {
		return u.Path
	}
	return u.String()
}

// ringsOf is the address of the rings of a span of time, a cut and a state. Empty words are left
// out. A page has hundreds of such addresses: what differs from one to the next is at the end, so
// that they compress well.
func ringsOf(from, to time.Time, cut tenants.Cut, state tenants.State, more ...string) string {
	u := views.PathRings + "?since=" + from.UTC().Format(time.RFC3339) + "&until=" + to.UTC().Format(time.RFC3339)
	if cut.By != "" {
		u += "&cut=" + url.QueryEscape(cutWord(cut))
	}
	for i := 0; i+1 < len(more); i += 2 {
		u += "&" + more[i] + "=" + more[i+1]
	}
	if state != "" {
		u += "&state=" + string(state)
	}
	return u
}

// endings are the ends of rings in the order of pages.
var endings = [5]tenants.State{tenants.Ended, tenants.Missed, tenants.Declined, tenants.Cancelled, tenants.Failed}

func endsOf(c tenants.Counts) [5]int64 {
	return [5]int64{c.Answered, c.Missed, c.Declined, c.Cancelled, c.Failed}
}

// numbers are counts that lead to their rings.
func numbers(c tenants.Counts, from, to time.Time, cut tenants.Cut, more ...string) (rings views.Number, ends [5]views.Number) {
	rings = views.Number{N: int(c.Rings), Href: ringsOf(from, to, cut, "", more...)}
	for i, n := range endsOf(c) {
		ends[i] = views.Number{N: int(n), Href: ringsOf(from, to, cut, endings[i], more...)}
	}
	return rings, ends
}

// columns adds hours up by column.
func columns(hours []tenants.HourCounts, starts []time.Time) []tenants.Counts {
	out := make([]tenants.Counts, len(starts))
	for _, h := range hours {
		if i := columnOf(starts, h.At); i >= 0 {
			out[i] = out[i].Add(h.Counts)
		}
	}
	return out
}

func (a *analytics) chart() views.TimeChart {
	out := views.TimeChart{Words: a.span.words, Before: a.span.before, Step: columnWords[a.span.step], Zone: a.v.Zone.String(),
		CSV: a.file("time")}
	now, then := columns(a.hours, a.span.starts), columns(a.hoursThen, a.span.startsThen)
	for i, sum := range now {
		b := views.TimeBar{Label: a.span.label(a.span.starts[i]), ISO: a.span.starts[i].In(a.v.Zone).Format(time.RFC3339), Earlier: -1}
		b.Rings, b.Ends = numbers(sum, a.span.starts[i], a.span.end(i), a.cut)
		if i < len(then) {
			b.Earlier, b.Then = int(then[i].Rings), ringsOf(a.span.startsThen[i], a.span.endThen(i), a.cut, "")
		}
		out.Bars = append(out.Bars, b)
	}
	return out
}

// fewRings is below how many a share says little.
const fewRings = 5

// weekHours adds hours up by weekday, Monday first, and hour of the day.
func (a *analytics) weekHours(hours []tenants.HourCounts) (sums [7][24]tenants.Counts) {
	for _, h := range hours {
		at := h.At.In(a.v.Zone)
		cell := &sums[(int(at.Weekday())+6)%7][at.Hour()]
		*cell = cell.Add(h.Counts)
	}
	return sums
}

func (a *analytics) heat() views.HeatMap {
	out := views.HeatMap{CSV: a.file("heat")}
	for i, day := range a.weekHours(a.hours) {
		name := time.Weekday((i + 1) % 7)
		row := views.HeatDay{Name: name.String()[:3]}
		for hour, c := range day {
			cell := views.HeatCell{Level: -1}
			if over := c.Over(); over > 0 {
				cell.Text = strings.TrimRight(views.Percent(int(c.Answered), int(over)), "% \u00a0\u202f\u2009")
				cell.Title = heatTitle(name, hour, c)
				cell.Href = ringsOf(a.span.from, a.span.to, a.cut, "", "weekday", strconv.Itoa(int(name)), "hour", strconv.Itoa(hour))
				if over >= fewRings {
					cell.Level = int(min(9, 10*c.Answered/over))
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		out.Days = append(out.Days, row)
	}
	return out
}

// splitMost is how many values a table shows.
const splitMost = 20

func (a *analytics) table() views.SplitTable {
	out := views.SplitTable{Head: splitWords[a.split].head, CSV: a.file("split")}
	if a.split == splitHour {
		now, then := a.weekHours(a.hours), a.weekHours(a.hoursThen)
		for hour := range 24 {
			var c, before tenants.Counts
			for day := range 7 {
				c, before = c.Add(now[day][hour]), before.Add(then[day][hour])
			}
			if c == before && c == (tenants.Counts{}) {
				continue
			}
			row := splitRow(c, before)
			row.Name = hourName(hour)
			row.Rings, row.Ends = numbers(c, a.span.from, a.span.to, a.cut, "hour", strconv.Itoa(hour))
			out.Rows = append(out.Rows, row)
		}
	}
	by := tenants.Split(a.split)
	if a.cut.By != "" && a.split != splitHour {
		out.Note = oneProperty
	}
	then := map[string]tenants.Counts{}
	for _, x := range a.valuesThen {
		then[x.Value] = x.Counts
	}
	for i, x := range a.values {
		if i >= splitMost {
			out.More++
			continue
		}
		row := splitRow(x.Counts, then[x.Value])
		row.Name = a.valueName(by, x.Value)
		row.Own = row.Name == x.Value || a.names[by][x.Value] == row.Name && x.Value != ""
		row.Rings, row.Ends = numbers(x.Counts, a.span.from, a.span.to, tenants.Cut{By: by, Value: x.Value})
		row.Href = a.href("cut", cutWord(tenants.Cut{By: by, Value: x.Value}))
		out.Rows = append(out.Rows, row)
	}
	most := 1
	for _, r := range out.Rows {
		most = max(most, r.Rings.N)
	}
	for i := range out.Rows {
		out.Rows[i].Width = 100 * out.Rows[i].Rings.N / most
	}
	return out
}

func splitRow(c, before tenants.Counts) views.SplitRow {
	return views.SplitRow{Rate: views.Percent(int(c.Answered), int(c.Over())), Change: signed(c.Rings, before.Rings)}
}

// waits are the percentiles of the chosen step.
func (a *analytics) waits() views.TimesChart {
	out := views.TimesChart{Name: wordsOfFact[a.hop.Fact].wait, Zone: a.v.Zone.String(), CSV: a.file("times")}
	if !a.timed() {
		out.None = fewTimes
		return out
	}
	if a.days {
		out.Zone = "UTC"
	}
	buckets := make(columnTimes, len(a.span.starts))
	copy(buckets, a.times)
	any := false
	for i, start := range a.span.starts {
		r := store.FunnelRow{Buckets: buckets[i]}
		p := views.TimesPoint{Label: a.span.label(start), ISO: start.In(a.v.Zone).Format(time.RFC3339)}
		for _, n := range buckets[i] {
			p.N += int(n)
		}
		p.P50, p.P95, p.P99 = percentile(r, 0.5), percentile(r, 0.95), percentile(r, 0.99)
		any = any || p.N > 0
		out.Points = append(out.Points, p)
	}
	if !any {
		out.None = noTimes
	}
	return out
}
