package console

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// cutWord is a cut in an address: "app_version:4.2.0".
func cutWord(c tenants.Cut) string { return string(c.By) + ":" + c.Value }

// cutOf reads a cut; what is none counts as not given.
func cutOf(q *page.Query) tenants.Cut {
	by, value, _ := strings.Cut(q.Text("cut"), ":")
	for _, s := range tenants.Splits {
		if string(s) == by {
			return tenants.Cut{By: s, Value: value}
		}
	}
	q.Keep("cut", "")
	return tenants.Cut{}
}

// cut reads the part of an address that figures link with: cut, since and until, hour and weekday.
func (k ringPages) cut(v *page.Visitor, q *page.Query, ask *store.RingQuery) {
	ask.Cut = cutOf(q)
	moment := func(name string, to *time.Time) {
		if q.Raw(name) == "" {
			return
		}
		at, err := time.Parse(time.RFC3339, q.Raw(name))
		if err != nil || at.Year() < 1970 || at.Year() > 9999 {
			q.Fault(name, "a moment, as in 2026-11-24T08:00:00Z")
			return
		}
		q.Keep(name, q.Raw(name))
		*to = at
	}
	moment("since", &ask.From)
	moment("until", &ask.To)
	clock := store.Clock{Zone: v.Zone, Hour: -1, Weekday: -1}
	if n, err := strconv.Atoi(q.OneOf("hour", numbersTo(24)...)); err == nil {
		clock.Hour = n
	}
	if n, err := strconv.Atoi(q.OneOf("weekday", numbersTo(7)...)); err == nil {
		clock.Weekday = n
	}
	if clock.Hour >= 0 || clock.Weekday >= 0 {
		ask.Clock = &clock
	}
}

func numbersTo(n int) []string {
	out := make([]string, n)
	for i := range n {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// cutFilters are the parts of such an address as filters, so that people see them and can take
// them away one by one.
func cutFilters(ctx context.Context, v *page.Visitor, q *page.Query, ask store.RingQuery) ([]views.Filter, error) {
	var out []views.Filter
	add := func(name, label, value, any, text string) {
		out = append(out, views.Filter{Name: name, Label: label,
			Choices: page.Choose(value, page.Choice("", any), page.Choice(value, text))})
	}
	if ask.Cut.By != "" {
		names, err := cutNames(ctx, v.Scope)
		if err != nil {
			return nil, err
		}
		a := analytics{names: names}
		word := splitWords[string(ask.Cut.By)].one(a.valueName(ask.Cut.By, ask.Cut.Value))
		add("cut", "Property", cutWord(ask.Cut), "All rings", word)
	}
	for _, x := range []struct {
		name, label, any, text string
		at                     time.Time
	}{{"since", "From", "Any start", "From ", ask.From}, {"until", "Until", "Any end", "Until ", ask.To}} {
		if raw := q.Raw(x.name); raw != "" {
			add(x.name, x.label, raw, x.any, x.text+v.At(x.at).Text)
		}
	}
	if ask.Clock != nil && ask.Clock.Hour >= 0 {
		add("hour", "Hour", strconv.Itoa(ask.Clock.Hour), "Any hour", hourName(ask.Clock.Hour))
	}
	if ask.Clock != nil && ask.Clock.Weekday >= 0 {
		add("weekday", "Weekday", strconv.Itoa(ask.Clock.Weekday), "Any weekday", time.Weekday(ask.Clock.Weekday).String())
	}
	return out, nil
}

// total is how many rings the list has. The store counts 10,000 at most, and fewer where it must
// look at each. What a figure leads to is then added up from the hours that the figure itself comes
// from: both are the same number, however large.
func (k ringPages) total(ctx context.Context, v *page.Visitor, ask store.RingQuery) (store.Total, error) {
	t, err := v.Scope.Rings().Total(ctx, ask)
	if err != nil || !t.More {
		return t, err
	}
	n, ok, err := k.inHours(ctx, v, ask)
	if ok && n > t.N {
		t = store.Total{N: n}
	}
	return t, err
}

// keptSince is the moment from which on every ring is there. Older ones may be removed, and hours
// count them still.
func (k ringPages) keptSince(v *page.Visitor) time.Time {
	keep := store.RingsKept
	if days := v.Tenant.Rules().Retention[tenants.DataRings]; days > 0 {
		keep = min(keep, time.Duration(days)*24*time.Hour)
	}
	return k.Now().Add(-keep)
}

// inHours adds rings up by the hours in which they were placed; ok is false for a list that hours
// say nothing of, or not the same: older rings may be removed, and where clocks are not whole hours
// from UTC, an hour of a day has parts of two that are counted.
func (k ringPages) inHours(ctx context.Context, v *page.Visitor, ask store.RingQuery) (n int64, ok bool, err error) {
	from, to, end := ask.From, ask.To, slices.Index(endings[:], ask.State)
	if to.IsZero() {
		to = k.Now().Truncate(time.Hour).Add(time.Hour)
	}
	only := store.RingQuery{State: ask.State, From: ask.From, To: ask.To, Cut: ask.Cut, Clock: ask.Clock}
	whole := func(at time.Time) bool { return at.Truncate(time.Hour).Equal(at) }
	if ask.Search != "" || ask.At(store.Page{}) != only || ask.State != "" && end < 0 || !whole(from) || !whole(to) ||
		from.Before(k.keptSince(v)) {
		return 0, false, nil
	}
	hours, err := k.hours.of(ctx, v, ask.Cut, from, to)
	for _, h := range hours {
		at := h.At.In(v.Zone)
		if _, off := at.Zone(); ask.Clock != nil && off%3600 != 0 {
			return 0, false, nil
		}
		switch {
		case ask.Clock != nil && (ask.Clock.Hour >= 0 && ask.Clock.Hour != at.Hour() ||
			ask.Clock.Weekday >= 0 && ask.Clock.Weekday != int(at.Weekday())):
		case end >= 0:
			n += endsOf(h.Counts)[end]
		default:
			n += h.Rings
		}
	}
	return n, err == nil, err
}
