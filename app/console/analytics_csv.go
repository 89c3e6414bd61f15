package console

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// file is the address of a panel's file.
func (a *analytics) file(panel string) string {
	return a.q.With(views.PathAnalyticsCSV, "panel", panel)
}

// analyticsCSV is one panel as a file: the figures of the page.
func (k analyticsPages) analyticsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	a, err := k.of(ctx, c, v)
	if err != nil {
		return err
	}
	panel := cmp.Or(a.q.OneOf("panel", "time", "split", "heat", "times"), "time")
	sheet := map[string]func() page.Sheet{"time": a.timeSheet, "split": a.splitSheet, "heat": a.heatSheet, "times": a.timesSheet}[panel]()
	return k.SendSheet(ctx, c, sheet)
}

var endHeads = []string{"answered", "missed", "declined", "cancelled", "failed"}

func cells(c tenants.Counts) []string {
	out := []string{strconv.FormatInt(c.Rings, 10)}
	for _, n := range endsOf(c) {
		out = append(out, strconv.FormatInt(n, 10))
	}
	return out
}

// sheetOf is a file whose rows are all here.
func sheetOf(name string, head []string, rows [][]string) page.Sheet {
	return page.Sheet{Name: name, Head: head, More: func(context.Context, string) ([][]string, string, error) { return rows, "", nil }}
}

func (a *analytics) timeSheet() page.Sheet {
	var rows [][]string
	then := columns(a.hoursThen, a.span.startsThen)
	for i, c := range columns(a.hours, a.span.starts) {
		before := ""
		if i < len(then) {
			before = strconv.FormatInt(then[i].Rings, 10)
		}
		rows = append(rows, append(append([]string{page.Stamp(a.span.starts[i])}, cells(c)...), before))
	}
	return sheetOf("rings-over-time", append(append([]string{"from", "rings"}, endHeads...), "rings_before"), rows)
}

func (a *analytics) splitSheet() page.Sheet {
	if a.split == splitHour {
		var rows [][]string
		now, then := a.weekHours(a.hours), a.weekHours(a.hoursThen)
		for hour := range 24 {
			var c, before tenants.Counts
			for day := range 7 {
				c, before = c.Add(now[day][hour]), before.Add(then[day][hour])
			}
			rows = append(rows, append(append([]string{strconv.Itoa(hour)}, cells(c)...), strconv.FormatInt(before.Rings, 10)))
		}
		return sheetOf("rings-by-hour", append(append([]string{"hour", "rings"}, endHeads...), "rings_before"), rows)
	}
	var rows [][]string
	then := map[string]int64{}
	for _, x := range a.valuesThen {
		then[x.Value] = x.Rings
	}
	for _, x := range a.values {
		row := append([]string{x.Value, a.valueName(tenants.Split(a.split), x.Value)}, cells(x.Counts)...)
		rows = append(rows, append(row, strconv.FormatInt(then[x.Value], 10)))
	}
	return sheetOf("rings-by-"+a.split, append(append([]string{a.split, "name", "rings"}, endHeads...), "rings_before"), rows)
}

func (a *analytics) heatSheet() page.Sheet {
	var rows [][]string
	for i, day := range a.weekHours(a.hours) {
		for hour, c := range day {
			rows = append(rows, append([]string{time.Weekday((i + 1) % 7).String(), strconv.Itoa(hour)}, cells(c)...))
		}
	}
	return sheetOf("rings-by-weekday-and-hour", append([]string{"weekday", "hour", "rings"}, endHeads...), rows)
}

func (a *analytics) timesSheet() page.Sheet {
	var rows [][]string
	for i, p := range a.waits().Points {
		if p.N > 0 {
			rows = append(rows, []string{page.Stamp(a.span.starts[i]), strconv.Itoa(p.P50), strconv.Itoa(p.P95), strconv.Itoa(p.P99),
				strconv.Itoa(p.N)})
		}
	}
	return sheetOf("time-"+a.hop.Name, []string{"from", "p50_ms", "p95_ms", "p99_ms", "phones"}, rows)
}
